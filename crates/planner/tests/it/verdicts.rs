//! What happens to each node, and why.

use serde_json::json;

use crate::world::{World, actions, verdicts, wish};

fn thing(properties: serde_json::Value) -> serde_json::Value {
    json!({"type": "thing", "properties": properties})
}

#[test]
fn the_first_plan_creates_everything_and_the_second_nothing() {
    let mut world = World::default();
    let wish = wish(json!({
        "inputs": {"env": {"type": "string", "default": "dev"}},
        "locals": {"prefix": "${ .inputs.env }-shop"},
        "resources": {
            "b": thing(json!({"name": "${ .locals.prefix }-b", "use": "${ .resources.a.id }"})),
            "a": thing(json!({"name": "a"})),
        },
        "outputs": {"arn": "${ .resources.b.arn }", "id": "${ .resources.b.id }", "env": "${ .inputs.env }"},
    }));
    let plan = world.up(&wish);
    assert_eq!(
        verdicts(&plan),
        [
            "resources.a: create (it does not exist yet)",
            "resources.b: create (it does not exist yet)"
        ]
    );
    assert_eq!(actions(&plan), ["create resources.a", "create resources.b"]);
    assert_eq!(
        json!(plan.planned_outputs),
        json!({"arn": "arn:\"dev-shop-b\"", "id": {"$unknown": "apply"}, "env": "dev"})
    );
    assert_eq!(
        verdicts(&world.plan(&wish))[0],
        "resources.a: unchanged (it is as wanted)"
    );
}

#[test]
fn a_change_is_made_in_place_where_the_driver_can() {
    let mut world = World::default();
    let of = |size: u32| {
        wish(
            json!({"resources": {"a": thing(json!({"name": "a", "size": size})), "b": thing(json!({"use": "${ .resources.a.id }"}))}}),
        )
    };
    world.up(&of(1));
    let plan = world.up(&of(2));
    assert_eq!(
        verdicts(&plan),
        [
            "resources.a: update (size changed)",
            "resources.b: unchanged (it is as wanted)"
        ]
    );
    assert_eq!(actions(&plan), ["update resources.a"]);
}

#[test]
fn a_change_that_cannot_be_made_in_place_replaces_and_updates_the_users() {
    let mut world = World::default();
    let of = |zone: &str| {
        wish(json!({"resources": {
            "a": thing(json!({"name": "a", "zone": zone})),
            "b": thing(json!({"use": "${ .resources.a.id }"})),
        }}))
    };
    world.up(&of("x"));
    let plan = world.up(&of("y"));
    assert_eq!(
        verdicts(&plan),
        [
            "resources.a: replace (zone forces it)",
            "resources.b: update (use changed)"
        ]
    );
    assert_eq!(
        actions(&plan),
        [
            "delete resources.a",
            "create resources.a",
            "update resources.b"
        ]
    );
    assert!(
        plan.actions[1]
            .differences
            .iter()
            .any(|d| d.path == "zone" && d.forces_replacement)
    );
}

#[test]
fn what_leaves_the_blueprint_is_deleted_after_its_users() {
    let mut world = World::default();
    world.up(&wish(json!({"resources": {
        "a": thing(json!({"name": "a"})),
        "b": thing(json!({"use": "${ .resources.a.id }"})),
        "c": thing(json!({"use": "${ .resources.a.id }"})),
    }})));
    let plan = world.up(&wish(
        json!({"resources": {"c": thing(json!({"name": "alone"}))}}),
    ));
    assert_eq!(
        verdicts(&plan),
        [
            "resources.c: update (name, use, arn changed)",
            "resources.a: delete (it has left the blueprint)",
            "resources.b: delete (it has left the blueprint)",
        ]
    );
    let order = actions(&plan);
    let at = |id: &str| order.iter().position(|other| other == id).unwrap();
    assert!(at("update resources.c") < at("delete resources.a"));
    assert!(at("delete resources.b") < at("delete resources.a"));
}

#[test]
fn instances_come_and_go_with_their_keys() {
    let mut world = World::default();
    let of = |keys: serde_json::Value| {
        wish(json!({
            "inputs": {"keys": {"type": "array"}},
            "resources": {
                "b": {"type": "thing", "for_each": "${ .inputs.keys }", "properties": {"name": "n-${ .each.key }"}},
                "all": thing(json!({"use": "${ .resources.b }"})),
            },
        }))
        .input("keys", keys)
    };
    let plan = world.up(&of(json!(["eu", "us"])));
    assert_eq!(
        actions(&plan),
        [
            "create resources.b[\"eu\"]",
            "create resources.b[\"us\"]",
            "create resources.all"
        ]
    );
    let plan = world.up(&of(json!(["us", "ap"])));
    assert_eq!(
        verdicts(&plan),
        [
            "resources.b[\"us\"]: unchanged (it is as wanted)",
            "resources.b[\"ap\"]: create (it does not exist yet)",
            "resources.all: update (use.ap.name, use.ap.id, use.ap.arn and 1 more changed)",
            "resources.b[\"eu\"]: delete (`eu` is not in its for_each any more)",
        ]
    );
    assert_eq!(
        actions(&plan),
        [
            "create resources.b[\"ap\"]",
            "update resources.all",
            "delete resources.b[\"eu\"]"
        ]
    );
    world.up(&of(json!([])));
}

#[test]
fn one_instance_can_be_referred_to_alone() {
    let mut world = World::default();
    let wish = wish(json!({"resources": {
        "b": {"type": "thing", "for_each": {"eu": 1, "us": 2}, "properties": {"size": "${ .each.value }"}},
        "c": thing(json!({"use": "${ .resources.b[\"eu\"].size }", "name": "${ .resources.b.us.id }"})),
    }}));
    let plan = world.up(&wish);
    let c = plan
        .actions
        .iter()
        .find(|action| action.id.0 == "create resources.c")
        .unwrap();
    assert_eq!(
        json!(c.desired),
        json!({"use": 1, "name": {"$unknown": "apply"}})
    );
    assert_eq!(
        json!(c.depends_on),
        json!(["resources.b[\"eu\"]", "resources.b[\"us\"]"])
    );
}

#[test]
fn data_is_read_while_planning_and_recorded_once() {
    let mut world = World::default();
    let of = |name: &str| {
        wish(json!({
            "data": {"d": {"type": "lookup", "properties": {"name": name}}},
            "resources": {"a": thing(json!({"name": "${ .data.d.result }"}))},
        }))
    };
    let plan = world.up(&of("x"));
    assert_eq!(
        verdicts(&plan),
        [
            "data.d: read (it was not read before)",
            "resources.a: create (it does not exist yet)"
        ]
    );
    assert_eq!(
        plan.actions[1]
            .desired
            .get("name")
            .and_then(|name| name.as_str()),
        Some("found x")
    );
    let plan = world.up(&of("y"));
    assert_eq!(verdicts(&plan)[0], "data.d: read (name, result changed)");
    assert_eq!(
        actions(&world.up(&wish(json!({})))),
        ["delete resources.a", "forget data.d"]
    );
}

#[test]
fn data_that_hangs_on_a_change_is_read_during_the_run() {
    let mut world = World::default();
    let of = |size: u32| {
        wish(json!({
            "data": {"d": {"type": "lookup", "properties": {"name": "${ .resources.a.name }"}, "depends_on": ["resources.a"]}},
            "resources": {"a": thing(json!({"name": "x", "size": size})), "b": thing(json!({"name": "${ .data.d.result }"}))},
        }))
    };
    let plan = world.up(&of(1));
    assert_eq!(
        verdicts(&plan)[1],
        "data.d: read (resources.a changes before)"
    );
    assert_eq!(
        actions(&plan),
        ["create resources.a", "read data.d", "create resources.b"]
    );
    let plan = world.up(&of(2));
    assert_eq!(
        actions(&plan),
        ["update resources.a", "read data.d", "update resources.b"]
    );
}

#[test]
fn another_type_under_the_same_name_is_a_replacement() {
    let mut world = World::default();
    let of = |kind: &str| {
        wish(
            json!({"resources": {"a": {"type": kind, "properties": {"name": "a"}, "lifecycle": {"create_before_destroy": true}}}}),
        )
    };
    world.up(&of("thing"));
    let plan = world.up(&of("store"));
    assert_eq!(
        verdicts(&plan),
        ["resources.a: replace (its type changes from thing to store)"]
    );
    assert_eq!(actions(&plan), ["delete resources.a", "create resources.a"]);
}

#[test]
fn what_was_not_made_completely_is_made_again() {
    let mut world = World::default();
    let wish = wish(json!({"resources": {"a": thing(json!({"name": "a"}))}}));
    world.up(&wish);
    let entry = world.state.values_mut().next().unwrap();
    entry.object.as_mut().unwrap().tainted = true;
    let plan = world.up(&wish);
    assert_eq!(
        verdicts(&plan),
        ["resources.a: replace (it was not made completely)"]
    );
}

#[test]
fn definitions_of_the_engine_change_in_place() {
    let mut world = World::default();
    let of = |step: &str| {
        wish(json!({
            "pools": {"w": {"types": []}},
            "workloads": {"n": {"pool": "w", "tasks": {step: {"command": ["x"]}}}},
            "workflows": {"f": {"definition": {"do": [step]}}},
        }))
    };
    let plan = world.up(&of("one"));
    assert_eq!(
        actions(&plan),
        ["create pools.w", "create workloads.n", "create workflows.f"]
    );
    assert!(plan.actions.iter().all(|action| action.driver == "engine"));
    let plan = world.up(&of("two"));
    assert_eq!(actions(&plan), ["update workloads.n", "update workflows.f"]);
}

#[test]
fn what_a_driver_notices_is_a_warning_of_the_plan() {
    let plan = World::default().plan(&wish(
        json!({"resources": {"a": thing(json!({"name": "odd"}))}}),
    ));
    assert_eq!(plan.warnings[0].message, "`odd` is an odd name");
    assert_eq!(
        plan.warnings[0].address.as_ref().unwrap().to_string(),
        "resources.a"
    );
}
