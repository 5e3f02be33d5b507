//! Where a roll-out is: the fold of its records.

use std::collections::{BTreeMap, BTreeSet};

use consort_model::run::RunStatus;
use consort_model::{Problem, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::{Direction, RolloutRecord, Seen, SeenPhase};

/// One instance that the roll-out knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// As it was last seen.
    pub seen: Seen,
    /// When it must be up; set for those that this roll-out started.
    pub deadline: Option<Timestamp>,
    /// Until when it is watched before it gets traffic.
    pub hold: Option<Timestamp>,
}

/// Where the roll-out is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// What was there is known.
    pub begun: bool,
    /// Which way it goes.
    pub direction: Direction,
    /// By the runtime's own name.
    pub instances: BTreeMap<String, Known>,
    /// Numbers of which an instance is being started, with the time at which it must be up.
    pub starting: BTreeMap<u32, (String, Timestamp)>,
    /// How many starts were planned: part of the next key.
    pub starts: u32,
    /// The generation of the route.
    pub generation: u64,
    /// Instance and whether it is draining.
    pub route: BTreeMap<String, bool>,
    /// The route is being set.
    pub route_pending: bool,
    /// Being waited for.
    pub draining: BTreeSet<String>,
    /// No connection goes there.
    pub drained: BTreeSet<String>,
    /// Being stopped.
    pub stopping: BTreeSet<String>,
    /// Numbers that run their version and nothing else.
    pub done: BTreeSet<u32>,
    /// Numbers that could not be brought to their version.
    pub failed: BTreeMap<u32, Problem>,
    /// The next batch begins not before then.
    pub next_batch: Timestamp,
    /// Why it went back.
    pub problem: Option<Problem>,
    /// A person asked to stop.
    pub cancelled: bool,
    /// How it ended.
    pub ended: Option<RunStatus>,
}

impl State {
    /// Folds a record in.
    pub fn apply(&mut self, record: &RolloutRecord) {
        match record {
            RolloutRecord::RunCreated { .. } => {}
            RolloutRecord::Begun {
                instances,
                generation,
            } => {
                self.begun = true;
                self.generation = *generation;
                for (id, seen) in instances {
                    let known = Known {
                        seen: seen.clone(),
                        deadline: None,
                        hold: None,
                    };
                    self.instances.insert(id.clone(), known);
                }
            }
            RolloutRecord::StartPlanned {
                slot,
                key,
                deadline,
                ..
            } => {
                self.starts += 1;
                self.starting.insert(*slot, (key.clone(), *deadline));
            }
            RolloutRecord::StartEnded {
                slot,
                result,
                version,
            } => self.started(*slot, result, *version),
            RolloutRecord::InstanceSeen { id, seen } => {
                let known = Known {
                    seen: seen.clone(),
                    deadline: None,
                    hold: None,
                };
                self.instances.entry(id.clone()).or_insert(known).seen = seen.clone();
                if seen.phase == SeenPhase::Gone {
                    self.forget_traffic(id);
                }
            }
            RolloutRecord::HoldBegun { id, until } => {
                if let Some(known) = self.instances.get_mut(id) {
                    known.hold = Some(*until);
                }
            }
            RolloutRecord::RoutePlanned {
                generation,
                targets,
            } => {
                self.generation = *generation;
                self.route.clone_from(targets);
                self.route_pending = true;
                let leaves = |id: &String| targets.get(id) == Some(&true);
                self.drained.retain(&leaves);
                self.draining.retain(leaves);
            }
            RolloutRecord::RouteEnded { generation } => {
                if *generation == self.generation {
                    self.route_pending = false;
                }
            }
            RolloutRecord::DrainPlanned { id } => {
                self.draining.insert(id.clone());
            }
            RolloutRecord::Drained { id, .. } => {
                self.draining.remove(id);
                self.drained.insert(id.clone());
            }
            RolloutRecord::StopPlanned { id } => {
                self.stopping.insert(id.clone());
            }
            RolloutRecord::StopEnded { id } => {
                self.stopping.remove(id);
                self.instances.remove(id);
                self.forget_traffic(id);
            }
            RolloutRecord::SlotFailed { slot, problem } => {
                self.failed.insert(*slot, problem.clone());
            }
            RolloutRecord::SlotDone { slot, next } => {
                self.done.insert(*slot);
                self.next_batch = *next;
            }
            RolloutRecord::RollbackBegun { problem } => {
                self.direction = Direction::Back;
                self.problem = Some(problem.clone());
                self.failed.clear();
                self.done.clear();
                self.next_batch = Timestamp::default();
            }
            RolloutRecord::CancelAsked { .. } => self.cancelled = true,
            RolloutRecord::RunEnded { status } => self.ended = Some(*status),
        }
    }

    fn started(
        &mut self,
        slot: u32,
        result: &Result<String, Problem>,
        version: consort_model::Digest,
    ) {
        let deadline = self.starting.remove(&slot).map(|(_, deadline)| deadline);
        match result {
            Ok(id) => {
                let seen = Seen {
                    slot,
                    version,
                    phase: SeenPhase::Starting,
                    before: false,
                    ended: None,
                };
                let known = self.instances.entry(id.clone()).or_insert(Known {
                    seen,
                    deadline: None,
                    hold: None,
                });
                known.deadline = deadline;
                known.seen.before = false;
            }
            Err(problem) => {
                self.failed.insert(slot, problem.clone());
            }
        }
    }

    fn forget_traffic(&mut self, id: &str) {
        self.draining.remove(id);
        self.drained.remove(id);
    }
}
