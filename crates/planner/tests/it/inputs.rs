//! The typed check of inputs.

use std::collections::BTreeMap;

use consort_planner::inputs;
use serde_json::{Value, json};

use crate::blueprint::blueprint;
use crate::world::shown;

fn check(declared: Value, given: Value) -> Result<BTreeMap<String, Value>, String> {
    let given = given.as_object().unwrap().clone().into_iter().collect();
    inputs::check(&blueprint(&json!({"inputs": declared})), &given)
        .map_err(|problems| shown(&problems))
}

#[test]
fn text_is_read_as_the_declared_type() {
    for (kind, given, value) in [
        ("string", json!("a"), json!("a")),
        ("string", json!(5), json!("5")),
        ("string", json!(true), json!("true")),
        ("number", json!("1.5"), json!(1.5)),
        ("integer", json!("7"), json!(7)),
        ("integer", json!(7.0), json!(7)),
        ("boolean", json!("true"), json!(true)),
        ("array", json!("[1, 2]"), json!([1, 2])),
        ("object", json!("{\"a\": 1}"), json!({"a": 1})),
        ("array", json!(["x"]), json!(["x"])),
    ] {
        let found = check(json!({"x": {"type": kind}}), json!({"x": given})).unwrap();
        assert_eq!(found["x"], value, "{kind}");
    }
}

#[test]
fn what_does_not_fit_is_refused_all_at_once() {
    let declared = json!({
        "region": {"type": "string"},
        "count": {"type": "integer"},
        "env": {"type": "string", "allowed": ["dev", "prod"]},
        "key": {"type": "boolean", "sensitive": true},
        "deep": {"type": "object"},
    });
    let given = json!({"count": 1.5, "env": "test", "regoin": "x", "key": "hunter2", "deep": {"a\u{E0C5}": 1}});
    insta::assert_snapshot!(check(declared, given).unwrap_err(), @r#"
    [input/invalid] the blueprint declares no input `regoin`
        Did you mean `region`?
    [input/invalid] consort.yaml:1:3: inputs.region: input `region` has no value
        Give it with `--input region=VALUE`, `--inputs FILE` or `CONSORT_INPUT_REGION`.
    [input/invalid] consort.yaml:2:3: inputs.count: input `count` must be a whole number, and is `1.5`
        Give a whole number.
    [input/invalid] consort.yaml:3:3: inputs.env: input `env` is `"test"`, which is not allowed
        Give one of "dev", "prod".
    [input/invalid] consort.yaml:4:3: inputs.key: input `key` must be true or false, and is text
        Give true or false.
    [input/invalid] consort.yaml:5:3: inputs.deep: input `deep` holds text that is reserved for secrets and unknown values
        Take out the characters U+E0C5 and U+E0C6 and the keys `$unknown` and `$deferred`.
    "#);
}

#[test]
fn defaults_count_and_are_checked_too() {
    assert_eq!(
        check(json!({"x": {"type": "integer", "default": 3}}), json!({})).unwrap()["x"],
        json!(3)
    );
    assert!(
        check(
            json!({"x": {"type": "integer", "default": "no"}}),
            json!({})
        )
        .is_err()
    );
}

#[test]
fn deep_values_are_refused_without_harm() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let problem = check(json!({"x": {"type": "array"}}), json!({"x": deep})).unwrap_err();
    assert!(problem.contains("nested too deeply"), "{problem}");
}
