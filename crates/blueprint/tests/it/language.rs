//! `config`, `fmt`, `explain`, `schema`, the reference, files of inputs.

use consort_blueprint::{docs, emit, explain, fmt, schema, yaml};
use proptest::prelude::*;
use serde_json::json;

use crate::elements::SHOP;
use crate::support::loaded;

#[test]
fn what_config_prints_can_be_loaded_again_and_means_the_same() {
    let text = format!("{SHOP}x-price: '$$5 ${{ .inputs.env }} $${{ x }}'\n");
    let first = loaded(&[("1.yaml", &text)]);
    for json in [false, true] {
        let printed = emit::config(&first, json);
        assert!(
            printed.contains("${ .services.api.url }")
                && printed.contains("$$5 ${ .inputs.env } $${ x }"),
            "{printed}"
        );
        let second = loaded(&[("1.yaml", &printed)]);
        assert_eq!(emit::config(&second, json), printed);
        assert_eq!(
            second.document.at(&["workflows"]),
            first.document.at(&["workflows"])
        );
        assert_eq!(
            second.document.at(&["outputs"]),
            first.document.at(&["outputs"])
        );
    }
}

#[test]
fn config_is_readable() {
    insta::assert_snapshot!(emit::config(&loaded(&[("1.yaml", SHOP)]), false));
}

#[test]
fn formatting_makes_lines_regular_and_keeps_comments_and_texts() {
    let text = "\u{feff}# top  \r\n\r\n\r\n\r\na: 1   # one\t\r\nb: |\n  two  \n\n\n  three\n\n\nc:   'x'  \n\n\n\n";
    let once = fmt::format(text).unwrap();
    assert_eq!(
        once,
        "# top\n\na: 1   # one\nb: |\n  two  \n\n\n  three\n\n\nc:   'x'\n"
    );
    assert_eq!(fmt::format(&once).unwrap(), once);
    assert!(fmt::format("a: [1\nb: 2").unwrap_err().starts_with("line "));
}

#[test]
fn a_key_is_explained_by_its_path_or_its_name() {
    let text = explain::explain("services.*.healthcheck.interval").unwrap();
    assert!(
        text.contains("The time between two checks") && text.contains("takes"),
        "{text}"
    );
    assert_eq!(
        explain::explain("services.api.healthcheck.interval")
            .unwrap()
            .lines()
            .nth(1),
        text.lines().nth(1)
    );
    assert!(
        explain::explain("E0070")
            .unwrap()
            .contains("A key is unknown here.")
    );
    assert!(
        explain::explain("autoscale")
            .unwrap()
            .starts_with("services.*.autoscale")
    );
    assert!(
        explain::explain("estimate")
            .unwrap()
            .starts_with("workloads.*.tasks.*.estimate")
    );
    assert!(
        explain::explain("pools").unwrap().contains("max_cpus"),
        "its keys are listed"
    );
    assert_eq!(explain::explain("services.*.helthcheck"), None);
    assert_eq!(
        explain::nearest("services.api.helthcheck").as_deref(),
        Some("services.*.healthcheck")
    );
    assert_eq!(
        explain::nearest("enviroment").as_deref(),
        Some("services.*.environment")
    );
    assert_eq!(explain::nearest("qqqqqqqqqqqq"), None);
}

#[test]
fn the_schema_has_every_key_and_resolves() {
    let schema = schema::schema();
    let text = schema.to_string();
    for key in [
        "workloads",
        "for_each",
        "healthcheck",
        "estimate",
        "expose",
        "prevent_destroy",
    ] {
        assert!(text.contains(&format!("\"{key}\"")), "{key}");
    }
    for part in text.split("\"$ref\":\"#/$defs/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schema["$defs"].get(name).is_some(), "{name}");
    }
    assert_eq!(
        schema["$defs"]["workload"]["required"],
        json!(["pool", "objective", "tasks"])
    );
}

#[test]
fn the_reference_names_every_element() {
    let text = docs::reference_markdown();
    for heading in [
        "## The top level",
        "## `services.*`",
        "## `workloads.*.tasks.*`",
        "## `pools.*.types`",
        "## `inputs.*`",
    ] {
        assert!(text.contains(heading), "{heading}");
    }
}

#[test]
fn files_of_inputs_are_plain_values() {
    assert_eq!(
        yaml::plain_value(b"a: ${X}\nb: [1, true, null]\n"),
        Ok(json!({"a": "${X}", "b": [1, true, null]}))
    );
    assert_eq!(yaml::plain_value(b"{\"a\": 1.5}"), Ok(json!({"a": 1.5})));
    assert_eq!(yaml::plain_value(b""), Ok(json!(null)));
    for (text, wanted) in [
        (&b"a: 1\na: 2"[..], "line 2"),
        (b"a: [", "line"),
        (b"a: 1\n---\nb: 2", "more than one"),
        (b"a: \xff", "UTF-8"),
    ] {
        assert!(
            yaml::plain_value(text).unwrap_err().contains(wanted),
            "{wanted}: {:?}",
            yaml::plain_value(text)
        );
    }
}

/// Lines of blueprints, some of them wrong.
const LINES: &[&str] = &[
    "inputs: {a: {type: integer, default: 1}}",
    "inputs: {a: 5}",
    "locals: {a: '${ .inputs.a }', b: [1]}",
    "locals: null",
    "resources: {r: {type: file, for_each: '${ .inputs.a }', properties: {p: '${ .each.key }'}}}",
    "resources: {r: {type: '${ .a }'}}",
    "resources: {r: {depends_on: ['resources[\"x\"]', services.s], type: file}}",
    "data: {d: {type: x, properties: null}}",
    "services: {s: {command: run, environment: {A: '${ .locals.a | }'}}}",
    "services: {s: {image: i, process: {command: '\"'}}}",
    "pools: {p: {types: [{name: a, cpus: '${ .inputs.a }', memory: 1G, price: 1 USD/h}]}}",
    "pools: {p: {types: []}}",
    "workloads: {w: {pool: p, objective: {deadline: 1h}, tasks: {t: {estimate: 1s, command: x, needs: [t]}}}}",
    "workloads: {w: {pool: '${ .x }', objective: '${ .y }', tasks: '${ .z }'}}",
    "workflows: {f: {definition: {do: []}, expose: {get: '/{a}'}}}",
    "workflows: {f: {definition: 5}}",
    "outputs: {o: {value: '${ .outputs.o }'}}",
    "outputs: {o: '${ .services[.locals.a] }'}",
    "objectives: {budget: 5 USD/month}",
    "target: {kind: process}",
    "target: '${ .x }'",
    "jobs: {j: {image: i, triggers: {schedule: [{cron: x}]}}}",
    "providers: {}",
    "hosts: {h: 1}",
    "secrets: {s: {environment: X}}",
    "networks: {n: {}}",
    "volumes: {v: }",
    "x-free: '${ .a }'",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn typing_never_panics(lines in prop::collection::btree_map(0usize..16, prop::sample::select(LINES), 1..10), cut in 0usize..400) {
        let mut seen = std::collections::BTreeSet::new();
        let lines: Vec<&str> = lines.into_values().filter(|line| seen.insert(line.split(':').next().unwrap_or(line))).collect();
        let mut text = lines.join("\n");
        if cut % 3 == 0 && text.is_char_boundary(cut.min(text.len())) {
            text.truncate(cut);
        }
        if let Ok(loaded) = crate::support::try_load(&[("1.yaml", &text)]) {
            let _ = consort_blueprint::to_blueprint(&loaded);
            let printed = emit::config(&loaded, false);
            prop_assert!(yaml::parse_one(&printed).is_ok(), "{}", printed);
        }
    }

    #[test]
    fn formatting_is_idempotent_and_keeps_the_meaning(text in "([a-c]: ?[|>'\"x#&*!-]?[ \tx]{0,3}\r?\n|  y \n|\n|# c  \n|- z \n){0,8}") {
        if let Ok(once) = fmt::format(&text) {
            prop_assert_eq!(fmt::format(&once), Ok(once.clone()));
            let value = |text: &str| yaml::parse_one(text).ok().map(|node| node.to_json());
            prop_assert_eq!(value(&once), value(&text));
        }
    }

    #[test]
    fn explaining_never_panics(text in "[a-z.*_]{0,30}") {
        let _ = explain::explain(&text);
        let _ = explain::nearest(&text);
    }
}
