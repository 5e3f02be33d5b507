//! `--only`, `--replace`, destroying.

use consort_model::plan::Mode;
use serde_json::{Value, json};

use crate::world::{World, actions, address, verdicts, wish};

fn thing(properties: Value) -> Value {
    json!({"type": "thing", "properties": properties})
}

fn three() -> Value {
    json!({"resources": {
        "a": thing(json!({"name": "a"})),
        "b": thing(json!({"use": "${ .resources.a.id }"})),
        "c": thing(json!({"name": "c"})),
    }})
}

#[test]
fn only_takes_what_it_needs_along() {
    let mut world = World::default();
    let plan = world.up(&wish(three()).only("resources.b"));
    assert_eq!(actions(&plan), ["create resources.a", "create resources.b"]);
    assert_eq!(
        verdicts(&plan)[2],
        "resources.c: skipped (it was left out by --only)"
    );
    world.up(&wish(three()));
}

#[test]
fn only_of_a_removed_node_takes_its_users_along() {
    let mut world = World::default();
    world.up(&wish(three()));
    let plan = world.plan(&wish(json!({})).only("resources.a"));
    assert_eq!(actions(&plan), ["delete resources.b", "delete resources.a"]);
    assert!(!plan.read.contains_key(&address("resources.c")));
}

#[test]
fn replace_replaces_what_has_not_changed() {
    let mut world = World::default();
    world.up(&wish(three()));
    let plan = world.up(&wish(three()).replace("resources.a"));
    assert_eq!(
        verdicts(&plan)[0],
        "resources.a: replace (--replace asks for it)"
    );
    assert_eq!(
        actions(&plan),
        [
            "delete resources.a",
            "create resources.a",
            "update resources.b"
        ]
    );
}

#[test]
fn an_option_that_names_nothing_is_refused_with_the_nearest_name() {
    let world = World::default();
    for wish in [
        wish(three()).only("resources.aa"),
        wish(three()).replace("resources.aa"),
    ] {
        let problems = world.try_plan(&wish).unwrap_err();
        assert_eq!(problems[0].code.as_str(), "node/unknown");
        assert_eq!(
            problems[0].remedy.as_deref(),
            Some("Did you mean `resources.a`?")
        );
    }
}

#[test]
fn destroying_deletes_users_first_and_keeps_named_volumes() {
    let mut world = World::default();
    let document = json!({
        "resources": {"a": thing(json!({})), "b": thing(json!({"use": "${ .resources.a.id }"}))},
        "data": {"d": {"type": "lookup", "properties": {}}},
        "volumes": {"data": {}},
        "services": {"api": {"image": "x", "volumes": ["data:/d"], "environment": {"A": "${ .resources.b.id }"}}},
    });
    world.up(&wish(document.clone()));
    let destroy = wish(document).mode(Mode::Destroy { volumes: false });
    let plan = world.up(&destroy);
    assert_eq!(
        actions(&plan),
        [
            "forget data.d",
            "delete services.api",
            "delete resources.b",
            "delete resources.a"
        ]
    );
    assert_eq!(world.state.len(), 1);
    let again = world.plan(&destroy);
    assert_eq!(
        verdicts(&again)[0],
        "volumes.data: skipped (named volumes are kept without --volumes)"
    );
    let plan = world.up(&wish(json!({})).mode(Mode::Destroy { volumes: true }));
    assert_eq!(actions(&plan), ["delete volumes.data"]);
    assert!(world.state.is_empty() && world.things.is_empty());
}

#[test]
fn destroying_needs_no_valid_blueprint_and_says_what_does_not_exist() {
    let world = World::default();
    let broken = json!({"resources": {"a": thing(json!({"use": "${ .resources.gone.id }"}))}});
    let plan = world.plan(&wish(broken).mode(Mode::Destroy { volumes: false }));
    assert_eq!(
        verdicts(&plan),
        ["resources.a: unchanged (it does not exist)"]
    );
}
