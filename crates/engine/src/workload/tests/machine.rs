//! The pure machine in a simulated world: any order of outcomes, a crash anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_journal::Machine;
use consort_model::id::RunId;
use consort_model::run::RunStatus;
use consort_model::{Code, Problem, Timestamp};
use proptest::prelude::*;

use super::support::{define, segments, workload};
use crate::workload::definition::Definition;
use crate::workload::machine::{Effect, Event, Input, WorkloadMachine};
use crate::workload::record::{Outcome, WorkloadRecord};
use crate::workload::state::{Phase, State};

/// How one try of a task goes.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// Hundredths of the planned time.
    pace: u64,
    fails: bool,
}

/// A program that was started in the world.
#[derive(Debug, Clone, Copy)]
struct Program {
    started: i64,
    ends: i64,
    fails: bool,
}

struct World {
    definition: Arc<Definition>,
    machine: WorkloadMachine,
    state: State,
    records: Vec<WorkloadRecord>,
    /// By key; a key is started once.
    programs: BTreeMap<String, Program>,
    /// Who waits for which key.
    watched: BTreeMap<String, (u32, u32)>,
    wakes: Vec<i64>,
    now: i64,
    fates: Vec<Fate>,
    starts: usize,
}

impl World {
    fn new(definition: Arc<Definition>, fates: Vec<Fate>) -> Self {
        let machine = WorkloadMachine::new(RunId::from_bytes([7; 16]), Arc::clone(&definition));
        Self {
            definition,
            machine,
            state: State::default(),
            records: Vec::new(),
            programs: BTreeMap::new(),
            watched: BTreeMap::new(),
            wakes: Vec::new(),
            now: 1_000,
            fates,
            starts: 0,
        }
    }

    fn feed(&mut self, input: Input) {
        let event = Event {
            at: Timestamp::from_millis(self.now),
            entropy: 0,
            input,
        };
        let decision = self.machine.decide(&self.state, &event);
        assert!(
            !decision.records.is_empty() || decision.effects.is_empty(),
            "an effect without a record"
        );
        for record in &decision.records {
            self.machine.apply(&mut self.state, record);
            self.check_start(record);
        }
        self.records.extend(decision.records);
        self.check_room();
        decision
            .effects
            .into_iter()
            .for_each(|effect| self.begin(effect));
    }

    fn begin(&mut self, effect: Effect) {
        match effect {
            Effect::Wake(at) => self.wakes.push(at.millis()),
            Effect::Stop { key } => {
                if let Some(program) = self.programs.get_mut(&key) {
                    program.ends = program.ends.min(self.now);
                    program.fails = true;
                }
            }
            Effect::Perform {
                task,
                attempt,
                key,
                node_type,
            } => {
                if !self.programs.contains_key(&key) {
                    let fate = self.fates[self.starts % self.fates.len()];
                    self.starts += 1;
                    let cpus = u64::from(self.definition.cpus_on(task, node_type));
                    let consort_scheduling::RunTime::Estimate(time) =
                        self.definition.spec.tasks[task as usize].run_time
                    else {
                        panic!("estimates only");
                    };
                    let length = time / 1000 * 1000 / cpus * fate.pace / 100;
                    let program = Program {
                        started: self.now,
                        ends: self.now + i64::try_from(length).unwrap(),
                        fails: fate.fails,
                    };
                    self.programs.insert(key.clone(), program);
                }
                self.watched.insert(key, (task, attempt));
            }
        }
    }

    /// A task begins only when all that it needs has ended well, and at most so often as allowed.
    fn check_start(&self, record: &WorkloadRecord) {
        if let WorkloadRecord::StepPlanned { task, attempt, .. } = record {
            let needs = &self.definition.needs()[*task as usize];
            for need in needs {
                assert!(matches!(self.state.phase(*need), Phase::Succeeded { .. }));
            }
            assert!(*attempt <= self.definition.tasks[*task as usize].retries + 1);
            assert!(self.state.cancelled.is_none());
        }
    }

    /// Neither the pool nor a lease is ever overcommitted.
    fn check_room(&self) {
        let types = &self.definition.spec.types;
        let mut pool = 0;
        for (number, lease) in self.state.leases.iter().enumerate() {
            let kind = &types[lease.node_type as usize];
            pool += if lease.end.is_none() {
                u64::from(kind.cpus_milli)
            } else {
                0
            };
            let used: u32 = self
                .state
                .tasks
                .iter()
                .filter(|(_, task)| matches!(task.phase, Phase::Running { lease, .. } if lease as usize == number))
                .map(|(task, _)| self.definition.cpus_on(*task, lease.node_type))
                .sum();
            assert!(used <= kind.cpus_milli && (used == 0 || lease.end.is_none()));
        }
        assert!(pool <= self.definition.spec.max_cpus_milli.unwrap());
    }

    /// Everything but the records and the world is lost.
    fn crash(&mut self) {
        let mut state = State::default();
        self.records
            .iter()
            .for_each(|record| self.machine.apply(&mut state, record));
        assert_eq!(state, self.state, "the fold of the records is the state");
        let text = serde_json::to_value(&state).unwrap();
        assert_eq!(serde_json::from_value::<State>(text).unwrap(), state);
        self.watched.clear();
        self.wakes.clear();
        for effect in self.machine.open_effects(&self.state) {
            self.begin(effect);
        }
        self.feed(Input::Tick);
    }

    /// The next thing that happens; `false` when nothing can.
    fn step(&mut self) -> bool {
        let end = self
            .watched
            .keys()
            .map(|key| (self.programs[key].ends, key.clone()))
            .min();
        let wake = self.wakes.iter().min().copied();
        match (end, wake) {
            (None, None) => false,
            (Some((at, key)), wake) if wake.is_none_or(|wake| at <= wake) => {
                self.now = self.now.max(at);
                let (task, attempt) = self.watched.remove(&key).unwrap();
                let program = self.programs[&key];
                let outcome = Outcome {
                    problem: program
                        .fails
                        .then(|| Problem::new(Code::NODE_FAILED, "exit code 1")),
                    ambiguous: false,
                    started: Timestamp::from_millis(program.started),
                    finished: Timestamp::from_millis(program.ends.max(program.started)),
                    cpu_time: None,
                    enforced: true,
                };
                self.feed(Input::Ended {
                    task,
                    attempt,
                    outcome,
                });
                true
            }
            (_, wake) => {
                self.now = self.now.max(wake.unwrap_or(self.now));
                self.wakes.retain(|at| *at > self.now);
                self.feed(Input::Tick);
                true
            }
        }
    }

    fn run(&mut self, crashes: &[usize], cancel: Option<(usize, bool)>) -> RunStatus {
        self.feed(Input::Tick);
        for number in 0..2_000 {
            if let Some(status) = self.state.ended {
                assert!(self.state.leases.iter().all(|lease| lease.end.is_some()));
                return status;
            }
            if crashes.contains(&number) {
                self.crash();
            }
            match cancel {
                Some((at, now)) if at == number => self.feed(Input::Cancel {
                    by: "someone".into(),
                    now,
                }),
                _ => assert!(self.step(), "nothing can happen any more: {:?}", self.state),
            }
        }
        panic!("the run does not end: {:?}", self.records.last());
    }
}

const WELL: Fate = Fate {
    pace: 100,
    fails: false,
};

#[test]
fn a_run_that_goes_as_planned_takes_and_costs_what_was_planned() {
    for deadline in ["25s", "40s", "70s"] {
        let definition = define(&workload(deadline, &segments(0))).unwrap();
        let mut world = World::new(Arc::clone(&definition), vec![WELL]);
        assert_eq!(world.run(&[], None), RunStatus::Completed);
        let time = (world.now - 1_000) * 1_000;
        assert_eq!(time, i64::try_from(definition.schedule.makespan).unwrap());
        let cost: u64 = world.state.leases.iter().map(|lease| lease.cost.0).sum();
        assert!(cost <= definition.schedule.cost);
        assert_eq!(world.state.replans, 0);
    }
}

#[test]
fn two_deadlines_give_two_mixes_of_node_types() {
    let tight = define(&workload("19s", &segments(0))).unwrap();
    let loose = define(&workload("90s", &segments(0))).unwrap();
    assert_ne!(tight.fleet(), loose.fleet());
    assert!(tight.schedule.cost > loose.schedule.cost);
}

#[test]
fn a_failed_task_is_tried_again_under_a_new_key_and_then_given_up() {
    let definition = define(&workload("40s", &segments(1))).unwrap();
    let fates = vec![
        WELL,
        Fate {
            fails: true,
            ..WELL
        },
        WELL,
        WELL,
    ];
    let mut world = World::new(Arc::clone(&definition), fates);
    assert_eq!(world.run(&[], None), RunStatus::Completed);
    assert!(world.state.replans > 0);
    let mut world = World::new(
        definition,
        vec![Fate {
            fails: true,
            ..WELL
        }],
    );
    assert_eq!(world.run(&[], None), RunStatus::Faulted);
    assert_eq!(world.programs.len(), 2, "fit twice, and nothing else");
    let problem = world.state.problem.unwrap();
    insta::assert_snapshot!(problem, @"workloads.nightly: task `fit` failed: exit code 1");
}

#[test]
fn what_does_not_need_a_failed_task_is_finished() {
    let tasks = vec![
        ("a", vec![], 2, 0),
        ("b", vec!["a".to_owned()], 2, 0),
        ("c", vec![], 9, 0),
    ];
    let definition = define(&workload("30s", &tasks)).unwrap();
    let fates = vec![
        Fate {
            fails: true,
            ..WELL
        },
        WELL,
    ];
    let mut world = World::new(definition, fates);
    assert_eq!(world.run(&[], None), RunStatus::Faulted);
    let ended = |task| world.state.phase(task).clone();
    let phases = [ended(0), ended(1), ended(2)];
    assert!(
        phases.contains(&Phase::Failed)
            && phases.iter().any(|p| matches!(p, Phase::Succeeded { .. }))
    );
}

#[test]
fn a_late_task_makes_a_new_plan_for_the_rest() {
    let definition = define(&workload("60s", &segments(0))).unwrap();
    let fates = vec![Fate { pace: 300, ..WELL }, WELL, WELL, WELL, WELL, WELL];
    let mut world = World::new(definition, fates);
    assert_eq!(world.run(&[], None), RunStatus::Completed);
    assert!((1..20).contains(&world.state.replans));
}

#[test]
fn a_cancelled_run_starts_nothing_more_and_gives_its_leases_back() {
    for now in [false, true] {
        let definition = define(&workload("40s", &segments(3))).unwrap();
        let mut world = World::new(definition, vec![WELL]);
        assert_eq!(world.run(&[], Some((1, now))), RunStatus::Cancelled);
        assert!(world.programs.len() < 6);
    }
}

fn graphs() -> impl Strategy<Value = Vec<(u64, u32, Vec<usize>)>> {
    let task = (1..20_u64, 0..3_u32, prop::collection::vec(0..8_usize, 0..3));
    prop::collection::vec(task, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_whatever_fails_is_late_or_crashes(
        graph in graphs(),
        fates in prop::collection::vec((10..400_u64, prop::bool::weighted(0.2)), 1..12),
        crashes in prop::collection::vec(0..30_usize, 0..4),
        cancel in prop::option::weighted(0.2, (0..15_usize, any::<bool>())),
    ) {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let tasks: Vec<_> = graph
            .iter()
            .enumerate()
            .map(|(index, (seconds, retries, needs))| {
                let needs = needs.iter().filter(|need| **need < index).map(|need| names[*need].to_owned());
                let needs: std::collections::BTreeSet<String> = needs.collect();
                (names[index], needs.into_iter().collect(), *seconds, *retries)
            })
            .collect();
        let definition = define(&workload("200s", &tasks)).unwrap();
        let fates: Vec<Fate> = fates.iter().map(|(pace, fails)| Fate { pace: *pace, fails: *fails }).collect();
        let no_failure = fates.iter().all(|fate| !fate.fails);
        let mut world = World::new(definition, fates);
        let status = world.run(&crashes, cancel);
        if no_failure && cancel.is_none() {
            prop_assert_eq!(status, RunStatus::Completed);
            prop_assert_eq!(world.programs.len(), tasks.len(), "each task once");
        }
    }
}
