//! Why there is no plan.

use consort_model::units::Bytes;

use crate::schedule::Schedule;
use crate::spec::{Objective, Seconds};

/// A question that cannot be planned for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// There is nothing to lease.
    #[error("the pool has no node types; give it at least one under `types`")]
    NoTypes,
    /// More than the limit.
    #[error("there are {given} {what}; at most {most} can be planned together: split the workload")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// The limit.
        most: usize,
    },
    /// A number that must not be zero.
    #[error("`{what}` of `{of}` is 0; it must be greater")]
    Zero {
        /// The task or node type.
        of: String,
        /// The number.
        what: &'static str,
    },
    /// Measured run times that do not match the node types.
    #[error(
        "task `{task}` has {given} measured run times for {types} node types; give one for each"
    )]
    RunTimes {
        /// The task.
        task: String,
        /// How many it has.
        given: usize,
        /// How many there must be.
        types: usize,
    },
    /// An edge that leads nowhere.
    #[error("an edge names task {index}, but there are only {tasks} tasks")]
    NoSuchTask {
        /// What it names.
        index: u64,
        /// How many tasks there are.
        tasks: u64,
    },
    /// Tasks that wait for each other.
    #[error("tasks need each other in a circle: {path}; remove one of these needs")]
    Cycle {
        /// Their names.
        path: String,
    },
    /// A task that needs more memory than any node has.
    #[error(
        "task `{task}` needs {} of memory, and no node type has more than {}; add a larger type",
        Bytes(*.memory),
        Bytes(*.most)
    )]
    TooLarge {
        /// The task.
        task: String,
        /// What it needs.
        memory: u64,
        /// What the largest type has.
        most: u64,
    },
    /// A task that only fits on types of which none may be leased.
    #[error(
        "no node type that task `{task}` fits on may be leased; raise the pool's limits, or add a smaller type"
    )]
    NotForLease {
        /// The task.
        task: String,
    },
    /// Times whose sum cannot be computed with.
    #[error("the run times and transfers add up to more than 36,000 years; correct the estimates")]
    TooLong,
    /// A progress that cannot have come about.
    #[error("the recorded progress contradicts itself: {what}")]
    Progress {
        /// In what.
        what: String,
    },
}

/// An objective that cannot be met, and the nearest one that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infeasible {
    /// What was asked.
    pub asked: Objective,
    /// The smallest that was found to be feasible. No better one is known; it is proven that none
    /// exists only where it equals the lower bound.
    pub nearest: Objective,
    /// The plan for it.
    pub schedule: Schedule,
}

impl std::fmt::Display for Infeasible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            asked,
            nearest,
            schedule,
        } = self;
        write!(
            f,
            "{asked} cannot be met with this pool; the nearest is {nearest}, "
        )?;
        match nearest {
            Objective::Deadline(_) => {
                let cost = consort_model::units::MicroUsd(schedule.cost);
                write!(f, "at {cost}")
            }
            Objective::Budget(_) => write!(f, "done after {}", Seconds(schedule.makespan)),
        }
    }
}

impl std::error::Error for Infeasible {}
