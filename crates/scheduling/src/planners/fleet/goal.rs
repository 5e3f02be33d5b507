//! How good a plan is for the search: what is to be least, and what missing the limit costs.

use crate::problem::Problem;
use crate::schedule::Schedule;
use crate::spec::{Micros, Objective};

#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    objective: Objective,
    /// What one whole limit too much counts.
    penalty: f64,
}

/// Being over the limit by all of it counts as much as this many times a usual value.
const OVER: f64 = 200.0;

/// Of two plans with the same main figure the one with the better other figure counts as better by
/// this part.
const TIE: f64 = 1e-6;

impl Goal {
    /// `None` for a limit of zero: nothing can keep it.
    pub(super) fn new(problem: &Problem, known: &[Schedule]) -> Option<Self> {
        let objective = problem.objective();
        let (limit, usual) = match objective {
            Objective::Deadline(limit) => {
                let least = (0..problem.kinds()).map(|k| problem.least_charge(k)).min();
                let known = known.iter().map(|plan| plan.cost).min();
                (limit, known.or(least).unwrap_or(1))
            }
            Objective::Budget(limit) => {
                let known = known.iter().map(|plan| plan.makespan).min();
                (limit, known.unwrap_or_else(|| problem.fastest_chain()))
            }
        };
        (limit > 0).then(|| Self {
            objective,
            penalty: OVER * usual.max(1) as f64,
        })
    }

    /// The less the better.
    pub(super) fn value(&self, makespan: Micros, cost: u64) -> f64 {
        let (main, other, limit) = match self.objective {
            Objective::Deadline(limit) => (cost, makespan, limit),
            Objective::Budget(limit) => (makespan, cost, limit),
        };
        let main = main as f64;
        if other <= limit {
            main * (1.0 + TIE * (other as f64 / limit as f64))
        } else {
            1.5 * main + self.penalty * (other as f64 / limit as f64 - 1.0)
        }
    }
}
