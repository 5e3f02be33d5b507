//! What no plan can beat.

use crate::problem::Problem;
use crate::spec::{Micros, Objective};

mod chain;
mod cover;

/// Limits from below. Both always hold; neither need be reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowerBound {
    /// No plan ends before this.
    pub makespan: Micros,
    /// No plan that meets the deadline costs less, in millionths of a dollar. For a budget: no plan
    /// at all.
    pub cost: u64,
}

/// What no plan for this problem can beat.
#[must_use]
pub fn lower_bound(problem: &Problem) -> LowerBound {
    let makespan = makespan(problem);
    let deadline = match problem.objective() {
        Objective::Deadline(deadline) => deadline.max(makespan),
        Objective::Budget(_) => problem.horizon(),
    };
    let mut cost = chain::cost(problem, deadline);
    // What was begun may use nodes that are paid already: the covering bound counts new ones only
    // when there are none.
    if problem.progress().leases.is_empty() {
        cost = cost.max(cover::cost(problem, deadline));
    }
    LowerBound { makespan, cost }
}

/// Earliest ends with every task on its fastest type and no transfers.
pub(crate) fn earliest_ends(problem: &Problem) -> Vec<Micros> {
    let types = problem.spec().types.iter();
    let startup = types.map(|kind| kind.startup_us).min().unwrap_or(0);
    let progress = problem.progress();
    let held = progress.leases.iter().any(|lease| lease.end.is_none());
    let floor = progress.now + if held { 0 } else { startup };
    let mut end = vec![0; problem.tasks() as usize];
    for &task in problem.graph().order() {
        let parents = problem.graph().parents(task).iter();
        let ready = parents.map(|arc| end[arc.task as usize]).max().unwrap_or(0);
        end[task as usize] = match problem.frozen(task) {
            Some(frozen) => frozen.end,
            None => ready.max(floor) + problem.fastest(task),
        };
    }
    end
}

/// The longest chain, and the time that the pool's processors need for all the work.
pub(crate) fn makespan(problem: &Problem) -> Micros {
    let chain = earliest_ends(problem).into_iter().max().unwrap_or(0);
    let Some(most) = problem.spec().max_cpus_milli.filter(|&most| most > 0) else {
        return chain;
    };
    let open = (0..problem.tasks()).filter(|&task| problem.frozen(task).is_none());
    let work: u128 = open.map(|task| least_work(problem, task)).sum();
    let time = u64::try_from(work / u128::from(most)).unwrap_or(u64::MAX);
    chain.max(problem.progress().now.saturating_add(time))
}

/// The least of processors × time that a task takes, over all types.
fn least_work(problem: &Problem, task: u32) -> u128 {
    let works = (0..problem.kinds()).filter_map(|kind| {
        let time = problem.run_time(task, kind)?;
        Some(u128::from(time) * u128::from(problem.cpus_on(task, kind)))
    });
    works.min().unwrap_or(0)
}
