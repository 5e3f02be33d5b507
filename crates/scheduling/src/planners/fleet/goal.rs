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

/// Being over the limit by all of it counts as much as this many times a usual value. Little enough
/// that the search may pass through plans that are a few hundredths over: between two good fleets
/// there is often no way that keeps the limit.
const OVER: f64 = 8.0;

/// Not keeping the limit counts as this much of the value in any case.
const LATE: f64 = 1.02;

/// Of two plans with the same main figure the one with the better other figure counts as better by
/// this part.
const TIE: f64 = 1e-6;

/// How good a plan is in the end, the least first: those that keep the limit by their main figure,
/// before all others by how far they are over.
pub(super) type Merit = (bool, u64, u64);

/// How good a plan is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    /// For the next step of the search; the less the better.
    pub(super) soft: f64,
    pub(super) merit: Merit,
}

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

    pub(super) fn value(&self, makespan: Micros, cost: u64) -> Value {
        let (main, other, limit) = match self.objective {
            Objective::Deadline(limit) => (cost, makespan, limit),
            Objective::Budget(limit) => (makespan, cost, limit),
        };
        let used = other as f64 / limit as f64;
        if other <= limit {
            Value {
                soft: main as f64 * (1.0 + TIE * used),
                merit: (false, main, other),
            }
        } else {
            Value {
                soft: LATE * main as f64 + self.penalty * (used - 1.0),
                merit: (true, other, main),
            }
        }
    }
}
