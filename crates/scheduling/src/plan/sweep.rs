//! Many deadlines at once: from the tightest to the loosest, each with the plans of those before, so
//! that a looser deadline never costs more.

use super::{constructive, grid, plan_from};
use crate::problem::Problem;
use crate::refusal::Infeasible;
use crate::schedule::Schedule;
use crate::spec::{Micros, Objective};
use crate::work::Limits;

/// The best plan for each of these deadlines, in their order. Work is shared equally. A looser
/// deadline never costs more than a tighter one.
pub fn sweep(
    problem: &Problem,
    deadlines: &[Micros],
    limits: &Limits<'_>,
) -> Vec<Result<Schedule, Infeasible>> {
    let mut upward: Vec<(usize, Micros)> = deadlines.iter().copied().enumerate().collect();
    upward.sort_by_key(|&(_, deadline)| deadline);
    let limits = Limits {
        work: limits.work / deadlines.len().max(1) as u64,
        ..*limits
    };
    let mut known: Vec<Schedule> = Vec::new();
    let mut answers: Vec<_> = deadlines.iter().map(|_| None).collect();
    for (at, deadline) in upward {
        let problem = problem.with(Objective::Deadline(deadline));
        let answer = plan_from(&problem, known.clone(), &limits);
        // An infeasible deadline leaves a plan for the next ones too.
        let (Ok(plan) | Err(Infeasible { schedule: plan, .. })) = &answer;
        known.push(plan.clone());
        known = undominated(known);
        answers[at] = Some(answer);
    }
    answers.into_iter().flatten().collect()
}

/// Plans none of which is beaten in both makespan and cost, the fastest first.
pub fn frontier(problem: &Problem, limits: &Limits<'_>) -> Vec<Schedule> {
    /// So many deadlines are searched for between the fastest and the cheapest plan.
    const POINTS: u32 = 12;
    let mut plans: Vec<Schedule> = constructive::fastest(problem).into_iter().collect();
    for internal in grid::absolute(problem, problem.horizon()) {
        plans.extend(constructive::at(problem, internal));
    }
    plans = undominated(plans);
    let (Some(first), Some(last)) = (plans.first(), plans.last()) else {
        return plans;
    };
    if limits.work == 0 {
        return plans;
    }
    let (low, high) = (first.makespan.max(1) as f64, last.makespan.max(1) as f64);
    let point = |at: u32| low * (high / low).powf(f64::from(at) / f64::from(POINTS - 1));
    let deadlines: Vec<Micros> = (0..POINTS).map(|at| point(at).ceil() as Micros).collect();
    plans.extend(sweep(problem, &deadlines, limits).into_iter().flatten());
    undominated(plans)
}

fn undominated(mut plans: Vec<Schedule>) -> Vec<Schedule> {
    plans.sort_by_key(|plan| (plan.makespan, plan.cost));
    let mut least = u64::MAX;
    plans.retain(|plan| {
        let better = plan.cost < least;
        least = least.min(plan.cost);
        better
    });
    plans
}
