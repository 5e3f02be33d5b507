//! What comes from outside at odd times: suspend, resume, cancel, late and repeated answers.

use std::sync::Arc;

use consort_model::run::RunStatus;
use consort_workflow::{HttpAnswer, Input, Record, WorkflowMachine};
use serde_json::json;

use crate::world::{World, answered, person};
use crate::yaml;

const SLOW: &str = "
do:
  - pause: {wait: {seconds: 10}, timeout: {after: {seconds: 12}}}
  - done: {set: {done: true}}
";

#[test]
fn a_suspended_run_does_nothing_until_it_is_resumed() {
    let mut world = World::new(yaml::read(SLOW));
    world.start(json!(null));
    world.tell(Input::Suspend { by: person() });
    assert_eq!(world.state.status(), RunStatus::Suspended);
    let (timer, due) = world.state.timers().min_by_key(|(_, due)| *due).unwrap();
    world.now = due;
    world.tell(Input::TimerFired { timer });
    world.tell(Input::TimerFired { timer });
    let held = world
        .records
        .iter()
        .filter(|(_, record)| matches!(record, Record::Held { .. }))
        .count();
    assert_eq!((held, world.state.ended()), (1, None));
    world.restart();
    world.tell(Input::Resume { by: person() });
    assert_eq!(
        world.state.ended().unwrap().output,
        Some(json!({"done": true}))
    );
}

#[test]
fn a_time_limit_stands_still_while_the_run_is_suspended() {
    let mut world = World::new(yaml::read(
        "
do:
  - wait: {listen: {to: {one: {with: {type: a}}}}, timeout: {after: {seconds: 10}}}
",
    ));
    world.start(json!(null));
    let before = world.state.timers().next().unwrap().1;
    world.now = consort_model::Timestamp::from_millis(world.now.millis() + 4_000);
    world.tell(Input::Suspend { by: person() });
    world.now = consort_model::Timestamp::from_millis(world.now.millis() + 60_000);
    world.tell(Input::Resume { by: person() });
    let after = world.state.timers().next().unwrap().1;
    assert_eq!(after.since(before).millis(), 60_000);
}

#[test]
fn a_cancelled_run_ends_at_once_and_waits_for_nothing() {
    let mut world = World::new(yaml::read(SLOW));
    world.start(json!(null));
    world.tell(Input::Cancel {
        by: person(),
        reason: Some("enough".into()),
    });
    let ended = world.state.ended().unwrap();
    assert_eq!((ended.status, ended.reply().0), (RunStatus::Cancelled, 503));
    assert_eq!(world.state.timers().count(), 0);
    let records = world.records.len();
    world.tell(Input::Resume { by: person() });
    assert_eq!(
        world.records.len(),
        records,
        "after the end nothing happens"
    );
}

#[test]
fn late_unknown_and_repeated_answers_change_nothing() {
    let mut world = World::new(yaml::read(
        "
do:
  - ask: {call: http, with: {method: get, endpoint: 'http://x/'}}
  - pause: {wait: {seconds: 1}}
",
    ));
    world.start(json!(null));
    let answer = answered(200, "application/json", "{\"a\":1}");
    let told = |act: &str, attempt| Input::Http {
        act: act.into(),
        attempt,
        answer: answer.clone(),
    };
    world.tell(told("/do/0/other", 1));
    world.tell(told("/do/0/ask", 2));
    let before = world.records.len();
    world.tell(told("/do/0/ask", 1));
    let after = world.records.len();
    assert!(after > before);
    world.tell(told("/do/0/ask", 1));
    world.tell(Input::Continue);
    assert_eq!(world.records.len(), after);
    world.settle();
    assert_eq!(world.state.ended().unwrap().output, Some(json!({"a": 1})));
}

#[test]
fn nothing_happens_before_the_start_and_a_run_starts_once() {
    let mut world = World::new(yaml::read(SLOW));
    world.tell(Input::Cancel {
        by: person(),
        reason: None,
    });
    assert!(world.records.is_empty());
    world.start(json!(1));
    let records = world.records.len();
    world.start(json!(2));
    assert_eq!(world.records.len(), records);
}

#[test]
fn a_run_without_end_is_ended_in_small_batches() {
    let mut world = World::new(yaml::read(
        "do: [{first: {set: {}}}, {again: {do: [], then: first}}]",
    ));
    world.machine =
        WorkflowMachine::new(Arc::new(world.machine.definition().clone())).with_task_limit(2_000);
    let ended = world.execute(json!(null)).unwrap();
    assert_eq!(ended.status, RunStatus::Faulted);
    assert!(
        ended
            .error
            .unwrap()
            .detail
            .unwrap()
            .contains("does not end")
    );
    assert!(world.batches > 7, "{} batches", world.batches);
}

#[test]
fn who_wants_to_be_told_of_doubt_is_told() {
    let mut world = World::new(yaml::read(
        "
do:
  - pay: {call: http, with: {method: post, endpoint: 'http://x/'}, metadata: {onAmbiguous: fault}}
",
    ));
    world.start(json!(null));
    world.restart();
    let fault = world.state.ended().unwrap().error.clone().unwrap();
    assert!(
        fault
            .detail
            .unwrap()
            .contains("not known whether it happened")
    );
}

#[test]
fn the_reply_of_an_exposed_run_is_its_output_or_its_problem() {
    let mut world = World::new(yaml::read(
        "do: [{ask: {call: http, with: {method: get, endpoint: 'http://x/'}}}]",
    ));
    world.start(json!(null));
    let answer = HttpAnswer::Failed {
        message: "no route".into(),
        ambiguous: false,
        status: 503,
    };
    world.tell(Input::Http {
        act: "/do/0/ask".into(),
        attempt: 1,
        answer,
    });
    let (status, body) = world.state.ended().unwrap().reply();
    assert_eq!((status, &body["detail"]), (503, &json!("no route")));
}
