//! The portfolio: asks all planners, searches on from the best, and answers with the best plan that
//! meets the objective, or with the nearest objective that can be met.

use crate::bound;
use crate::planners::{FleetSearch, Planner};
use crate::problem::Problem;
use crate::refusal::Infeasible;
use crate::schedule::Schedule;
use crate::spec::{Micros, Objective};
use crate::work::{Limits, Work};

mod constructive;
mod grid;
mod sweep;

pub use sweep::{frontier, sweep};

/// The best plan for the objective.
///
/// One call is not monotone: what the search finds for one deadline it may miss for a looser one.
/// [`sweep`] and [`frontier`] are.
///
/// # Errors
/// When no plan that meets the objective was found: the nearest one, with its plan.
pub fn plan(problem: &Problem, limits: &Limits<'_>) -> Result<Schedule, Infeasible> {
    plan_from(problem, Vec::new(), limits)
}

/// Like [`plan`], beginning with plans that are known for the same problem, whatever objective they
/// were made for. The answer is never worse than they are.
///
/// # Errors
/// As [`plan`].
pub fn plan_from(
    problem: &Problem,
    known: Vec<Schedule>,
    limits: &Limits<'_>,
) -> Result<Schedule, Infeasible> {
    let portfolio = Portfolio {
        problem,
        limits: *limits,
        plans: known,
    };
    let mut work = limits.budget(limits.work);
    match problem.objective() {
        Objective::Deadline(deadline) => portfolio.deadline(deadline, &mut work),
        Objective::Budget(money) => portfolio.budget(money, &mut work),
    }
}

struct Portfolio<'p> {
    problem: &'p Problem,
    limits: Limits<'p>,
    plans: Vec<Schedule>,
}

/// Whether a plan meets an objective.
fn meets(plan: &Schedule, objective: Objective) -> bool {
    match objective {
        Objective::Deadline(deadline) => plan.makespan <= deadline,
        Objective::Budget(money) => plan.cost <= money,
    }
}

/// What makes a plan better for an objective that it meets.
fn merit(plan: &Schedule, objective: Objective) -> (u64, u64) {
    match objective {
        Objective::Deadline(_) => (plan.cost, plan.makespan),
        Objective::Budget(_) => (plan.makespan, plan.cost),
    }
}

impl Portfolio<'_> {
    fn best(&self, objective: Objective) -> Option<&Schedule> {
        let meeting = self.plans.iter().filter(|plan| meets(plan, objective));
        meeting.min_by_key(|plan| merit(plan, objective))
    }

    fn fastest(&self) -> Option<&Schedule> {
        self.plans
            .iter()
            .min_by_key(|plan| (plan.makespan, plan.cost))
    }

    fn cheapest(&self) -> Option<&Schedule> {
        self.plans
            .iter()
            .min_by_key(|plan| (plan.cost, plan.makespan))
    }

    /// Searches for an objective from the best plans so far.
    fn search(&mut self, objective: Objective, work: &mut Work<'_>) {
        /// More starting points than the search keeps are of no use.
        const SEEDS: usize = 4;
        let mut known: Vec<&Schedule> = self.plans.iter().collect();
        known.sort_by_key(|plan| (!meets(plan, objective), merit(plan, objective)));
        known.dedup();
        let mut known: Vec<Schedule> = known.into_iter().take(SEEDS).cloned().collect();
        known.extend(self.fastest().cloned());
        let search = FleetSearch {
            seed: self.limits.seed,
            known,
        };
        if work.left() > 0 {
            self.plans
                .extend(search.plan(&self.problem.with(objective), work));
        }
    }

    fn deadline(mut self, deadline: Micros, work: &mut Work<'_>) -> Result<Schedule, Infeasible> {
        let asked = Objective::Deadline(deadline);
        self.plans
            .extend(constructive::for_deadline(self.problem, deadline));
        let hopeless = deadline < bound::makespan(self.problem);
        if self.best(asked).is_some() || !hopeless {
            let all = work.left();
            let part = if self.best(asked).is_some() {
                all
            } else {
                all / 2
            };
            self.search(asked, &mut work.take(part));
        }
        if let Some(best) = self.best(asked) {
            return Ok(best.clone());
        }
        self.nearest_deadline(asked, work)
    }

    /// The least makespan that can be found, at the least cost for that.
    fn nearest_deadline(
        mut self,
        asked: Objective,
        work: &mut Work<'_>,
    ) -> Result<Schedule, Infeasible> {
        let bound = Objective::Deadline(bound::makespan(self.problem).max(1));
        self.search(bound, &mut work.take(work.left() / 2));
        let least = self.fastest().map_or(0, |plan| plan.makespan);
        let nearest = Objective::Deadline(least);
        self.plans
            .extend(constructive::for_deadline(self.problem, least));
        self.search(nearest, work);
        Err(self.infeasible(asked, nearest))
    }

    fn infeasible(&self, asked: Objective, nearest: Objective) -> Infeasible {
        let best = self.best(nearest).cloned();
        Infeasible {
            asked,
            // The search for the nearest may have found one that is nearer still.
            nearest: match (nearest, &best) {
                (Objective::Deadline(_), Some(plan)) => Objective::Deadline(plan.makespan),
                (Objective::Budget(_), Some(plan)) => Objective::Budget(plan.cost),
                (objective, None) => objective,
            },
            schedule: best.unwrap_or_else(empty),
        }
    }

    fn budget(mut self, money: u64, work: &mut Work<'_>) -> Result<Schedule, Infeasible> {
        let asked = Objective::Budget(money);
        self.plans
            .extend(constructive::for_budget(self.problem, money));
        if self.best(asked).is_none() {
            let relaxed = Objective::Deadline(self.problem.horizon());
            self.search(relaxed, &mut work.take(work.left() / 2));
        }
        if self.best(asked).is_some() {
            self.search(asked, work);
        }
        if let Some(best) = self.best(asked) {
            return Ok(best.clone());
        }
        let least = self.cheapest().map_or(0, |plan| plan.cost);
        Err(self.infeasible(asked, Objective::Budget(least)))
    }
}

/// The plan of nothing.
fn empty() -> Schedule {
    Schedule {
        instances: Vec::new(),
        placements: Vec::new(),
        makespan: 0,
        cost: 0,
    }
}
