//! Everything that can be wrong with a blueprint's graph and settings, as a person reads it.

use serde_json::{Value, json};

use crate::world::{World, shown, wish};

fn problems(document: Value) -> String {
    shown(&World::default().try_plan(&wish(document)).unwrap_err())
}

fn thing(properties: Value) -> Value {
    json!({"type": "thing", "properties": properties})
}

#[test]
fn references_to_what_does_not_exist_name_the_nearest() {
    insta::assert_snapshot!(problems(json!({
        "inputs": {"region": {"type": "string", "default": "x"}},
        "locals": {"a": "${ .input.region }", "b": "${ .each.key }", "c": "${ .volumes.data }"},
        "resources": {
            "bucket": thing(json!({"name": "${ .inputs.regoin }", "use": "${ .resources.bukcet2.id }", "size": "${ .resources.database.id }"})),
            "database2": thing(json!({"use": "${ .services.bucket.id }"})),
        },
    })), @r#"
    [expression/failed] consort.yaml:2:3: locals.a: expressions cannot refer to `.input`
        Did you mean `.inputs`?
    [expression/failed] consort.yaml:3:3: locals.b: `.each` exists only in a node with `for_each`
        Add `for_each`, or refer to something else.
    [expression/failed] consort.yaml:4:3: locals.c: expressions cannot refer to `.volumes`
        They may use .inputs .locals .data .resources .services .workloads .workflows .secrets .each .deployment.
    [expression/failed] consort.yaml:5:3: resources.bucket: `.inputs.regoin` refers to `inputs.regoin`, which is not declared
        Did you mean `inputs.region`?
    [expression/failed] consort.yaml:5:3: resources.bucket: `.resources.bukcet2.id` refers to `resources.bukcet2`, which is not declared
        Did you mean `resources.bucket`?
    [expression/failed] consort.yaml:5:3: resources.bucket: `.resources.database.id` refers to `resources.database`, which is not declared
        Did you mean `resources.database2`?
    [expression/failed] consort.yaml:6:3: resources.database2: `.services.bucket.id` refers to `services.bucket`, which is not declared
        There is `resources.bucket`.
    "#);
}

#[test]
fn a_circle_is_shown_as_its_path() {
    insta::assert_snapshot!(problems(json!({
        "locals": {"x": "${ .resources.b.id }"},
        "resources": {
            "a": thing(json!({"use": "${ .locals.x }"})),
            "b": {"type": "thing", "properties": {}, "depends_on": ["resources.a"]},
            "c": thing(json!({"use": "${ .resources.b.id }"})),
        },
    })), @r#"
    [blueprint/invalid] consort.yaml:1:3: locals.x: nodes depend on each other in a circle: `locals.x` refers to `resources.b` depends on `resources.a` refers to `locals.x`
        Take one of these references or dependencies away.
    "#);
    assert!(
        problems(json!({"resources": {"a": thing(json!({"use": "${ .resources.a.id }"}))}}))
            .contains("`resources.a` refers to `resources.a`")
    );
}

#[test]
fn types_settings_and_attributes_are_checked_against_the_schemas() {
    insta::assert_snapshot!(problems(json!({
        "resources": {
            "a": {"type": "thng", "properties": {}},
            "b": {"type": "named", "properties": {"nme": 1, "id": "x"}},
            "c": thing(json!({"use": "${ .resources.b.idd }"})),
            "d": {"type": "aws_s3_bucket", "properties": {}},
            "e": {"type": "thing", "properties": ["x"]},
        },
    })), @r#"
    [plan/impossible] consort.yaml:1:3: resources.a: there is no resource of type `thng`
        Did you mean `thing`?
    [blueprint/invalid] consort.yaml:2:3: resources.b: named has no setting `nme`
        Did you mean `name`?
    [blueprint/invalid] consort.yaml:2:3: resources.b: `id` of named is found out by its driver and cannot be set
        Take it away.
    [blueprint/invalid] consort.yaml:2:3: resources.b: named needs the setting `name`
        Add it to `properties`: for tests
    [expression/failed] consort.yaml:3:3: resources.c: `resources.b` (named) has no attribute `idd`
        Did you mean `id`?
    [plan/impossible] consort.yaml:4:3: resources.d: there is no resource of type `aws_s3_bucket`
        Built in are first_thing, lookup, named, store, thing.
    [blueprint/invalid] consort.yaml:5:3: resources.e: `properties` must be a mapping
        Write `name: value` lines.
    "#);
}

#[test]
fn dependencies_and_triggers_must_name_something() {
    insta::assert_snapshot!(problems(json!({
        "resources": {
            "a": {"type": "thing", "properties": {}, "depends_on": ["resources.bb"], "lifecycle": {"replace_triggered_by": ["resources.zz", "what is this"]}},
            "b": thing(json!({})),
        },
        "services": {"s": {"image": "x", "volumes": ["dta:/d"], "networks": ["default"]}},
        "volumes": {"data": {}},
    })), @r#"
    [blueprint/invalid] consort.yaml:1:3: resources.a: `depends_on` names `resources.bb`, which is not declared
        Did you mean `resources.b`?
    [blueprint/invalid] consort.yaml:1:3: resources.a: `replace_triggered_by` names `resources.zz`, which is not declared
        The blueprint declares in resources: a, b.
    [blueprint/invalid] consort.yaml:1:3: resources.a: `replace_triggered_by` holds `what is this`, which names no node
        Write for example `resources.vpc` or `resources.vpc.id`.
    [blueprint/invalid] consort.yaml:3:3: services.s: a setting names `volumes.dta`, which is not declared
        Did you mean `volumes.data`?
    "#);
}

#[test]
fn keys_must_be_known_different_and_public() {
    for (document, message) in [
        (
            json!({"resources": {"a": {"type": "thing", "for_each": ["x", "x"]}}}),
            "the key `x` is in it twice",
        ),
        (
            json!({"resources": {"a": {"type": "thing", "for_each": [1]}}}),
            "`1` in it is not text",
        ),
        (
            json!({"resources": {"a": {"type": "thing", "for_each": [""]}}}),
            "a key in it is empty",
        ),
        (
            json!({"resources": {"a": {"type": "thing", "for_each": "x"}}}),
            "`\"x\"` is neither a list of texts nor a mapping",
        ),
        (
            json!({"resources": {"b": thing(json!({})), "a": {"type": "thing", "for_each": "${ .resources.b.id }"}}}),
            "`for_each` refers to `resources.b`; it can use inputs, and locals that come from them",
        ),
        (
            json!({"locals": {"l": ["${ .resources.b.id }"]}, "resources": {"b": thing(json!({})), "a": {"type": "thing", "for_each": "${ .locals.l }"}}}),
            "`for_each` refers to `resources.b`; it can use inputs, and locals that come from them",
        ),
        (
            json!({"resources": {"b": {"type": "thing", "for_each": ["x"]}, "a": thing(json!({"use": "${ .resources.b[\"y\"].id }"}))}}),
            "`resources.b` has no instance `y`; it has `x`",
        ),
        (
            json!({"resources": {"b": {"type": "thing", "for_each": ["x"]}, "a": {"type": "thing", "depends_on": ["resources.b[\"y\"]"]}}}),
            "`depends_on` names the instance `y` of `resources.b`, which does not exist",
        ),
    ] {
        let text = problems(document);
        assert!(
            text.contains(message) && text.contains("resources.a"),
            "{message}: {text}"
        );
    }
}

#[test]
fn what_waits_for_a_failed_node_says_for_which() {
    let failed = World::default()
        .plan_in_order(
            &wish(json!({
                "data": {"d": {"type": "lookup", "properties": {"name": "missing"}}},
                "locals": {"l": "${ .data.d.result }"},
                "resources": {"a": thing(json!({"name": "${ .locals.l }"})), "b": thing(json!({}))},
                "outputs": {"o": "${ .resources.a.id }"},
            })),
            &mut |_| 0,
        )
        .unwrap()
        .unwrap_err();
    assert_eq!(
        shown(&failed.problems),
        "[node/failed] data.d: what it asks for does not exist\n    Check its settings, or declare it as a resource that is made."
    );
    assert_eq!(
        crate::world::verdicts(&failed.plan),
        [
            "data.d: waiting (it cannot be planned: what it asks for does not exist)",
            "resources.a: waiting (waiting on data.d)",
            "resources.b: create (it does not exist yet)",
        ]
    );
}

#[test]
fn elements_that_are_not_there_yet_are_refused_by_name() {
    let text = problems(json!({"hosts": {"web": {}}, "providers": {"aws": {}}}));
    assert!(
        text.contains("`hosts` are not there yet")
            && text.contains("`providers` are not there yet"),
        "{text}"
    );
}
