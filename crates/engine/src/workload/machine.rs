//! The pure machine of a run of a workload or job: starts tasks in the order of the plan on leased
//! slots, tries failed ones again, plans anew when a task is late or has failed.
//!
//! Why nothing waits for ever: leases begin in the order of their first open task in the plan, and
//! tasks of a lease in the order of the plan. When nothing runs, every lease that is held has an
//! open task later in the plan than the next one, so the plan itself had them side by side, and the
//! next task's lease fits beside them.

use std::collections::{BTreeMap, BTreeSet};

use consort_journal::{Decision, Machine};
use consort_model::id::RunId;
use consort_model::run::RunStatus;
use consort_model::time::Span;
use consort_model::units::MicroUsd;
use consort_model::{Code, Problem, Timestamp};
use consort_scheduling::{Begun, Limits, LiveLease, Progress, Schedule, replan};

use super::definition::Definition;
use super::record::{Outcome, WorkloadRecord};
use super::state::{Phase, State};
use crate::plan_run::step_key;

/// The wait before the second try; doubled for each later one.
const FIRST_DELAY: Span = Span::from_secs(1);
/// The search when planning anew, in tasks placed.
const REPLAN_WORK: u64 = 20_000;
/// A run is planned anew at most so often: a plan that is always wrong does not get better.
const MOST_REPLANS: u32 = 40;
/// A task is not late before it has taken so much longer than planned.
const LEAST_LATENESS: Span = Span::from_secs(1);

/// What came from outside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// The run begins, goes on after a restart, or a moment has come.
    Tick,
    /// A try of a task ended.
    Ended {
        /// Which task.
        task: u32,
        /// Which try.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// Somebody wants it to stop.
    Cancel {
        /// Who.
        by: String,
        /// Give up what is under way.
        now: bool,
    },
}

/// What came from outside, and when.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// Now.
    pub(crate) at: Timestamp,
    /// A number from 0 to 999, for the jitter of retries.
    pub(crate) entropy: u16,
    /// What.
    pub(crate) input: Input,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Look the try up by its key, start it if it was never started, and wait for its end.
    Perform {
        /// Which task.
        task: u32,
        /// Which try.
        attempt: u32,
        /// Its key.
        key: String,
        /// The index of the node type.
        node_type: u32,
    },
    /// End a running try.
    Stop {
        /// Its key.
        key: String,
    },
    /// Look again then.
    Wake(Timestamp),
}

/// Decides what a run does next.
#[derive(Debug, Clone)]
pub(crate) struct WorkloadMachine {
    run: RunId,
    definition: std::sync::Arc<Definition>,
    needs: Vec<Vec<u32>>,
}

impl WorkloadMachine {
    /// The machine of this run.
    pub(crate) fn new(run: RunId, definition: std::sync::Arc<Definition>) -> Self {
        let needs = definition.needs();
        Self {
            run,
            definition,
            needs,
        }
    }

    /// What it carries out.
    pub(crate) const fn definition(&self) -> &std::sync::Arc<Definition> {
        &self.definition
    }

    fn count(&self) -> u32 {
        u32::try_from(self.definition.tasks.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn schedule<'s>(&'s self, state: &'s State) -> &'s Schedule {
        state.schedule.as_ref().unwrap_or(&self.definition.schedule)
    }
}

impl Machine for WorkloadMachine {
    type State = State;
    type Event = Event;
    type Record = WorkloadRecord;
    type Effect = Effect;

    fn decide(&self, state: &State, event: &Event) -> Decision<WorkloadRecord, Effect> {
        let mut turn = Turn {
            machine: self,
            state: state.clone(),
            at: event.at,
            records: Vec::new(),
            effects: Vec::new(),
        };
        if state.ended.is_none() {
            turn.take(event);
        }
        Decision {
            records: turn.records,
            effects: turn.effects,
        }
    }

    fn apply(&self, state: &mut State, record: &WorkloadRecord) {
        state.apply(record);
    }

    fn open_effects(&self, state: &State) -> Vec<Effect> {
        if state.ended.is_some() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        for (task, known) in &state.tasks {
            match &known.phase {
                Phase::Running { key, lease, .. } => {
                    let node_type = state
                        .leases
                        .get(*lease as usize)
                        .map_or(0, |lease| lease.node_type);
                    effects.push(Effect::Perform {
                        task: *task,
                        attempt: known.attempts,
                        key: key.clone(),
                        node_type,
                    });
                    if state.cancelled == Some(true) {
                        effects.push(Effect::Stop { key: key.clone() });
                    }
                }
                Phase::Retrying { due } => effects.push(Effect::Wake(*due)),
                Phase::Waiting | Phase::Succeeded { .. } | Phase::Failed | Phase::Skipped => {}
            }
        }
        effects.extend(
            next_lateness(self, state)
                .into_iter()
                .map(|(at, _)| Effect::Wake(at)),
        );
        effects
    }
}

/// When the first running task counts as late, and which it is.
fn next_lateness(machine: &WorkloadMachine, state: &State) -> Option<(Timestamp, u32)> {
    let begun = state.begun?;
    let has_rest = (0..machine.count()).any(|task| *state.phase(task) == Phase::Waiting);
    let has_failed = state
        .tasks
        .values()
        .any(|task| matches!(task.phase, Phase::Failed | Phase::Skipped));
    let replans = state.replans < MOST_REPLANS && machine.definition.pooled;
    if !replans || !has_rest || has_failed || state.cancelled.is_some() {
        return None;
    }
    let schedule = machine.schedule(state);
    let late = |(task, known): (&u32, &super::state::TaskState)| {
        let Phase::Running { since, .. } = known.phase else {
            return None;
        };
        let planned = schedule.placements.get(*task as usize)?;
        let length = planned.end.saturating_sub(planned.start);
        // A task that began late is not late again for that reason alone.
        let end = begun
            .plus(Span::from_micros(planned.end))
            .max(since.plus(Span::from_micros(length)));
        let grace = Span::from_micros((length / 5).max(LEAST_LATENESS.micros()));
        let grace = Span::from_micros(grace.micros().saturating_mul(1 << state.replans.min(12)));
        Some((end.plus(grace), *task))
    };
    state.tasks.iter().filter_map(late).min()
}

/// One decision: a copy of the state to which each record is applied as it is made.
struct Turn<'m> {
    machine: &'m WorkloadMachine,
    state: State,
    at: Timestamp,
    records: Vec<WorkloadRecord>,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    fn push(&mut self, record: WorkloadRecord) {
        self.state.apply(&record);
        self.records.push(record);
    }

    fn name(&self, task: u32) -> String {
        self.machine.definition.name(task).to_owned()
    }

    fn take(&mut self, event: &Event) {
        if self.state.begun.is_none() {
            self.push(WorkloadRecord::RunBegun { at: self.at });
        }
        match &event.input {
            Input::Tick => {}
            Input::Ended {
                task,
                attempt,
                outcome,
            } => self.ended(*task, *attempt, outcome, event.entropy),
            Input::Cancel { by, now } => self.cancel(by, *now),
        }
        if self.state.cancelled.is_none() {
            self.skip();
            self.retry_due();
            self.late();
            // What is given back now makes room for what starts now.
            self.give_back();
            self.start();
            let lateness = next_lateness(self.machine, &self.state);
            if let Some((due, _)) = lateness.filter(|_| !self.records.is_empty()) {
                self.effects.push(Effect::Wake(due));
            }
        } else {
            self.give_back();
        }
        self.finish();
    }

    fn ended(&mut self, task: u32, attempt: u32, outcome: &Outcome, entropy: u16) {
        let known = self.state.tasks.get(&task);
        let is_open = known.is_some_and(|known| {
            known.attempts == attempt && matches!(known.phase, Phase::Running { .. })
        });
        if !is_open {
            return;
        }
        let step = self.name(task);
        self.push(WorkloadRecord::StepEnded {
            task,
            step: step.clone(),
            outcome: outcome.clone(),
        });
        let retries = self
            .machine
            .definition
            .tasks
            .get(task as usize)
            .map_or(0, |task| task.retries);
        if outcome.problem.is_some() && attempt <= retries && self.state.cancelled.is_none() {
            let due = self.at.plus(delay(attempt, entropy));
            self.push(WorkloadRecord::RetryPlanned { task, step, due });
            self.effects.push(Effect::Wake(due));
        }
    }

    fn cancel(&mut self, by: &str, now: bool) {
        if self.state.cancelled.is_some_and(|before| before || !now) {
            return;
        }
        self.push(WorkloadRecord::CancelAsked {
            by: by.to_owned(),
            now,
        });
        if now {
            let stops = self
                .state
                .tasks
                .values()
                .filter_map(|task| match &task.phase {
                    Phase::Running { key, .. } => Some(Effect::Stop { key: key.clone() }),
                    _ => None,
                });
            self.effects.extend(stops);
        }
    }

    /// What needs a task that failed for good is not run.
    fn skip(&mut self) {
        let lost =
            |state: &State, task: u32| matches!(state.phase(task), Phase::Failed | Phase::Skipped);
        if !(0..self.machine.count()).any(|task| lost(&self.state, task)) {
            return;
        }
        let mut order: Vec<(u64, u32)> = self.placed();
        order.sort_unstable();
        for (_, task) in order {
            let needs = &self.machine.needs[task as usize];
            let cannot = needs.iter().any(|need| lost(&self.state, *need));
            if cannot && *self.state.phase(task) == Phase::Waiting {
                let step = self.name(task);
                self.push(WorkloadRecord::StepSkipped { task, step });
            }
        }
    }

    /// (planned start, task) of every task.
    fn placed(&self) -> Vec<(u64, u32)> {
        let placements = &self.machine.schedule(&self.state).placements;
        placements
            .iter()
            .take(self.machine.definition.tasks.len())
            .map(|placement| (placement.start, placement.task))
            .collect()
    }

    /// Tasks whose time to be tried again has come wait again, with a place in a new plan.
    fn retry_due(&mut self) {
        let due: Vec<u32> = self
            .state
            .tasks
            .iter()
            .filter(|(_, task)| matches!(task.phase, Phase::Retrying { due } if due <= self.at))
            .map(|(task, _)| *task)
            .collect();
        if due.is_empty() {
            return;
        }
        let names: Vec<String> = due.iter().map(|task| self.name(*task)).collect();
        let reason = format!("{} failed and is tried again", names.join(", "));
        self.replan(reason);
    }

    fn late(&mut self) {
        while let Some((due, task)) = next_lateness(self.machine, &self.state) {
            if due > self.at {
                return;
            }
            let reason = format!("{} takes longer than planned", self.name(task));
            if !self.replan(reason) {
                return;
            }
        }
    }

    /// Plans the rest anew. `false` if there is no new plan: the old one goes on.
    fn replan(&mut self, reason: String) -> bool {
        let definition = &self.machine.definition;
        let failed = self
            .state
            .tasks
            .values()
            .any(|task| matches!(task.phase, Phase::Failed | Phase::Skipped));
        if !definition.pooled || failed || self.state.replans >= MOST_REPLANS {
            return false;
        }
        let answer = replan(&definition.spec, self.progress(), &Limits::of(REPLAN_WORK));
        let Ok(answer) = answer else {
            return false;
        };
        self.push(WorkloadRecord::Replanned {
            reason,
            at: self.at,
            schedule: answer.schedule,
            missed: answer.missed,
        });
        true
    }

    fn progress(&self) -> Progress {
        let begun = self.state.begun.unwrap_or(self.at);
        let time = |at: Timestamp| at.since(begun).micros();
        let now = time(self.at);
        let leases: Vec<LiveLease> = self
            .state
            .leases
            .iter()
            .map(|lease| LiveLease {
                kind: lease.node_type,
                start: time(lease.start).min(now),
                end: lease.end.map(|end| time(end).min(now)),
            })
            .collect();
        let mut tasks = BTreeMap::new();
        for (task, known) in &self.state.tasks {
            let (lease, ended) = match &known.phase {
                Phase::Running { lease, .. } => (*lease, false),
                Phase::Succeeded { lease } => (*lease, true),
                _ => continue,
            };
            let start = time(known.planned).min(now);
            let end = known.last.as_ref().filter(|_| ended).map(|outcome| {
                let held = leases.get(lease as usize).and_then(|lease| lease.end);
                time(outcome.finished).clamp(start, held.unwrap_or(now).max(start))
            });
            tasks.insert(*task, Begun { lease, start, end });
        }
        Progress { now, leases, tasks }
    }

    /// Starts what can start, in the order of the plan.
    fn start(&mut self) {
        let schedule = self.machine.schedule(&self.state).clone();
        let mut order: Vec<_> = schedule
            .placements
            .iter()
            .filter(|placement| placement.task < self.machine.count())
            .collect();
        order.sort_unstable_by_key(|placement| (placement.start, placement.task));
        // Of these leases an earlier task is still to come.
        let mut held_up: BTreeSet<u32> = BTreeSet::new();
        let mut lease_waits = false;
        for placement in order {
            let (task, planned) = (placement.task, placement.instance);
            let is_open = match self.state.phase(task) {
                Phase::Waiting => true,
                Phase::Retrying { due } => *due <= self.at,
                _ => false,
            };
            if !is_open || held_up.contains(&planned) {
                continue;
            }
            let is_new = !self.state.lease_of.contains_key(&planned);
            let started = !(is_new && lease_waits)
                && self.is_ready(task)
                && self
                    .lease_for(task, planned, &schedule)
                    .is_some_and(|lease| {
                        self.begin(task, lease);
                        true
                    });
            if !started {
                held_up.insert(planned);
                lease_waits |= is_new;
            }
        }
    }

    fn is_ready(&self, task: u32) -> bool {
        self.machine.needs[task as usize]
            .iter()
            .all(|need| matches!(self.state.phase(*need), Phase::Succeeded { .. }))
    }

    /// The lease that stands for a lease of the plan, with room for the task; begins it if need be.
    fn lease_for(&mut self, task: u32, planned: u32, schedule: &Schedule) -> Option<u32> {
        if let Some(lease) = self.state.lease_of.get(&planned).copied() {
            let held = self.state.leases.get(lease as usize)?;
            if held.end.is_none() {
                return self.has_room(task, lease, held.node_type).then_some(lease);
            }
        }
        let node_type = schedule.instances.get(planned as usize)?.kind;
        if !self.pool_has_room(node_type) {
            return None;
        }
        let lease = u32::try_from(self.state.leases.len()).ok()?;
        self.push(WorkloadRecord::LeaseBegun {
            lease,
            planned,
            node_type,
            at: self.at,
        });
        Some(lease)
    }

    fn has_room(&self, task: u32, lease: u32, node_type: u32) -> bool {
        let definition = &self.machine.definition;
        let memory = |task: u32| definition.spec.tasks[task as usize].memory_bytes;
        let running = self.state.tasks.iter().filter(
            |(_, known)| matches!(known.phase, Phase::Running { lease: on, .. } if on == lease),
        );
        let (mut cpus, mut bytes) = (u64::from(definition.cpus_on(task, node_type)), memory(task));
        for (other, _) in running {
            cpus += u64::from(definition.cpus_on(*other, node_type));
            bytes = bytes.saturating_add(memory(*other));
        }
        let kind = &definition.spec.types[node_type as usize];
        cpus <= u64::from(kind.cpus_milli) && bytes <= kind.memory_bytes
    }

    fn pool_has_room(&self, node_type: u32) -> bool {
        let spec = &self.machine.definition.spec;
        let Some(kind) = spec.types.get(node_type as usize) else {
            return false;
        };
        let held = || self.state.leases.iter().filter(|lease| lease.end.is_none());
        let same = held().filter(|lease| lease.node_type == node_type).count();
        let cpus: u64 = held()
            .filter_map(|lease| spec.types.get(lease.node_type as usize))
            .map(|kind| u64::from(kind.cpus_milli))
            .sum();
        kind.capacity.is_none_or(|most| same < most as usize)
            && spec
                .max_cpus_milli
                .is_none_or(|most| cpus + u64::from(kind.cpus_milli) <= most)
    }

    fn begin(&mut self, task: u32, lease: u32) {
        let known = self.state.tasks.get(&task).cloned().unwrap_or_default();
        let step = self.name(task);
        let path = match known.key_number {
            0 => step.clone(),
            number => format!("{step}-{}", number + 1),
        };
        let key = step_key(self.machine.run, &path);
        let attempt = known.attempts + 1;
        let node_type = self
            .state
            .leases
            .get(lease as usize)
            .map_or(0, |lease| lease.node_type);
        self.push(WorkloadRecord::StepPlanned {
            task,
            step,
            attempt,
            key: key.clone(),
            lease,
            at: self.at,
        });
        self.effects.push(Effect::Perform {
            task,
            attempt,
            key,
            node_type,
        });
    }

    /// Gives leases back that no task needs any more.
    fn give_back(&mut self) {
        let stopped = self.state.cancelled.is_some();
        let mut needed: BTreeSet<u32> = BTreeSet::new();
        for task in self.state.tasks.values() {
            if let Phase::Running { lease, .. } = task.phase {
                needed.insert(lease);
            }
        }
        let schedule = self.machine.schedule(&self.state);
        for placement in schedule.placements.iter().filter(|_| !stopped) {
            let is_open = matches!(
                self.state.phase(placement.task),
                Phase::Waiting | Phase::Retrying { .. }
            );
            if is_open && let Some(lease) = self.state.lease_of.get(&placement.instance) {
                needed.insert(*lease);
            }
        }
        for number in 0..self.state.leases.len() {
            let lease = &self.state.leases[number];
            let Ok(number) = u32::try_from(number) else {
                return;
            };
            if lease.end.is_some() || needed.contains(&number) {
                continue;
            }
            let at = self.at.max(lease.start);
            let spec = &self.machine.definition.spec;
            let price = spec
                .types
                .get(lease.node_type as usize)
                .map_or(0, |kind| kind.price_micro_usd_per_hour);
            let cost = if price == 0 {
                0
            } else {
                spec.billing.cost(at.since(lease.start).micros(), price)
            };
            self.push(WorkloadRecord::LeaseEnded {
                lease: number,
                at,
                cost: MicroUsd(cost),
            });
        }
    }

    fn finish(&mut self) {
        let phases = || (0..self.machine.count()).map(|task| (task, self.state.phase(task)));
        if phases().any(|(_, phase)| matches!(phase, Phase::Running { .. })) {
            return;
        }
        let open = phases().any(|(_, p)| matches!(p, Phase::Waiting | Phase::Retrying { .. }));
        if open && self.state.cancelled.is_none() {
            return;
        }
        let failed: Vec<u32> = phases()
            .filter(|(_, phase)| **phase == Phase::Failed)
            .map(|(task, _)| task)
            .collect();
        let (status, problem) = if self.state.cancelled.is_some() && (open || !failed.is_empty()) {
            let message = "stopped before all tasks had ended";
            (
                RunStatus::Cancelled,
                Some(Problem::new(Code::RUN_CANCELLED, message)),
            )
        } else if failed.is_empty() {
            (RunStatus::Completed, None)
        } else {
            (RunStatus::Faulted, Some(self.failure(&failed)))
        };
        self.push(WorkloadRecord::RunEnded { status, problem });
    }

    fn failure(&self, failed: &[u32]) -> Problem {
        let names: Vec<&str> = failed
            .iter()
            .map(|task| self.machine.definition.name(*task))
            .collect();
        let message = match names.as_slice() {
            [one] => format!("task `{one}` failed"),
            _ => format!("{} tasks failed: {}", names.len(), names.join(", ")),
        };
        let mut problem =
            Problem::new(Code::RUN_FAILED, message).at(&self.machine.definition.address);
        let outcomes = failed.iter().filter_map(|task| self.state.tasks.get(task));
        problem.causes = outcomes
            .filter_map(|task| task.last.as_ref()?.problem.as_ref())
            .take(10)
            .map(|cause| cause.message.clone())
            .collect();
        problem
    }
}

fn delay(attempt: u32, entropy: u16) -> Span {
    let base = FIRST_DELAY.millis() << attempt.saturating_sub(1).min(6);
    Span::from_millis(base + base * u64::from(entropy.min(999)) / 1000)
}
