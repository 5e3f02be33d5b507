//! Mistakes in documents: what is wrong, and where.

use consort_workflow::{Definition, Schedule};
use serde_json::json;

use crate::yaml;

#[test]
fn a_mistake_is_told_with_its_place_and_how_to_mend_it() {
    for (document, pointer, message) in [
        ("{do: [{a: {sett: {}}}]}", "/do/0/a", "needs one of"),
        (
            "{do: [{a: {set: {}, thn: end}}]}",
            "/do/0/a/thn",
            "did you mean `then`?",
        ),
        (
            "{do: [{a: {set: {}, then: bb}}, {b: {set: {}}}]}",
            "/do/0/a/then",
            "no task `bb`",
        ),
        ("{do: [{a: {set: {}}}, {a: {set: {}}}]}", "/do/1", "already"),
        (
            "{do: [{a: {set: '${ .x | }'}}]}",
            "/do/0/a/set",
            "expression",
        ),
        (
            "{do: [{a: {wait: P1Y}}]}",
            "/do/0/a/wait",
            "constant length",
        ),
        (
            "{do: [{a: {raise: {error: none}}}]}",
            "/do/0/a/raise/error",
            "no `none` in `use.errors`",
        ),
        (
            "{do: [{a: {fork: {branches: [{x: {set: {}, then: y}}, {y: {set: {}}}]}}}]}",
            "/do/0/a/fork/branches/0/x/then",
            "another branch",
        ),
        (
            "{do: [{a: {for: {in: ., each: 'a-b'}, do: []}}]}",
            "/do/0/a/for/each",
            "no name of a variable",
        ),
        (
            "{do: [{a: {set: {}, input: {schema: {document: {type: 5}}}}}]}",
            "/do/0/a/input/schema",
            "not valid",
        ),
        (
            "{do: [{a: {run: {shell: {command: x}}}}]}",
            "/do/0/a/run",
            "`run: shell` is not there yet",
        ),
        (
            "{do: [{a: {call: grpc}}]}",
            "/do/0/a/call",
            "`call: grpc` is not there yet",
        ),
        (
            "{do: [], use: {extensions: []}}",
            "/use/extensions",
            "is not there yet",
        ),
        (
            "{do: [{a: {listen: {to: {one: {with: {data: '${ $context.x }'}}}}}}]}",
            "/do/0/a/listen/to/one/with/data",
            "use `correlate`",
        ),
        (
            "{document: {dsl: '2.0.0', namespace: a, name: b, version: '1'}, do: []}",
            "/document/dsl",
            "not known",
        ),
        (
            "{document: {dsl: 1.0, namespace: a, name: b, version: '1'}, do: []}",
            "/document/dsl",
            "quotes",
        ),
        (
            "{schedule: {on: {all: []}}, do: []}",
            "/schedule",
            "not there yet",
        ),
        (
            "{schedule: {on: {one: {with: {data: {a: '${ .b }'}}}}}, do: []}",
            "/schedule/on/one/with/data",
            "whole of `data`",
        ),
        (
            "{do: [{a: {try: [], catch: {retry: {delay: 5s}}}}]}",
            "/do/0/a/catch/retry/delay",
            "constant length",
        ),
        (
            "{use: {retries: {r: {backoff: exponential}}}, do: []}",
            "/use/retries/r/backoff",
            "one of",
        ),
        ("{}", "", "`do` is missing"),
        ("5", "", "mapping"),
    ] {
        let found = Definition::read(yaml::read(document), "test", "test").expect_err(document);
        let told = found
            .iter()
            .any(|mistake| mistake.pointer == pointer && mistake.message.contains(message));
        assert!(told, "{document}: {found:#?}");
    }
}

#[test]
fn what_looks_like_an_expression_and_is_none_is_pointed_out() {
    let document = yaml::read("{do: [{a: {set: {x: 'Hello ${ .name }'}}}]}");
    let definition = Definition::read(document, "test", "test").unwrap();
    assert_eq!(definition.lints()[0].pointer, "/do/0/a/set/x");
}

#[test]
fn a_schedule_says_when_a_run_starts() {
    let read = |text: &str| Schedule::read(&yaml::read(text));
    assert_eq!(
        read("{every: PT1M}"),
        Ok(Schedule::Every(consort_model::time::Span::from_secs(60)))
    );
    assert_eq!(
        read("{cron: '0 3 * * *'}"),
        Ok(Schedule::Cron("0 3 * * *".into()))
    );
    let Ok(Schedule::On(filters)) = read("{on: {one: {with: {type: purchase}}}}") else {
        panic!()
    };
    assert_eq!(filters[0].event_type(), Some("purchase"));
    for text in ["{}", "{cron: '* *'}", "{every: 5}"] {
        assert!(read(text).is_err(), "{text}");
    }
    let document = yaml::read("{schedule: {on: {one: {with: {type: a}}}}, do: []}");
    let definition = Definition::read(document, "test", "test").unwrap();
    let event = json!({"type": "a", "data": 1});
    assert_eq!(definition.started_by(&event), json!([event]));
}
