//! The roll-out of one service, as a pure machine. It compares what is there with what shall be and
//! answers what to do next; each answer is an intent or an outcome in the journal, so that a roll-out
//! goes on after a crash exactly where it was.

use std::collections::{BTreeMap, BTreeSet};

use consort_journal::{Decision, Machine};
use consort_model::id::RunId;
use consort_model::run::RunStatus;
use consort_model::service::{FailureAction, Order, RollOutPolicy};
use consort_model::{Code, Digest, Problem, Timestamp};

use super::record::{Definition, Direction, RolloutRecord, Seen, SeenPhase, Version};
use super::state::{Known, State};
use crate::plan_run::step_key;

/// What comes from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// It begins, with what is there and the generation of the route as the runtime has it.
    Begin {
        /// By the runtime's own name.
        instances: BTreeMap<String, Seen>,
        /// Of the route.
        generation: u64,
    },
    /// A start has ended.
    Started {
        /// Which number.
        slot: u32,
        /// The instance, or why not.
        result: Result<String, Problem>,
    },
    /// What is there now (complete).
    Observed(BTreeMap<String, Seen>),
    /// The route is set.
    Routed(u64),
    /// An instance is drained, or the drain time is over.
    Drained {
        /// Which.
        id: String,
        /// Connections that are left.
        left: u64,
    },
    /// An instance is stopped and gone.
    Stopped(String),
    /// Time has passed.
    Tick,
    /// A person asks to stop.
    Cancel {
        /// Who.
        by: String,
    },
}

/// An input with its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Now.
    pub at: Timestamp,
    /// What.
    pub input: Input,
}

/// What is to be done in the world. All of it may be repeated safely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start an instance; the same key starts nothing twice.
    Start {
        /// Which number.
        slot: u32,
        /// Names the effect.
        key: String,
        /// Of which version.
        direction: Direction,
    },
    /// Set the route.
    Route {
        /// Rises.
        generation: u64,
        /// Instance and whether it is draining.
        targets: BTreeMap<String, bool>,
    },
    /// Wait until no connection goes there.
    Drain {
        /// Which.
        id: String,
    },
    /// Stop and remove it.
    Stop {
        /// Which.
        id: String,
    },
    /// Say [`Input::Tick`] then.
    Wake(Timestamp),
}

/// The machine of one roll-out.
#[derive(Debug, Clone)]
pub struct RolloutMachine {
    run: RunId,
    definition: Definition,
}

type Out = Decision<RolloutRecord, Effect>;

impl RolloutMachine {
    /// The machine of this run.
    pub const fn new(run: RunId, definition: Definition) -> Self {
        Self { run, definition }
    }
    /// What it is of.
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }
    /// The version that it goes to.
    pub const fn goal(&self, direction: Direction) -> Option<&Version> {
        match direction {
            Direction::Forward => self.definition.to.as_ref(),
            Direction::Back => self.definition.from.as_ref(),
        }
    }
    /// How it goes there.
    pub const fn policy(&self, direction: Direction) -> &RollOutPolicy {
        match direction {
            Direction::Forward => &self.definition.policy,
            Direction::Back => &self.definition.rollback,
        }
    }

    const fn look<'a>(&'a self, state: &'a State, at: Timestamp) -> Look<'a> {
        Look {
            machine: self,
            state,
            at,
        }
    }

    /// Everything that follows from where it is: each step looks at what the one before decided.
    fn advance(&self, state: &mut State, at: Timestamp, out: &mut Out) {
        if !state.begun || state.ended.is_some() {
            return;
        }
        let mut record = |state: &mut State, records: Vec<RolloutRecord>| {
            records.iter().for_each(|record| state.apply(record));
            out.records.extend(records);
        };
        record(state, self.look(state, at).failures());
        record(state, self.look(state, at).turn_back());
        record(state, self.look(state, at).starts());
        record(state, self.look(state, at).holds());
        record(state, self.look(state, at).route());
        record(state, self.look(state, at).leavers());
        record(state, self.look(state, at).done());
        // A number that is done may make room for the next.
        record(state, self.look(state, at).starts());
        record(state, self.look(state, at).route());
        let ended = self.look(state, at).end();
        if let Some(status) = ended {
            record(state, vec![RolloutRecord::RunEnded { status }]);
        }
        if state.ended.is_none() {
            out.effects.extend(self.look(state, at).wakes());
        }
    }

    /// The effect that an intent asks for.
    fn effect(&self, record: &RolloutRecord) -> Option<Effect> {
        match record {
            RolloutRecord::StartPlanned {
                slot,
                key,
                direction,
                ..
            } => Some(Effect::Start {
                slot: *slot,
                key: key.clone(),
                direction: *direction,
            }),
            RolloutRecord::RoutePlanned {
                generation,
                targets,
            } => Some(Effect::Route {
                generation: *generation,
                targets: targets.clone(),
            }),
            RolloutRecord::DrainPlanned { id } => Some(Effect::Drain { id: id.clone() }),
            RolloutRecord::StopPlanned { id } => Some(Effect::Stop { id: id.clone() }),
            RolloutRecord::RunCreated { .. }
            | RolloutRecord::Begun { .. }
            | RolloutRecord::StartEnded { .. }
            | RolloutRecord::InstanceSeen { .. }
            | RolloutRecord::HoldBegun { .. }
            | RolloutRecord::RouteEnded { .. }
            | RolloutRecord::Drained { .. }
            | RolloutRecord::StopEnded { .. }
            | RolloutRecord::SlotFailed { .. }
            | RolloutRecord::SlotDone { .. }
            | RolloutRecord::RollbackBegun { .. }
            | RolloutRecord::CancelAsked { .. }
            | RolloutRecord::RunEnded { .. } => None,
        }
    }

    fn outcomes(&self, state: &State, input: &Input) -> Vec<RolloutRecord> {
        match input {
            Input::Begin {
                instances,
                generation,
            } if !state.begun => {
                vec![RolloutRecord::Begun {
                    instances: instances.clone(),
                    generation: *generation,
                }]
            }
            Input::Begin { .. } | Input::Tick => Vec::new(),
            Input::Started { slot, result } if state.starting.contains_key(slot) => {
                let version = self
                    .goal(state.direction)
                    .map_or(Digest::from_bytes([0; 32]), |goal| goal.digest);
                vec![RolloutRecord::StartEnded {
                    slot: *slot,
                    result: result.clone(),
                    version,
                }]
            }
            Input::Observed(now) if state.begun => observed(state, now),
            Input::Routed(generation) if state.route_pending && *generation == state.generation => {
                vec![RolloutRecord::RouteEnded {
                    generation: *generation,
                }]
            }
            Input::Drained { id, left } if state.draining.contains(id) => {
                vec![RolloutRecord::Drained {
                    id: id.clone(),
                    left: *left,
                }]
            }
            Input::Stopped(id) if state.stopping.contains(id) => {
                vec![RolloutRecord::StopEnded { id: id.clone() }]
            }
            Input::Cancel { by } if !state.cancelled => {
                vec![RolloutRecord::CancelAsked { by: by.clone() }]
            }
            // Told twice, or too late to matter.
            Input::Started { .. }
            | Input::Observed(_)
            | Input::Routed(_)
            | Input::Drained { .. }
            | Input::Stopped(_)
            | Input::Cancel { .. } => Vec::new(),
        }
    }
}

/// What changed against what was known.
fn observed(state: &State, now: &BTreeMap<String, Seen>) -> Vec<RolloutRecord> {
    let changed = now.iter().filter_map(|(id, seen)| {
        let before = state
            .instances
            .get(id)
            .is_some_and(|known| known.seen.before);
        let seen = Seen {
            before,
            ..seen.clone()
        };
        let news = state
            .instances
            .get(id)
            .is_none_or(|known| known.seen != seen);
        // One that is being started is known once its start has ended.
        let known = state.instances.contains_key(id) || !state.starting.contains_key(&seen.slot);
        (news && known && !state.stopping.contains(id)).then(|| RolloutRecord::InstanceSeen {
            id: id.clone(),
            seen,
        })
    });
    let gone = state.instances.iter().filter_map(|(id, known)| {
        let news = !now.contains_key(id)
            && known.seen.phase != SeenPhase::Gone
            && !state.stopping.contains(id);
        let seen = Seen {
            phase: SeenPhase::Gone,
            ..known.seen.clone()
        };
        news.then(|| RolloutRecord::InstanceSeen {
            id: id.clone(),
            seen,
        })
    });
    changed.chain(gone).collect()
}

impl Machine for RolloutMachine {
    type State = State;
    type Event = Event;
    type Record = RolloutRecord;
    type Effect = Effect;

    fn decide(&self, state: &State, event: &Event) -> Out {
        let mut out = Out::default();
        if state.ended.is_some() {
            return out;
        }
        let mut next = state.clone();
        out.records = self.outcomes(state, &event.input);
        out.records.iter().for_each(|record| next.apply(record));
        self.advance(&mut next, event.at, &mut out);
        let effects: Vec<Effect> = out
            .records
            .iter()
            .filter_map(|record| self.effect(record))
            .collect();
        out.effects.splice(0..0, effects);
        out
    }

    fn apply(&self, state: &mut State, record: &RolloutRecord) {
        state.apply(record);
    }

    fn open_effects(&self, state: &State) -> Vec<Effect> {
        let direction = state.direction;
        let starts = state.starting.iter().map(|(slot, (key, _))| Effect::Start {
            slot: *slot,
            key: key.clone(),
            direction,
        });
        let route = state.route_pending.then(|| Effect::Route {
            generation: state.generation,
            targets: state.route.clone(),
        });
        let drains = state
            .draining
            .iter()
            .map(|id| Effect::Drain { id: id.clone() });
        let stops = state
            .stopping
            .iter()
            .map(|id| Effect::Stop { id: id.clone() });
        starts.chain(route).chain(drains).chain(stops).collect()
    }
}

/// A look at a state at a time: what it means, and what follows.
struct Look<'a> {
    machine: &'a RolloutMachine,
    state: &'a State,
    at: Timestamp,
}

impl Look<'_> {
    fn goal(&self) -> Option<&Version> {
        self.machine.goal(self.state.direction)
    }

    fn policy(&self) -> &RollOutPolicy {
        self.machine.policy(self.state.direction)
    }

    fn replicas(&self) -> u32 {
        self.goal().map_or(0, |goal| goal.replicas)
    }

    /// Is this one of those that shall be there in the end?
    fn is_wanted(&self, known: &Known) -> bool {
        let seen = &known.seen;
        let renewed = self.machine.definition.restart && self.state.direction == Direction::Forward;
        let fits = self
            .goal()
            .is_some_and(|goal| seen.version == goal.digest && seen.slot <= goal.replicas);
        // One that has ended for good is replaced like one of another version.
        let dead = seen.before && seen.phase == SeenPhase::Failed;
        fits && !(renewed && seen.before) && !dead
    }

    fn is_up(&self, known: &Known) -> bool {
        match known.seen.phase {
            SeenPhase::Ready | SeenPhase::Completed => true,
            SeenPhase::Running => self.goal().is_some_and(|goal| !goal.has_health_check),
            SeenPhase::Starting | SeenPhase::Failed | SeenPhase::Gone => false,
        }
    }

    /// Up, and watched for long enough. One that was there before is not watched again.
    fn is_settled(&self, known: &Known) -> bool {
        let held = known.deadline.is_none() || known.hold.is_some_and(|until| until <= self.at);
        self.is_up(known) && held
    }

    /// May it be alive and is it not about to go?
    fn is_there(&self, id: &str, known: &Known) -> bool {
        known.seen.phase != SeenPhase::Gone && !self.state.stopping.contains(id)
    }

    /// The wanted instance of a number.
    fn wanted_in(&self, slot: u32) -> Option<(&String, &Known)> {
        let mut wanted = self.state.instances.iter().filter(|(id, known)| {
            known.seen.slot == slot && self.is_wanted(known) && self.is_there(id, known)
        });
        wanted.next()
    }

    fn others_in(&self, slot: u32) -> bool {
        self.state.instances.values().any(|known| {
            known.seen.slot == slot && !self.is_wanted(known) && known.seen.phase != SeenPhase::Gone
        })
    }

    fn is_halted(&self) -> bool {
        let failed = !self.state.failed.is_empty()
            && self.policy().failure_action != FailureAction::Continue;
        self.state.cancelled || failed
    }

    fn width(&self) -> usize {
        let first =
            self.machine.definition.from.is_none() && self.state.direction == Direction::Forward;
        match self.policy().parallelism {
            _ if first => usize::MAX,
            0 => usize::MAX,
            width => width as usize,
        }
    }

    /// The numbers that are being replaced now: those that were begun, and as many more as the
    /// policy allows.
    fn window(&self) -> BTreeSet<u32> {
        let open =
            |slot: &u32| !self.state.done.contains(slot) && !self.state.failed.contains_key(slot);
        let begun =
            |slot: &u32| self.state.starting.contains_key(slot) || self.wanted_in(*slot).is_some();
        let mut window: BTreeSet<u32> = (1..=self.replicas())
            .filter(|slot| open(slot) && begun(slot))
            .collect();
        if !self.is_halted() && self.state.next_batch <= self.at {
            let more = (1..=self.replicas()).filter(|slot| open(slot) && !begun(slot));
            window.extend(more.take(self.width().saturating_sub(window.len())));
        }
        window
    }

    /// Wanted instances that did not come up in time, ended, or are gone.
    fn failures(&self) -> Vec<RolloutRecord> {
        let fresh = self.state.instances.iter().filter(|(_, known)| {
            self.is_wanted(known)
                && known.deadline.is_some()
                && !self.state.failed.contains_key(&known.seen.slot)
        });
        fresh
            .filter_map(|(id, known)| self.failure(id, known))
            .collect()
    }

    fn failure(&self, id: &str, known: &Known) -> Option<RolloutRecord> {
        let late = known.deadline.is_some_and(|deadline| deadline <= self.at)
            && !self.is_up(known)
            && known.hold.is_none();
        let why = match known.seen.phase {
            SeenPhase::Failed => known
                .seen
                .ended
                .clone()
                .unwrap_or_else(|| "it ended again and again".into()),
            SeenPhase::Gone => "it is gone".to_owned(),
            SeenPhase::Starting | SeenPhase::Running if late => {
                "it did not become healthy in time".to_owned()
            }
            SeenPhase::Starting | SeenPhase::Running | SeenPhase::Ready | SeenPhase::Completed => {
                return None;
            }
        };
        let slot = known.seen.slot;
        let address = self.machine.definition.service.clone().instance(slot);
        let problem =
            Problem::new(Code::SERVICE_FAILED, format!("instance {id}: {why}")).at(address);
        Some(RolloutRecord::SlotFailed { slot, problem })
    }

    /// Too many failures: go back, if there is something to go back to.
    fn turn_back(&self) -> Vec<RolloutRecord> {
        let Some(problem) = self.state.failed.values().next() else {
            return Vec::new();
        };
        let share = self.state.failed.len() as f64 / f64::from(self.replicas().max(1));
        let may = self.policy().failure_action == FailureAction::Rollback
            && self.machine.definition.from.is_some();
        let forward = self.state.direction == Direction::Forward && !self.state.cancelled;
        // What is being started is known first: nothing may be left behind.
        let quiet = self.state.starting.is_empty();
        if share > self.policy().max_failure_ratio && may && forward && quiet {
            vec![RolloutRecord::RollbackBegun {
                problem: problem.clone(),
            }]
        } else {
            Vec::new()
        }
    }

    fn starts(&self) -> Vec<RolloutRecord> {
        if self.is_halted() {
            return Vec::new();
        }
        let wait_for_old = self.policy().order == Order::StopFirst;
        let startable = self.window().into_iter().filter(|slot| {
            let begun = self.state.starting.contains_key(slot) || self.wanted_in(*slot).is_some();
            !(begun || wait_for_old && self.others_in(*slot))
        });
        let deadline = self.at.plus(self.policy().healthy_deadline);
        let direction = self.state.direction;
        startable
            .enumerate()
            .map(|(index, slot)| {
                let number = self.state.starts as usize + index + 1;
                let key = step_key(self.machine.run, &format!("start {slot} try {number}"));
                RolloutRecord::StartPlanned {
                    slot,
                    key,
                    direction,
                    deadline,
                }
            })
            .collect()
    }

    fn holds(&self) -> Vec<RolloutRecord> {
        let fresh = self.state.instances.iter().filter(|(_, known)| {
            self.is_wanted(known)
                && self.is_up(known)
                && known.deadline.is_some()
                && known.hold.is_none()
        });
        let until = self.at.plus(self.policy().monitor);
        fresh
            .map(|(id, _)| RolloutRecord::HoldBegun {
                id: id.clone(),
                until,
            })
            .collect()
    }

    /// The route that fits what is there. With start-first, new instances get traffic in the same
    /// change in which old ones lose it.
    fn route(&self) -> Vec<RolloutRecord> {
        if self.state.route_pending {
            return Vec::new();
        }
        let window = self.window();
        let mut targets = BTreeMap::new();
        for (id, known) in &self.state.instances {
            let over = matches!(
                known.seen.phase,
                SeenPhase::Gone | SeenPhase::Completed | SeenPhase::Failed
            );
            if over || self.state.stopping.contains(id) {
                continue;
            }
            if self.is_wanted(known) {
                let served = self.state.route.get(id) == Some(&false);
                if self.is_settled(known) || served {
                    targets.insert(id.clone(), false);
                }
            } else if self.state.route.contains_key(id) || known.seen.before {
                targets.insert(id.clone(), self.may_leave(known.seen.slot, &window));
            }
        }
        if targets == self.state.route {
            return Vec::new();
        }
        vec![RolloutRecord::RoutePlanned {
            generation: self.state.generation + 1,
            targets,
        }]
    }

    /// May the instance of this number that is not wanted lose its traffic?
    fn may_leave(&self, slot: u32, window: &BTreeSet<u32>) -> bool {
        if self.goal().is_none() {
            return true;
        }
        let settled = |slot: u32| {
            self.wanted_in(slot)
                .is_some_and(|(_, known)| self.is_settled(known))
        };
        if slot > self.replicas() {
            return !self.is_halted() && (1..=self.replicas()).all(settled);
        }
        match self.policy().order {
            Order::StopFirst => window.contains(&slot) && !self.is_halted() || settled(slot),
            Order::StartFirst => settled(slot) && !self.state.failed.contains_key(&slot),
        }
    }

    /// Instances that are not wanted: drained when they had traffic, then stopped.
    fn leavers(&self) -> Vec<RolloutRecord> {
        if self.state.route_pending {
            return Vec::new();
        }
        let leaving = self.state.instances.iter().filter(|(id, known)| {
            !self.is_wanted(known)
                && !self.state.stopping.contains(*id)
                && known.seen.phase != SeenPhase::Gone
        });
        leaving
            .filter_map(|(id, known)| {
                let id = id.clone();
                let dead = matches!(known.seen.phase, SeenPhase::Failed | SeenPhase::Completed);
                match self.state.route.get(&id) {
                    Some(false) => None,
                    Some(true) if self.state.drained.contains(&id) || dead => {
                        Some(RolloutRecord::StopPlanned { id })
                    }
                    Some(true) if self.state.draining.contains(&id) => None,
                    Some(true) => Some(RolloutRecord::DrainPlanned { id }),
                    None => Some(RolloutRecord::StopPlanned { id }),
                }
            })
            .collect()
    }

    fn done(&self) -> Vec<RolloutRecord> {
        let next = self.at.plus(self.policy().delay);
        let done = (1..=self.replicas()).filter(|slot| {
            let settled = self.wanted_in(*slot).is_some_and(|(id, known)| {
                let served = self.state.route.get(id) == Some(&false)
                    || known.seen.phase == SeenPhase::Completed;
                self.is_settled(known) && served
            });
            settled
                && !self.state.route_pending
                && !self.others_in(*slot)
                && !self.state.done.contains(slot)
        });
        done.map(|slot| RolloutRecord::SlotDone { slot, next })
            .collect()
    }

    fn end(&self) -> Option<RunStatus> {
        let state = self.state;
        let busy = state.route_pending || !state.starting.is_empty() || !state.stopping.is_empty();
        if busy {
            return None;
        }
        let complete = (1..=self.replicas())
            .all(|slot| state.done.contains(&slot) || state.failed.contains_key(&slot));
        let leaving = state.instances.iter().any(|(id, known)| {
            let there = !self.is_wanted(known) && known.seen.phase != SeenPhase::Gone;
            let left_alone = state.failed.contains_key(&known.seen.slot) && self.is_halted();
            there && !left_alone && !state.stopping.contains(id)
        });
        if self.is_halted() {
            // What was begun is brought to its end; the rest stays as it is.
            let begun = self.window().iter().any(|slot| {
                self.wanted_in(*slot)
                    .is_some_and(|(_, known)| !self.is_up(known))
            });
            let going = !state.draining.is_empty();
            return (!going && (!begun || state.cancelled)).then_some(if state.cancelled {
                RunStatus::Cancelled
            } else {
                RunStatus::Faulted
            });
        }
        if !complete || leaving {
            return None;
        }
        let clean = state.problem.is_none() && state.failed.is_empty();
        Some(if clean {
            RunStatus::Completed
        } else {
            RunStatus::Faulted
        })
    }

    /// The times at which something follows without anything happening.
    fn wakes(&self) -> Vec<Effect> {
        let fresh = self
            .state
            .instances
            .values()
            .filter(|known| self.is_wanted(known) && known.deadline.is_some());
        let times = fresh.filter_map(|known| match known.hold {
            Some(until) => Some(until),
            None => known.deadline,
        });
        let batch = (self.state.next_batch > self.at).then_some(self.state.next_batch);
        times
            .chain(batch)
            .filter(|time| *time > self.at)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(Effect::Wake)
            .collect()
    }
}
