//! Templates to values: types, unknown parts, secrets, helpers.

use consort_model::{Address, Kind, Partial, SecretHandle, Why};
use consort_planner::evaluate::{
    Answers, Environment, Evaluated, Programs, Values, evaluate, plain_path,
};
use consort_planner::{Answer, Need, Planner};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::blueprint::template;
use crate::world::{World, shown, wish};

fn secret() -> String {
    SecretHandle {
        name: "resources.pw.value".into(),
        version: 1,
    }
    .token()
}

fn values() -> Values {
    let mut values = Values::default();
    let mut set =
        |kind, name: &str, value: Value| values.set(Address::new(kind, name), Partial::from(value));
    set(Kind::Input, "n", json!(3));
    set(Kind::Input, "list", json!([1, "b", null]));
    set(Kind::Input, "text", json!("x"));
    set(
        Kind::Resource,
        "my-db",
        json!({"id": {"$unknown": "apply"}, "port": 5432, "tags": {"a": "b"}, "pw": secret()}),
    );
    set(
        Kind::Service,
        "api",
        json!({"digest": {"$unknown": "build"}}),
    );
    values.set(
        Address::new(Kind::Resource, "b").with_key("eu"),
        Partial::from(json!({"id": "eu-1", "z": {"$unknown": "apply"}})),
    );
    values.set(
        Address::new(Kind::Resource, "b").with_key("us"),
        Partial::from(json!({"id": "us-1", "z": 1})),
    );
    values.set_group(Address::new(Kind::Resource, "b"));
    values.set_group(Address::new(Kind::Resource, "none"));
    values
}

fn run(text: &str) -> Result<Value, String> {
    let template = template(&json!(text), 7);
    let mut programs = Programs::default();
    let problems = programs.add(&template);
    if !problems.is_empty() {
        return Err(shown(&problems));
    }
    let values = values();
    let each = ("eu".to_owned(), json!({"size": 2}));
    let environment = Environment {
        values: &values,
        each: Some(&each),
        files: None,
        programs: &programs,
        answers: &Answers::new(),
    };
    match evaluate(&template, &environment) {
        Ok(Evaluated::Value(value)) => Ok(json!(value)),
        Ok(Evaluated::Needs(jobs)) => Err(format!("{} jobs", jobs.len())),
        Err(problems) => Err(shown(&problems)),
    }
}

#[test]
fn an_expression_keeps_its_type_and_text_joins() {
    let unknown = json!({"$unknown": "apply"});
    for (text, value) in [
        ("${ .inputs.n }", json!(3)),
        ("${ .inputs.list }", json!([1, "b", null])),
        ("${ .inputs.list[1] }", json!("b")),
        ("${ .inputs.list[9] }", json!(null)),
        ("n=${ .inputs.n }, ${ .inputs.text }", json!("n=3, x")),
        ("${ .resources[\"my-db\"].port }", json!(5432)),
        ("${ .resources[\"my-db\"].id }", unknown.clone()),
        ("db-${ .resources[\"my-db\"].id }", unknown.clone()),
        ("${ .resources[\"my-db\"].tags }", json!({"a": "b"})),
        ("${ .resources[\"my-db\"].nothing }", json!(null)),
        ("${ .resources.b.us.id }", json!("us-1")),
        ("${ .resources.b.eu.z }", unknown.clone()),
        ("${ .resources.none }", json!({})),
        ("${ .each.key }/${ .each.value.size }", json!("eu/2")),
        (
            "${ .services.api.digest }-${ .resources[\"my-db\"].id }",
            json!({"$unknown": "build"}),
        ),
        ("${ .inputs.text + \"-\" + .each.key }", json!("x-eu")),
        ("${ .inputs.n + 1 }", json!(4)),
        ("${ .resources[\"my-db\"].port + 1 }", json!(5433)),
        ("${ [.resources.b[.each.key].id] }", json!(["eu-1"])),
        ("${ .resources.b[.each.key].z }", unknown),
        ("${ .resources[\"my-db\"] | .tags.a }", json!("b")),
    ] {
        assert_eq!(run(text), Ok(value), "{text}");
    }
}

#[test]
fn unknown_has_its_reason() {
    let value = run("${ .services.api.digest }").unwrap();
    assert_eq!(Partial::from(value).unknown(), Some(Why::Build));
}

#[test]
fn secrets_are_joined_and_selected_but_not_computed_with() {
    assert_eq!(run("${ .resources[\"my-db\"].pw }"), Ok(json!(secret())));
    assert_eq!(
        run("postgres://u:${ .resources[\"my-db\"].pw }@db"),
        Ok(json!(format!("postgres://u:{}@db", secret())))
    );
    assert_eq!(
        run("${ {url: (\"x\" + .resources[\"my-db\"].pw)} }"),
        Ok(json!({"url": format!("x{}", secret())}))
    );
    let refused = run("${ .resources[\"my-db\"].pw | length }").unwrap_err();
    assert!(refused.contains("computes with a secret"), "{refused}");
}

#[test]
fn failures_say_where_and_why() {
    for (text, message) in [
        (
            "${ .inputs.n.x }",
            "`.inputs.n` is a number, which has no `.x`",
        ),
        ("${ .inputs.gone }", "`.inputs.gone` has no value"),
        (
            "${ .resources.b.ap.id }",
            "`resources.b` has no instance `ap`; it has `eu`, `us`",
        ),
        ("${ .resources.none.ap.id }", "its for_each is empty"),
        ("a ${ .inputs.list } b", "yields a list inside text"),
        ("${ .inputs.n | }", "is not a valid expression"),
        ("${ .inputs.text + 1 }", "failed"),
    ] {
        let problem = run(text).unwrap_err();
        assert!(problem.contains(message), "{text}: {problem}");
        assert!(problem.contains("consort.yaml:7:3"), "{text}: {problem}");
    }
}

#[test]
fn a_helper_answers_what_may_not_run_here() {
    let document = json!({
        "inputs": {"text": {"type": "string", "default": "a,b"}},
        "locals": {"keys": "${ .inputs.text | [limit(2; splits(\",\"))] }"},
        "resources": {"a": {"type": "thing", "for_each": "${ .locals.keys }", "properties": {"name": "${ .each.key }"}}},
    });
    let world = World::default();
    let wish = wish(document);
    let mut planner = Planner::new(world.input_of(&wish)).unwrap();
    let mut helped = 0;
    while let Some((id, need)) = planner.needs().into_iter().next() {
        helped += usize::from(matches!(need, Need::Evaluate { .. }));
        let answer = world.answer(&need);
        assert!(matches!(
            (&need, &answer),
            (Need::Evaluate { .. }, Answer::Evaluated(_)) | (_, Answer::Planned(_))
        ));
        planner.feed(id, answer.clone()).unwrap();
        assert!(planner.feed(id, answer).is_err());
    }
    assert_eq!(helped, 1);
    let plan = planner.finish().unwrap();
    assert_eq!(
        crate::world::actions(&plan),
        ["create resources.a[\"a\"]", "create resources.a[\"b\"]"]
    );
}

#[test]
fn a_blueprint_that_doubles_its_values_is_refused_and_not_carried_out() {
    let mut resources = serde_json::Map::new();
    resources.insert(
        "n0".into(),
        json!({"type": "thing", "properties": {"name": "x"}}),
    );
    for at in 1..60 {
        let before = format!("${{ .resources.n{} }}", at - 1);
        let tags = json!({"one": before, "two": before});
        resources.insert(
            format!("n{at}"),
            json!({"type": "thing", "properties": {"tags": tags}}),
        );
    }
    let problems = World::default()
        .try_plan(&wish(json!({"resources": resources})))
        .unwrap_err();
    assert_eq!(problems.len(), 1);
    let text = shown(&problems);
    assert!(
        text.contains("the value has more than 200,000 parts"),
        "{text}"
    );
}

#[test]
fn a_planner_can_be_moved_between_threads() {
    fn moves<T: Send>() {}
    moves::<Planner>();
}

/// A path that is read without an interpreter, and one that jq reads, on the same value.
fn both_ways(value: &Value, path: &str) -> (Result<Value, ()>, Result<Value, ()>) {
    let mut values = Values::default();
    values.set(Address::new(Kind::Input, "x"), Partial::from(value.clone()));
    let programs = Programs::default();
    let answers = Answers::new();
    let environment = Environment {
        values: &values,
        each: None,
        files: None,
        programs: &programs,
        answers: &answers,
    };
    let run = |text: String| match evaluate(&template(&json!(text), 1), &environment) {
        Ok(Evaluated::Value(value)) => Ok(json!(value)),
        Ok(Evaluated::Needs(_)) => panic!("a path needs no helper"),
        Err(_) => Err(()),
    };
    (
        run(format!("${{ .inputs.x{path} }}")),
        run(format!("${{ (.inputs.x{path}) }}")),
    )
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..9_i32).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plain_paths_mean_what_jq_means(value in json_value(), path in "(\\.[ab]|\\[[0-2]\\]|\\[\"a\"\\]){0,3}") {
        let (own, jq) = both_ways(&value, &path);
        prop_assert_eq!(own, jq);
    }

    #[test]
    fn no_text_makes_the_readers_of_paths_panic(text in ".{0,40}") {
        let _ = plain_path(&text);
        let _ = consort_planner::path::parse(&text);
    }
}
