//! What can be wrong with a schedule.

/// One thing that is wrong. Indexes are those of the question and the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Tasks are missing, repeated or out of order.
    #[error("not every task is placed exactly once, in order")]
    NotEveryTaskOnce,
    /// The leases that exist are not the first ones of the plan.
    #[error("leases that exist are missing")]
    LeasesForgotten,
    /// A lease of no type, or that ends before it starts.
    #[error("lease {lease} is impossible")]
    BadLease {
        /// Its index.
        lease: usize,
    },
    /// A placement on no lease, or that ends before it starts.
    #[error("the placement of task {task} is impossible")]
    BadPlacement {
        /// The task.
        task: u32,
    },
    /// A task that was begun elsewhere or at another time.
    #[error("task {task} was begun, and the plan changes that")]
    BegunTaskChanged {
        /// The task.
        task: u32,
    },
    /// A run that is longer or shorter than its node type needs, or on one that it does not fit.
    #[error("task {task} does not run as long as its node type needs")]
    WrongDuration {
        /// The task.
        task: u32,
    },
    /// A task before its node is up, or in the past.
    #[error("task {task} starts before its node can run it")]
    TooEarly {
        /// The task.
        task: u32,
    },
    /// A task before the data of another are there.
    #[error("task {to} starts before the data of task {from} are there")]
    EdgeBroken {
        /// The task that comes first.
        from: u32,
        /// The task that needs it.
        to: u32,
    },
    /// A lease that does not cover exactly what it must.
    #[error("lease {lease} does not cover exactly what its tasks need")]
    WrongLease {
        /// Its index.
        lease: usize,
    },
    /// A lease whose cost is not what its time costs.
    #[error("lease {lease} has a wrong cost")]
    WrongCost {
        /// Its index.
        lease: usize,
    },
    /// A node with more on it than it has.
    #[error("lease {lease} runs more at once than its node has processors or memory for")]
    Overbooked {
        /// Its index.
        lease: usize,
    },
    /// More leased at once than the pool has.
    #[error("more is leased at once than the pool has")]
    PoolExceeded {
        /// Of this node type; `None` for the processors of all.
        kind: Option<usize>,
    },
    /// Makespan or cost that are not those of the placements and leases.
    #[error("makespan or cost do not follow from the plan")]
    WrongTotals,
    /// A deadline or budget that is not kept.
    #[error("the objective is not met")]
    ObjectiveMissed,
}
