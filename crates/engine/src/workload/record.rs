//! What is recorded of a run of a workload or job.

use std::collections::BTreeMap;

use consort_model::run::RunStatus;
use consort_model::time::Span;
use consort_model::units::MicroUsd;
use consort_model::{Digest, Problem, Timestamp};
use consort_scheduling::{Objective, Schedule};
use serde::{Deserialize, Serialize};

/// How a try of a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Why it failed, if it did.
    pub(crate) problem: Option<Problem>,
    /// Could the effect be going on all the same? The next try then has the same key.
    #[serde(default)]
    pub(crate) ambiguous: bool,
    /// When the program began, if it did.
    pub(crate) started: Timestamp,
    /// When it ended.
    pub(crate) finished: Timestamp,
    /// Processor time that it used.
    #[serde(default)]
    pub(crate) cpu_time: Option<Span>,
    /// Was its share of processors enforced?
    pub(crate) enforced: bool,
}

/// A record of a run of a workload or job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body")]
pub(crate) enum WorkloadRecord {
    /// The run was asked for; its definition holds the plan, down to every task.
    RunCreated {
        /// The digest of the definition.
        definition: Digest,
        /// Planned leases by node type.
        fleet: BTreeMap<String, u32>,
        /// Planned time.
        makespan: Span,
        /// Planned cost at list prices.
        cost: MicroUsd,
    },
    /// The clock of the plan starts.
    RunBegun {
        /// When.
        at: Timestamp,
    },
    /// A slot of a node type is leased.
    LeaseBegun {
        /// The number of the lease in this run.
        lease: u32,
        /// Which lease of the plan it is.
        planned: u32,
        /// The index of the node type.
        node_type: u32,
        /// Since when.
        at: Timestamp,
    },
    /// It is given back.
    LeaseEnded {
        /// Which.
        lease: u32,
        /// When.
        at: Timestamp,
        /// What it cost at list prices.
        cost: MicroUsd,
    },
    /// Intent: a try of a task begins.
    StepPlanned {
        /// The index of the task.
        task: u32,
        /// Its name.
        step: String,
        /// Which try, from 1.
        attempt: u32,
        /// The idempotency key.
        key: String,
        /// On which lease.
        lease: u32,
        /// When.
        at: Timestamp,
    },
    /// Outcome of a try.
    StepEnded {
        /// The index of the task.
        task: u32,
        /// Its name.
        step: String,
        /// How.
        outcome: Outcome,
    },
    /// It will be tried again.
    RetryPlanned {
        /// The index of the task.
        task: u32,
        /// Its name.
        step: String,
        /// Not before.
        due: Timestamp,
    },
    /// It is not run, because a task that it needs has failed.
    StepSkipped {
        /// The index of the task.
        task: u32,
        /// Its name.
        step: String,
    },
    /// The rest was planned anew; what was begun stays where it is.
    Replanned {
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
        /// Everything, past and future.
        schedule: Schedule,
        /// The nearest objective that can still be met, if the one asked for cannot.
        missed: Option<Objective>,
    },
    /// Somebody asked to stop.
    CancelAsked {
        /// Who.
        by: String,
        /// Give up what is under way.
        now: bool,
    },
    /// The end.
    RunEnded {
        /// How.
        status: RunStatus,
        /// Why, if it failed.
        problem: Option<Problem>,
    },
}
