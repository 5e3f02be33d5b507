//! Orders that records and blueprint leave.

use serde_json::{Value, json};

use crate::world::{World, actions, wish};

fn thing(properties: Value) -> Value {
    json!({"type": "thing", "properties": properties})
}

#[test]
fn records_that_contradict_the_blueprint_give_way() {
    // `b` was made with `a`; now `a` needs `b`, and a third one that goes used both.
    let mut world = World::default();
    world.up(&wish(json!({"resources": {
        "a": thing(json!({"zone": "1"})),
        "b": thing(json!({"zone": "1", "use": "${ .resources.a.id }"})),
        "c": thing(json!({"use": "${ .resources.b.id }"})),
    }})));
    let plan = world.up(&wish(json!({"resources": {
        "a": thing(json!({"zone": "2", "use": "${ .resources.b.id }"})),
        "b": thing(json!({"zone": "2"})),
    }})));
    assert_eq!(plan.actions.len(), 5);
}

#[test]
fn an_update_that_needs_the_new_one_does_not_wait_for_what_cannot_be_deleted_yet() {
    // Deleting `d` waits for the update of `u`, which waits for the replacement of `a`, whose old
    // one `d` has used: the polite edge gives way.
    let mut world = World::default();
    world.up(&wish(json!({"resources": {
        "a": thing(json!({"zone": "1"})),
        "d": thing(json!({"use": "${ .resources.a.id }"})),
        "u": thing(json!({"use": "${ .resources.d.id }", "name": "${ .resources.a.id }"})),
    }})));
    let plan = world.up(&wish(json!({"resources": {
        "a": thing(json!({"zone": "2"})),
        "u": thing(json!({"name": "${ .resources.a.id }"})),
    }})));
    assert_eq!(
        actions(&plan),
        [
            "delete resources.d",
            "delete resources.a",
            "create resources.a",
            "update resources.u"
        ]
    );
}

#[test]
fn independent_actions_wait_for_nothing() {
    let plan = World::default().plan(&wish(json!({
        "locals": {"x": "y"},
        "resources": {"a": thing(json!({"name": "${ .locals.x }"})), "b": thing(json!({"name": "${ .locals.x }"}))},
    })));
    assert!(plan.actions.iter().all(|action| action.after.is_empty()));
}

#[test]
fn order_passes_through_what_does_not_change() {
    let mut world = World::default();
    let of = |name: &str| {
        wish(json!({"resources": {
            "a": thing(json!({"name": name})),
            "b": {"type": "thing", "properties": {}, "depends_on": ["resources.a"]},
            "c": {"type": "thing", "properties": {"name": name}, "depends_on": ["resources.b"]},
        }}))
    };
    world.up(&of("x"));
    let plan = world.up(&of("y"));
    assert_eq!(actions(&plan), ["update resources.a", "update resources.c"]);
    assert_eq!(plan.actions[1].after, [plan.actions[0].id.clone()]);
}
