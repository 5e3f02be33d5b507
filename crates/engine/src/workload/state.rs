//! Where a run of a workload is: the fold of its records.

use std::collections::BTreeMap;

use consort_model::run::RunStatus;
use consort_model::units::MicroUsd;
use consort_model::{Problem, Timestamp};
use consort_scheduling::{Objective, Schedule};
use serde::{Deserialize, Serialize};

use super::record::{Outcome, WorkloadRecord};

/// A slot that is or was leased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeaseState {
    /// The index of the node type.
    pub(crate) node_type: u32,
    /// Since when.
    pub(crate) start: Timestamp,
    /// Until when; `None` while it is held.
    pub(crate) end: Option<Timestamp>,
    /// What it cost at list prices.
    pub(crate) cost: MicroUsd,
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Not begun.
    #[default]
    Waiting,
    /// Begun, no outcome recorded.
    Running {
        /// The idempotency key of this try.
        key: String,
        /// On which lease.
        lease: u32,
        /// When the intent was recorded.
        since: Timestamp,
    },
    /// Failed; tried again later.
    Retrying {
        /// Not before.
        due: Timestamp,
    },
    /// Ended well.
    Succeeded {
        /// On which lease.
        lease: u32,
    },
    /// Failed for good.
    Failed,
    /// Not run, since something that it needs has failed.
    Skipped,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct TaskState {
    /// How it stands.
    pub(crate) phase: Phase,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// The number in the key of the next try: raised by a definite failure only.
    pub(crate) key_number: u32,
    /// The lease of its last try.
    pub(crate) lease: Option<u32>,
    /// When its last try was planned.
    pub(crate) planned: Timestamp,
    /// How its last try ended.
    pub(crate) last: Option<Outcome>,
}

/// Where the run is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// When the clock of the plan was started.
    pub(crate) begun: Option<Timestamp>,
    /// The plan in force, if it is not the definition's any more.
    pub(crate) schedule: Option<Schedule>,
    /// The leases, by number.
    pub(crate) leases: Vec<LeaseState>,
    /// Which lease of the plan in force is which lease of the run.
    pub(crate) lease_of: BTreeMap<u32, u32>,
    /// Tasks that were touched, by index.
    pub(crate) tasks: BTreeMap<u32, TaskState>,
    /// How often it was planned anew.
    pub(crate) replans: u32,
    /// The nearest objective that can still be met.
    pub(crate) missed: Option<Objective>,
    /// Somebody asked to stop; `true` if at once.
    pub(crate) cancelled: Option<bool>,
    /// How it ended.
    pub(crate) ended: Option<RunStatus>,
    /// Why it failed.
    pub(crate) problem: Option<Problem>,
}

impl State {
    /// How a task stands.
    pub(crate) fn phase(&self, task: u32) -> &Phase {
        static WAITING: Phase = Phase::Waiting;
        self.tasks.get(&task).map_or(&WAITING, |task| &task.phase)
    }

    /// Folds a record in.
    pub(crate) fn apply(&mut self, record: &WorkloadRecord) {
        match record {
            WorkloadRecord::RunCreated { .. } => {}
            WorkloadRecord::RunBegun { at } => self.begun = Some(*at),
            WorkloadRecord::LeaseBegun {
                lease,
                planned,
                node_type,
                at,
            } => {
                self.leases.push(LeaseState {
                    node_type: *node_type,
                    start: *at,
                    end: None,
                    cost: MicroUsd(0),
                });
                self.lease_of.insert(*planned, *lease);
            }
            WorkloadRecord::LeaseEnded { lease, at, cost } => {
                if let Some(lease) = self.leases.get_mut(*lease as usize) {
                    lease.end = Some(*at);
                    lease.cost = *cost;
                }
            }
            WorkloadRecord::Replanned {
                schedule, missed, ..
            } => {
                self.schedule = Some(schedule.clone());
                self.missed = *missed;
                self.replans += 1;
                // The leases so far keep their number in the new plan.
                let count = u32::try_from(self.leases.len()).unwrap_or(u32::MAX);
                self.lease_of = (0..count).map(|lease| (lease, lease)).collect();
            }
            WorkloadRecord::CancelAsked { now, .. } => {
                self.cancelled = Some(self.cancelled.unwrap_or(false) || *now);
            }
            WorkloadRecord::RunEnded { status, problem } => {
                self.ended = Some(*status);
                self.problem.clone_from(problem);
            }
            WorkloadRecord::StepPlanned { .. }
            | WorkloadRecord::StepEnded { .. }
            | WorkloadRecord::RetryPlanned { .. }
            | WorkloadRecord::StepSkipped { .. } => self.apply_step(record),
        }
    }

    fn apply_step(&mut self, record: &WorkloadRecord) {
        match record {
            WorkloadRecord::StepPlanned {
                task,
                attempt,
                key,
                lease,
                at,
                ..
            } => {
                let task = self.tasks.entry(*task).or_default();
                task.attempts = *attempt;
                task.lease = Some(*lease);
                task.planned = *at;
                task.phase = Phase::Running {
                    key: key.clone(),
                    lease: *lease,
                    since: *at,
                };
            }
            WorkloadRecord::StepEnded { task, outcome, .. } => {
                let task = self.tasks.entry(*task).or_default();
                task.phase = match (&outcome.problem, task.lease) {
                    (None, Some(lease)) => Phase::Succeeded { lease },
                    _ => Phase::Failed,
                };
                if outcome.problem.is_some() && !outcome.ambiguous {
                    task.key_number += 1;
                }
                task.last = Some(outcome.clone());
            }
            WorkloadRecord::RetryPlanned { task, due, .. } => {
                self.tasks.entry(*task).or_default().phase = Phase::Retrying { due: *due };
            }
            WorkloadRecord::StepSkipped { task, .. } => {
                self.tasks.entry(*task).or_default().phase = Phase::Skipped;
            }
            _ => {}
        }
    }
}
