//! What people see of a run.

use consort_workflow::view;
use serde_json::json;

use crate::world::World;
use crate::yaml;

fn lines(world: &World) -> Vec<String> {
    let steps = view::steps(world.records.iter().map(|(at, record)| (*at, record)));
    let line = |step: view::Step| {
        format!(
            "{} {} {}{}",
            step.act,
            step.status.word(),
            step.attempt,
            step.detail
                .map_or_else(String::new, |detail| format!(": {detail}"))
        )
    };
    steps.into_iter().map(line).collect()
}

#[test]
fn the_timeline_tells_what_ran_what_waits_and_what_failed() {
    let mut world = World::new(yaml::read(
        "
do:
  - skipped: {if: 'false', set: {}}
  - careful:
      try: [{ask: {call: http, with: {method: get, endpoint: 'http://crm/x'}}}]
      catch: {retry: {delay: PT1S, limit: {attempt: {count: 1}}}, do: [{handled: {set: {}}}]}
  - race:
      fork:
        compete: true
        branches: [{slow: {wait: {hours: 1}}}, {quick: {wait: {seconds: 1}}}]
  - listen: {listen: {to: {one: {with: {type: paid}}}}}
",
    ));
    world
        .services
        .insert("http://crm/x".into(), vec![json!({"status": 500})]);
    world.start(json!(null));
    while world.state.subscriptions().count() == 0 {
        assert!(world.advance());
    }
    assert_eq!(
        lines(&world),
        [
            "/do/0/skipped skipped 1",
            "/do/1/careful succeeded 2",
            "/do/1/careful@1/try/0/ask failed 1: GET http://crm/x was answered with status 500 (500)",
            "/do/1/careful@2/try/0/ask failed 2: GET http://crm/x was answered with status 500 (500)",
            "/do/1/careful@2/catch/do/0/handled succeeded 1",
            "/do/2/race succeeded 1",
            "/do/2/race/fork/branches/0/slow cancelled 1: until 2023-11-14T23:13:21.000Z",
            "/do/2/race/fork/branches/1/quick succeeded 1",
            "/do/3/listen waiting 1: for an event `paid`",
        ]
    );
}
