//! `prevent_destroy`, `create_before_destroy`, `ignore_changes`, `replace_triggered_by`.

use consort_model::plan::Mode;
use serde_json::{Value, json};

use crate::world::{World, actions, shown, verdicts, wish};

fn with(properties: Value, lifecycle: Value) -> Value {
    json!({"type": "thing", "properties": properties, "lifecycle": lifecycle})
}

#[test]
fn a_new_one_is_made_first_its_users_follow_and_the_old_one_goes_last() {
    let mut world = World::default();
    let of = |zone: &str| {
        wish(json!({"resources": {
            "a": with(json!({"zone": zone}), json!({"create_before_destroy": true})),
            "b": with(json!({"use": "${ .resources.a.id }"}), json!({})),
        }}))
    };
    world.up(&of("x"));
    let plan = world.up(&of("y"));
    assert_eq!(
        verdicts(&plan),
        [
            "resources.a: replace (create first) (zone forces it)",
            "resources.b: update (use changed)"
        ]
    );
    assert_eq!(
        actions(&plan),
        [
            "create resources.a",
            "update resources.b",
            "delete resources.a (resources.a-1)"
        ]
    );
}

#[test]
fn what_a_create_first_node_depends_on_is_made_first_too() {
    let mut world = World::default();
    let of = |zone: &str| {
        wish(json!({
            "locals": {"id": "${ .resources.a.id }"},
            "resources": {
                "a": with(json!({"zone": zone}), json!({})),
                "b": with(json!({"zone": "${ .locals.id }"}), json!({"create_before_destroy": true})),
            },
        }))
    };
    world.up(&of("x"));
    let plan = world.up(&of("y"));
    assert_eq!(
        actions(&plan),
        [
            "create resources.a",
            "create resources.b",
            "delete resources.b (resources.b-1)",
            "delete resources.a (resources.a-1)"
        ]
    );
}

#[test]
fn a_schema_can_ask_for_the_new_one_first() {
    let mut world = World::default();
    let of = |zone: &str| {
        wish(json!({"resources": {"a": {"type": "first_thing", "properties": {"zone": zone}}}}))
    };
    world.up(&of("x"));
    assert_eq!(
        verdicts(&world.up(&of("y"))),
        ["resources.a: replace (create first) (zone forces it)"]
    );
}

#[test]
fn a_replacement_that_stopped_half_way_is_finished() {
    let first = |first: bool| {
        move |zone: &str| {
            wish(json!({"resources": {
                "a": with(json!({"zone": zone}), json!({"create_before_destroy": first})),
                "b": with(json!({"use": "${ .resources.a.id }"}), json!({})),
            }}))
        }
    };
    for (create_first, rest) in [
        (
            true,
            "resources.a: update (1 replaced one is still to be deleted)",
        ),
        (
            false,
            "resources.a: create (its replacement was not finished)",
        ),
    ] {
        let of = first(create_first);
        let mut world = World::default();
        world.up(&of("x"));
        let plan = world.plan(&of("y"));
        world.apply_in_order(&of("y"), &plan, 1, &mut |_| 0);
        let plan = world.up(&of("y"));
        assert_eq!(verdicts(&plan)[0], rest);
        assert_eq!(world.things.len(), 2);
    }
}

#[test]
fn a_protected_node_is_never_destroyed_and_the_rest_is_still_explained() {
    let mut world = World::default();
    let of = |zone: &str| {
        wish(json!({"resources": {
            "a": with(json!({"zone": zone}), json!({"prevent_destroy": true})),
            "b": with(json!({"use": "${ .resources.a.id }"}), json!({})),
            "c": with(json!({"name": zone}), json!({})),
        }}))
    };
    world.up(&of("x"));
    let failed = world
        .plan_in_order(&of("y"), &mut |_| 0)
        .unwrap()
        .unwrap_err();
    assert_eq!(
        shown(&failed.problems),
        "[lifecycle/prevent-destroy] consort.yaml:1:3: resources.a: prevent_destroy holds it; it would be replaced because zone forces it\n    Take `prevent_destroy` away first, if you mean it."
    );
    assert_eq!(
        verdicts(&failed.plan),
        [
            "resources.a: held (prevent_destroy holds it; it would be replaced because zone forces it)",
            "resources.b: update (use changed)",
            "resources.c: update (name, arn changed)",
        ]
    );
}

#[test]
fn protection_holds_when_the_node_has_left_the_blueprint() {
    let mut world = World::default();
    world.up(&wish(
        json!({"resources": {"a": with(json!({}), json!({"prevent_destroy": true}))}}),
    ));
    for wish in [
        wish(json!({})),
        wish(json!({})).mode(Mode::Destroy { volumes: true }),
    ] {
        let problems = world.try_plan(&wish).unwrap_err();
        assert_eq!(problems[0].code.as_str(), "lifecycle/prevent-destroy");
    }
}

#[test]
fn protection_that_is_added_later_is_recorded() {
    let mut world = World::default();
    let of = |protect: bool| {
        wish(json!({"resources": {"a": with(json!({}), json!({"prevent_destroy": protect}))}}))
    };
    world.up(&of(false));
    let plan = world.up(&of(true));
    assert_eq!(
        verdicts(&plan),
        ["resources.a: read (its life-cycle settings are recorded anew)"]
    );
    assert!(world.try_plan(&wish(json!({}))).is_err());
    world.up(&of(false));
    world.up(&wish(json!({})));
}

#[test]
fn ignored_changes_are_not_changes() {
    let mut world = World::default();
    let of = |name: &str, tags: Value, ignored: Value| {
        wish(json!({"inputs": {"tags": {"type": "object"}}, "resources": {
            "a": with(json!({"name": name, "size": 1, "tags": "${ .inputs.tags }"}), json!({"ignore_changes": ignored})),
        }}))
        .input("tags", tags)
    };
    world.up(&of("a", json!({"x": 1, "y": 1}), json!(["name"])));
    let plan = world.plan(&of("b", json!({"x": 1, "y": 1}), json!(["name"])));
    assert_eq!(actions(&plan), Vec::<String>::new());
    let plan = world.up(&of("b", json!({"x": 2, "y": 2}), json!(["name", "tags.x"])));
    assert_eq!(verdicts(&plan), ["resources.a: update (tags.y changed)"]);
    assert_eq!(
        world
            .state
            .values()
            .next()
            .unwrap()
            .object
            .as_ref()
            .unwrap()
            .desired["tags"],
        json!({"x": 1, "y": 2})
    );
    let plan = world.up(&of("c", json!({}), json!(["all"])));
    assert_eq!(
        verdicts(&plan),
        ["resources.a: read (its life-cycle settings are recorded anew)"]
    );
}

#[test]
fn a_change_of_a_trigger_replaces() {
    let mut world = World::default();
    let of = |size: u32, name: &str, trigger: &str| {
        wish(json!({"resources": {
            "a": with(json!({"size": size, "name": name}), json!({})),
            "b": with(json!({}), json!({"replace_triggered_by": [trigger]})),
        }}))
    };
    for (trigger, size, replaced) in [
        ("resources.a", 2, true),
        ("resources.a.size", 2, true),
        ("resources.a.arn", 2, false),
        ("resources.a", 1, false),
    ] {
        world = World::default();
        world.up(&of(1, "n", trigger));
        let plan = world.up(&of(size, "n", trigger));
        assert_eq!(
            actions(&plan).contains(&"create resources.b".to_owned()),
            replaced,
            "{trigger}"
        );
    }
    let plan = world.up(&of(3, "n", "resources.a"));
    assert_eq!(
        verdicts(&plan)[1],
        "resources.b: replace (replace_triggered_by: resources.a changes)"
    );
}

#[test]
fn what_was_replaced_goes_with_a_node_that_leaves() {
    let of = |zone: &str| {
        wish(
            json!({"resources": {"a": with(json!({"zone": zone}), json!({"create_before_destroy": true}))}}),
        )
    };
    for gone in [false, true] {
        let mut world = World::default();
        world.up(&of("x"));
        let plan = world.plan(&of("y"));
        world.apply_in_order(&of("y"), &plan, 1, &mut |_| 0);
        if gone {
            world.things.remove("resources.a-2");
        }
        let plan = world.up(&wish(json!({})).refresh());
        assert_eq!(
            actions(&plan),
            ["delete resources.a (resources.a-1)", "delete resources.a"]
        );
        assert!(world.things.is_empty() && world.state.is_empty());
    }
}

#[test]
fn a_protected_node_keeps_what_was_replaced_and_says_so() {
    let of = |zone: &str, protect: bool| {
        wish(
            json!({"resources": {"a": with(json!({"zone": zone}), json!({"create_before_destroy": true, "prevent_destroy": protect}))}}),
        )
    };
    let mut world = World::default();
    world.up(&of("x", false));
    let plan = world.plan(&of("y", false));
    world.apply_in_order(&of("y", false), &plan, 1, &mut |_| 0);
    let plan = world.up(&of("y", true));
    assert_eq!(actions(&plan), ["read resources.a"]);
    assert_eq!(
        plan.warnings[0].message,
        "a replaced one of it is kept, because prevent_destroy holds it"
    );
    assert_eq!(
        actions(&world.up(&of("y", false))),
        ["read resources.a", "delete resources.a (resources.a-1)"]
    );
}
