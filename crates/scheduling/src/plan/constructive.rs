//! The constructive tier: planners that answer at once, for many internal deadlines.

use super::grid;
use crate::planners::{DeadlineList, EarliestFinish, GrpHeft, IcPcp, Planner};
use crate::problem::Problem;
use crate::schedule::Schedule;
use crate::spec::{Micros, Objective};
use crate::work::Work;

/// Partial critical paths take time in the square of the tasks.
const MOST_FOR_PATHS: u32 = 3_000;

/// The seed of the ranks: fixed, so that this tier does not depend on the caller's seed.
const SEED: u64 = 1;

/// Plans for a deadline; some may be late, and the fastest that is known is always among them.
pub(super) fn for_deadline(problem: &Problem, deadline: Micros) -> Vec<Schedule> {
    let mut plans: Vec<Schedule> = fastest(problem).into_iter().collect();
    for internal in grid::around(problem, deadline) {
        plans.extend(at(problem, internal));
    }
    plans
}

pub(super) fn fastest(problem: &Problem) -> Option<Schedule> {
    EarliestFinish.plan(problem, &mut Work::units(u64::MAX))
}

/// Plans of all planners for exactly this deadline.
pub(super) fn at(problem: &Problem, deadline: Micros) -> Vec<Schedule> {
    let problem = problem.with(Objective::Deadline(deadline));
    let list = |theta| DeadlineList { theta, seed: SEED };
    let mut planners: Vec<Box<dyn Planner>> = vec![Box::new(list(None))];
    if problem.spec().bandwidth.is_some() {
        planners.push(Box::new(list(Some(1.5))));
    }
    if problem.tasks() <= MOST_FOR_PATHS {
        planners.push(Box::new(IcPcp));
    }
    let mut work = Work::units(u64::MAX);
    let plans = planners.iter().filter_map(|p| p.plan(&problem, &mut work));
    plans.collect()
}

/// Plans for a budget: those of the whole grid of deadlines, finer where it is crossed.
pub(super) fn for_budget(problem: &Problem, money: u64) -> Vec<Schedule> {
    let mut plans: Vec<Schedule> = fastest(problem).into_iter().collect();
    plans.extend(GrpHeft.plan(problem, &mut Work::units(u64::MAX)));
    for internal in grid::absolute(problem, problem.horizon()) {
        plans.extend(at(problem, internal));
    }
    bisect(problem, money, &mut plans);
    plans
}

/// Halves the interval between the fastest plan within the budget and the shortest makespan.
fn bisect(problem: &Problem, money: u64, plans: &mut Vec<Schedule>) {
    const STEPS: usize = 8;
    let within = plans.iter().filter(|plan| plan.cost <= money);
    let Some(mut high) = within.map(|plan| plan.makespan).min() else {
        return;
    };
    let mut low = crate::bound::makespan(problem);
    for _ in 0..STEPS {
        if low >= high {
            return;
        }
        let middle = low + (high - low) / 2;
        let found = at(problem, middle);
        let within = found.iter().filter(|plan| plan.cost <= money);
        match within.map(|plan| plan.makespan).min() {
            Some(makespan) if makespan < high => high = makespan,
            _ => low = middle + 1,
        }
        plans.extend(found);
    }
}
