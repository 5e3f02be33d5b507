//! The machine of plan runs: order, bounds, failures, doubts.

use std::collections::BTreeMap;

use consort_engine::plan_run::{
    Answer, Effect, Event, PlanMachine, PlanRecord, RunState, StepOutcome,
};
use consort_journal::Machine;
use consort_model::blueprint::{Lifecycle, TargetKind};
use consort_model::id::RunId;
use consort_model::plan::{Action, ActionId, Estimate, FORMAT, Mode, Operation, Plan};
use consort_model::run::RunStatus;
use consort_model::state::Site;
use consort_model::time::Span;
use consort_model::{Address, Code, Kind, Partial, Problem, Timestamp};
use proptest::prelude::*;

fn action(name: &str, after: &[&str]) -> Action {
    let address = Address::new(Kind::Resource, name);
    let operation = Operation::Create { replaces: false };
    let id = |name: &str| {
        ActionId::new(
            &Operation::Create { replaces: false },
            &Address::new(Kind::Resource, name),
        )
    };
    Action {
        id: id(name),
        address,
        operation,
        driver: "sim".into(),
        type_name: "thing".into(),
        site: Site::local(),
        prior: None,
        template: None,
        each: None,
        desired: Partial::NULL,
        planned: Partial::NULL,
        differences: Vec::new(),
        after: after.iter().map(|name| id(name)).collect(),
        waits_for: Vec::new(),
        depends_on: Vec::new(),
        lifecycle: Lifecycle::default(),
        mandates: Vec::new(),
        service_change: None,
        time_limit: Span::from_secs(60),
    }
}

fn plan(actions: Vec<Action>) -> Plan {
    Plan {
        format: FORMAT,
        deployment: "test".into(),
        target: TargetKind::Process,
        mode: Mode::Apply,
        parent: None,
        bundle: None,
        inputs: BTreeMap::new(),
        only: Vec::new(),
        read: BTreeMap::new(),
        actions,
        verdicts: Default::default(),
        outputs: Default::default(),
        planned_outputs: Default::default(),
        drift: Default::default(),
        estimate: Estimate::default(),
        warnings: Vec::new(),
        questions: Vec::new(),
        created: Timestamp::default(),
    }
}

/// A diamond with a tail, and one that stands alone.
fn diamond() -> Plan {
    plan(vec![
        action("a", &[]),
        action("b", &["a"]),
        action("c", &["a"]),
        action("d", &["b", "c"]),
        action("alone", &[]),
    ])
}

struct Run {
    machine: PlanMachine,
    state: RunState,
    records: Vec<PlanRecord>,
    open: Vec<Effect>,
    performed: BTreeMap<String, u32>,
    now: i64,
}

impl Run {
    fn new(plan: &Plan, limit: usize) -> Self {
        let limits = BTreeMap::from([("sim".to_owned(), limit)]);
        let machine = PlanMachine::new(RunId::from_bytes([1; 16]), plan, limits, 16);
        let state = RunState::default();
        let mut run = Self {
            machine,
            state,
            records: Vec::new(),
            open: Vec::new(),
            performed: BTreeMap::new(),
            now: 0,
        };
        run.feed(Event::Recovered {
            at: Timestamp::default(),
        });
        run
    }

    fn at(&mut self) -> Timestamp {
        self.now += 1;
        Timestamp::from_millis(self.now)
    }

    fn feed(&mut self, event: Event) {
        let decision = self.machine.decide(&self.state, &event);
        for record in &decision.records {
            self.machine.apply(&mut self.state, record);
        }
        self.records.extend(decision.records);
        self.open.extend(decision.effects);
        let under_way = self
            .open
            .iter()
            .filter(|effect| matches!(effect, Effect::Perform { .. }))
            .count();
        assert!(under_way <= 16);
    }

    fn end(&mut self, effect: Effect, failing: &[&str]) {
        let at = self.at();
        match effect {
            Effect::Perform { step, .. } => {
                *self.performed.entry(step.0.clone()).or_default() += 1;
                let fails = failing
                    .iter()
                    .any(|name| step.0.ends_with(&format!(".{name}")));
                let problem = Problem::new(Code::NODE_FAILED, "it broke");
                let outcome = if fails {
                    StepOutcome::Failed { problem }
                } else {
                    StepOutcome::Succeeded
                };
                self.feed(Event::Outcome {
                    step,
                    outcome,
                    retryable: false,
                    entropy: 0,
                    at,
                });
            }
            Effect::Resolve { step } => {
                let answer = Ok(Answer::Repeat);
                self.feed(Event::Resolved {
                    step,
                    answer,
                    by: "look-up".into(),
                    at,
                });
            }
            Effect::Wait { step, .. } => self.feed(Event::Due { step, at }),
            Effect::Abandon => {}
        }
    }

    fn crash(&mut self) {
        let mut state = RunState::default();
        self.records
            .iter()
            .for_each(|record| self.machine.apply(&mut state, record));
        assert_eq!(state, self.state, "the fold of the records is the state");
        self.open.clear();
        let at = self.at();
        self.feed(Event::Recovered { at });
    }

    fn finish(&mut self, order: &[u8], crash_at: usize, failing: &[&str]) -> RunStatus {
        for step in 0..500 {
            if let Some(status) = self.state.ended {
                return status;
            }
            if step == crash_at {
                self.crash();
            }
            let pick = order.get(step % order.len().max(1)).copied().unwrap_or(0) as usize;
            let effect = self.open.remove(pick % self.open.len());
            self.end(effect, failing);
        }
        panic!("no end: {:?}", self.state);
    }
}

proptest! {
    #[test]
    fn every_order_and_crash_ends_complete_and_in_order(
        order in proptest::collection::vec(any::<u8>(), 1..12), crash_at in 0_usize..8, limit in 1_usize..4,
    ) {
        let mut run = Run::new(&diamond(), limit);
        prop_assert_eq!(run.finish(&order, crash_at, &[]), RunStatus::Completed);
        let ended = |name: &str| run.records.iter().position(|record| {
            matches!(record, PlanRecord::StepEnded { step, .. } if step.0.ends_with(name))
        });
        let begun = |name: &str| run.records.iter().position(|record| {
            matches!(record, PlanRecord::StepPlanned { step, .. } if step.0.ends_with(name))
        });
        for (before, after) in [(".a", ".b"), (".a", ".c"), (".b", ".d"), (".c", ".d")] {
            prop_assert!(ended(before) < begun(after));
        }
    }
}

#[test]
fn a_failure_stops_what_depends_on_it_and_nothing_else() {
    let mut run = Run::new(&diamond(), 4);
    assert_eq!(run.finish(&[0], 100, &["b"]), RunStatus::Faulted);
    let names: Vec<&str> = run
        .performed
        .keys()
        .map(|step| step.rsplit('.').next().unwrap_or_default())
        .collect();
    assert_eq!(names, ["a", "alone", "b", "c"]);
    assert_eq!(run.machine.unreached(&run.state).len(), 1);
}

#[test]
fn a_run_that_failed_goes_on_from_where_it_stopped() {
    let mut run = Run::new(&diamond(), 4);
    run.finish(&[0], 100, &["b"]);
    run.open.clear();
    let at = run.at();
    run.feed(Event::ResumeAsked {
        by: "uid:0".into(),
        at,
    });
    assert_eq!(run.finish(&[0], 100, &[]), RunStatus::Completed);
    assert_eq!(
        run.performed.values().sum::<u32>(),
        6,
        "a, alone, c once; b twice; d once: {:?}",
        run.performed
    );
}

#[test]
fn a_cancelled_run_finishes_what_is_under_way_and_no_more() {
    let mut run = Run::new(&diamond(), 4);
    let at = run.at();
    run.feed(Event::CancelAsked {
        by: "uid:0".into(),
        now: false,
        at,
    });
    assert_eq!(run.finish(&[0], 100, &[]), RunStatus::Cancelled);
    assert_eq!(
        run.performed.len(),
        2,
        "a and alone were under way: {:?}",
        run.performed
    );
}

#[test]
fn a_doubt_that_only_a_person_can_settle_waits_for_the_answer() {
    let mut run = Run::new(&plan(vec![action("a", &[]), action("b", &["a"])]), 4);
    run.crash();
    let Some(Effect::Resolve { step }) = run.open.pop() else {
        panic!("a doubt is looked up first")
    };
    let at = run.at();
    run.feed(Event::Resolved {
        step: step.clone(),
        answer: Err("look at the console".into()),
        by: "sim".into(),
        at,
    });
    assert!(run.open.is_empty() && run.state.ended.is_none());
    run.crash();
    assert!(run.open.is_empty(), "an open question is not asked again");
    let at = run.at();
    run.feed(Event::Resolved {
        step,
        answer: Ok(Answer::Happened),
        by: "uid:0".into(),
        at,
    });
    assert_eq!(run.finish(&[0], 100, &[]), RunStatus::Completed);
    assert_eq!(run.performed.len(), 1, "only b: {:?}", run.performed);
}

#[test]
fn a_failure_that_may_pass_is_tried_again_with_the_same_key() {
    let mut run = Run::new(&plan(vec![action("a", &[])]), 4);
    for attempt in 1..=4 {
        let Some(Effect::Perform {
            step,
            attempt: given,
            ..
        }) = run.open.pop()
        else {
            panic!("a try is due")
        };
        assert_eq!(given, attempt);
        let outcome = StepOutcome::Failed {
            problem: Problem::new(Code::NODE_FAILED, "busy"),
        };
        let at = run.at();
        run.feed(Event::Outcome {
            step: step.clone(),
            outcome,
            retryable: true,
            entropy: 500,
            at,
        });
        if let Some(Effect::Wait { step, due }) = run.open.pop() {
            assert!(due > at);
            run.feed(Event::Due { step, at: due });
        }
    }
    assert_eq!(run.state.ended, Some(RunStatus::Faulted));
    let keys: std::collections::BTreeSet<_> = run
        .records
        .iter()
        .filter_map(|record| {
            if let PlanRecord::StepPlanned { key, .. } = record {
                Some(key)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(keys.len(), 1);
}
