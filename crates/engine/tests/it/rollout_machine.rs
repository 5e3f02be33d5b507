//! The roll-out machine in a simulated world: instances that get well, or never do, with every order
//! of answers and a crash anywhere.

use std::collections::BTreeMap;

use consort_engine::rollout::{
    Definition, Direction, Effect, Event, Input, RolloutMachine, RolloutRecord, Seen, SeenPhase,
    State, Version,
};
use consort_journal::Machine;
use consort_model::id::RunId;
use consort_model::run::RunStatus;
use consort_model::service::{FailureAction, Order, RollOutPolicy};
use consort_model::time::Span;
use consort_model::{Address, Digest, Kind, Problem, Timestamp, Value};
use proptest::prelude::*;

const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new";
const BAD: &[u8] = b"bad";

fn policy(order: Order, parallelism: u32, failure_action: FailureAction) -> RollOutPolicy {
    RollOutPolicy {
        parallelism,
        delay: Span::from_millis(5),
        failure_action,
        monitor: Span::from_millis(10),
        max_failure_ratio: 0.0,
        order,
        healthy_deadline: Span::from_secs(1),
        drain: Span::from_secs(1),
    }
}

fn version(name: &[u8], replicas: u32) -> Version {
    Version {
        digest: Digest::of(name),
        spec: Value::Null,
        attributes: Value::Null,
        program: None,
        replicas,
        has_health_check: true,
    }
}

fn definition(
    from: Option<Version>,
    to: Option<Version>,
    order: Order,
    parallelism: u32,
) -> Definition {
    Definition {
        deployment: "test".into(),
        service: Address::new(Kind::Service, "api"),
        from,
        to,
        policy: policy(order, parallelism, FailureAction::Rollback),
        rollback: policy(order, parallelism, FailureAction::Pause),
        restart: false,
    }
}

/// What the world does with effects. Starting twice under one key gives one instance.
struct World {
    machine: RolloutMachine,
    now: Timestamp,
    instances: BTreeMap<String, Seen>,
    keys: BTreeMap<String, String>,
    route: BTreeMap<String, bool>,
    generation: u64,
    pending: Vec<Effect>,
    records: Vec<RolloutRecord>,
    state: State,
    least_serving: usize,
    transcript: Vec<String>,
}

impl World {
    fn new(definition: Definition) -> Self {
        let replicas = definition
            .from
            .as_ref()
            .map_or(0, |version| version.replicas);
        let instance = |slot: u32| {
            let version = Digest::of(OLD);
            (
                format!("old-{slot}"),
                Seen {
                    slot,
                    version,
                    phase: SeenPhase::Ready,
                    before: true,
                    ended: None,
                },
            )
        };
        let instances: BTreeMap<_, _> = (1..=replicas).map(instance).collect();
        let route: BTreeMap<_, _> = instances.keys().map(|id| (id.clone(), false)).collect();
        Self {
            machine: RolloutMachine::new(RunId::from_bytes([7; 16]), definition),
            now: Timestamp::from_millis(1_000),
            least_serving: route.len(),
            instances,
            keys: BTreeMap::new(),
            route,
            generation: 4,
            pending: Vec::new(),
            records: Vec::new(),
            state: State::default(),
            transcript: Vec::new(),
        }
    }

    fn feed(&mut self, input: Input) {
        let event = Event {
            at: self.now,
            input,
        };
        let decision = self.machine.decide(&self.state, &event);
        for record in &decision.records {
            self.machine.apply(&mut self.state, record);
            self.transcript.push(format!("{record:?}"));
        }
        self.records.extend(decision.records);
        self.pending.extend(
            decision
                .effects
                .into_iter()
                .filter(|effect| !matches!(effect, Effect::Wake(_))),
        );
    }

    fn crash(&mut self) {
        let mut state = State::default();
        self.records
            .iter()
            .for_each(|record| self.machine.apply(&mut state, record));
        assert_eq!(state, self.state, "the fold of the records is the state");
        self.pending = self.machine.open_effects(&self.state);
    }

    fn perform(&mut self, effect: Effect) -> Input {
        match effect {
            Effect::Start {
                slot,
                key,
                direction,
            } => {
                let digest = self
                    .machine
                    .goal(direction)
                    .map(|goal| goal.digest)
                    .unwrap();
                let id = self
                    .keys
                    .entry(key.clone())
                    .or_insert_with(|| format!("new-{slot}-{}", &key[..6]))
                    .clone();
                let seen = Seen {
                    slot,
                    version: digest,
                    phase: SeenPhase::Starting,
                    before: false,
                    ended: None,
                };
                self.instances.entry(id.clone()).or_insert(seen);
                Input::Started {
                    slot,
                    result: Ok(id),
                }
            }
            Effect::Route {
                generation,
                targets,
            } => {
                assert!(generation >= self.generation, "the route never goes back");
                self.generation = generation;
                for (id, draining) in &targets {
                    let ready = self
                        .instances
                        .get(id)
                        .is_some_and(|seen| seen.phase == SeenPhase::Ready);
                    let of_new = self.instances.get(id).is_some_and(|seen| !seen.before);
                    assert!(
                        *draining || ready || !of_new,
                        "{id} gets traffic and is not ready"
                    );
                }
                self.route = targets;
                self.note_serving();
                Input::Routed(generation)
            }
            Effect::Drain { id } => Input::Drained { id, left: 0 },
            Effect::Stop { id } => {
                assert_ne!(
                    self.route.get(&id),
                    Some(&false),
                    "{id} is stopped while it gets traffic"
                );
                self.instances.remove(&id);
                self.route.remove(&id);
                Input::Stopped(id)
            }
            Effect::Wake(_) => Input::Tick,
        }
    }

    fn note_serving(&mut self) {
        let serving = self
            .route
            .iter()
            .filter(|(id, draining)| !**draining && self.instances.contains_key(*id))
            .count();
        self.least_serving = self.least_serving.min(serving);
    }

    /// Instances get on by a step; bad ones never get well.
    fn live(&mut self) {
        for seen in self.instances.values_mut() {
            seen.phase = match seen.phase {
                SeenPhase::Starting => SeenPhase::Running,
                SeenPhase::Running if seen.version == Digest::of(BAD) => SeenPhase::Failed,
                SeenPhase::Running => SeenPhase::Ready,
                other => other,
            };
        }
        self.feed(Input::Observed(self.instances.clone()));
    }

    /// Runs to the end; `choices` picks what happens next, `crash_at` is the step of a crash.
    fn run(&mut self, choices: &[u8], crash_at: usize) -> RunStatus {
        self.feed(Input::Begin {
            instances: self.instances.clone(),
            generation: self.generation,
        });
        for step in 0..2_000 {
            if let Some(status) = self.state.ended {
                return status;
            }
            if step == crash_at {
                self.crash();
            }
            let choice = choices
                .get(step % choices.len().max(1))
                .copied()
                .unwrap_or(0);
            self.now = Timestamp::from_millis(self.now.millis() + 3);
            if !self.pending.is_empty() && choice % 3 != 0 {
                let effect = self.pending.remove(choice as usize % self.pending.len());
                let input = self.perform(effect);
                self.feed(input);
            } else if choice % 2 == 0 {
                self.live();
            } else {
                self.feed(Input::Tick);
            }
        }
        panic!("no end: {:#?}\n{}", self.state, self.transcript.join("\n"));
    }

    fn versions(&self) -> Vec<(u32, Digest)> {
        let mut found: Vec<_> = self
            .instances
            .values()
            .map(|seen| (seen.slot, seen.version))
            .collect();
        found.sort();
        found
    }
}

fn wanted(name: &[u8], replicas: u32) -> Vec<(u32, Digest)> {
    (1..=replicas)
        .map(|slot| (slot, Digest::of(name)))
        .collect()
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 8..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_new_version_replaces_the_old_one(
        before in 0_u32..4, after in 1_u32..5, width in 0_u32..3, stop_first: bool,
        choices in choices(), crash_at in 0_usize..60,
    ) {
        prop_assume!(choices.iter().any(|c| c % 3 == 0 && c % 2 == 0) && choices.iter().any(|c| c % 3 != 0));
        let order = if stop_first { Order::StopFirst } else { Order::StartFirst };
        let from = (before > 0).then(|| version(OLD, before));
        let mut world = World::new(definition(from, Some(version(NEW, after)), order, width));
        prop_assert_eq!(world.run(&choices, crash_at), RunStatus::Completed);
        prop_assert_eq!(world.versions(), wanted(NEW, after));
        prop_assert!(world.route.values().all(|draining| !draining) && world.route.len() == after as usize);
        if !stop_first {
            let least = before.min(after) as usize;
            prop_assert!(world.least_serving >= least.min(before as usize), "served by {} of {}", world.least_serving, before);
        }
    }

    #[test]
    fn a_version_that_never_gets_well_goes_back_and_nobody_sees_it(
        replicas in 1_u32..4, width in 0_u32..3, choices in choices(), crash_at in 0_usize..60,
    ) {
        prop_assume!(choices.iter().any(|c| c % 3 == 0 && c % 2 == 0) && choices.iter().any(|c| c % 3 != 0));
        let definition = definition(Some(version(OLD, replicas)), Some(version(BAD, replicas)), Order::StartFirst, width);
        let mut world = World::new(definition);
        prop_assert_eq!(world.run(&choices, crash_at), RunStatus::Faulted);
        prop_assert_eq!(world.state.direction, Direction::Back);
        prop_assert_eq!(world.versions(), wanted(OLD, replicas));
        prop_assert_eq!(world.least_serving, replicas as usize);
    }

    #[test]
    fn a_service_that_goes_is_drained_and_stopped(replicas in 1_u32..4, choices in choices(), crash_at in 0_usize..30) {
        prop_assume!(choices.iter().any(|c| c % 3 != 0));
        let mut world = World::new(definition(Some(version(OLD, replicas)), None, Order::StartFirst, 1));
        prop_assert_eq!(world.run(&choices, crash_at), RunStatus::Completed);
        prop_assert!(world.instances.is_empty() && world.route.is_empty());
    }
}

#[test]
fn a_first_version_that_fails_ends_with_its_reason() {
    let mut world = World::new(definition(
        None,
        Some(version(BAD, 2)),
        Order::StartFirst,
        1,
    ));
    assert_eq!(world.run(&[0, 1, 2, 4, 5], 10_000), RunStatus::Faulted);
    assert!(
        world
            .state
            .failed
            .values()
            .all(|problem: &Problem| problem.message.contains("instance"))
    );
}

#[test]
fn a_restart_replaces_instances_of_the_same_version() {
    let mut restart = definition(
        Some(version(OLD, 2)),
        Some(version(OLD, 2)),
        Order::StartFirst,
        1,
    );
    restart.restart = true;
    let mut world = World::new(restart);
    assert_eq!(world.run(&[0, 1, 2, 4, 5, 6], 9), RunStatus::Completed);
    assert_eq!(world.versions(), wanted(OLD, 2));
    assert!(world.instances.keys().all(|id| id.starts_with("new-")));
}

#[test]
fn instances_that_have_died_are_started_again() {
    let mut world = World::new(definition(
        Some(version(OLD, 3)),
        Some(version(OLD, 3)),
        Order::StartFirst,
        1,
    ));
    world.instances.get_mut("old-2").unwrap().phase = SeenPhase::Failed;
    world.instances.remove("old-3");
    world.route.remove("old-3");
    assert_eq!(world.run(&[0, 1, 2, 4, 5, 6], 7), RunStatus::Completed);
    assert_eq!(world.versions(), wanted(OLD, 3));
    assert!(world.instances.contains_key("old-1") && !world.instances.contains_key("old-2"));
}
