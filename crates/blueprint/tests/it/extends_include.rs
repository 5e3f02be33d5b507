//! `extends` and `include` across files.

use serde_json::json;

use crate::support::{codes, loaded, mistakes, part};

#[test]
fn a_base_of_another_file_brings_its_own_paths() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "services: {s: {extends: {service: base, file: sub/base.yaml}, ports: ['81:81']}}",
        ),
        (
            "sub/base.yaml",
            "services: {base: {extends: {service: root, file: ../root.yaml}, build: ./ctx, ports: ['80:80'], volumes: ['./d:/d']}}",
        ),
        (
            "root.yaml",
            "services: {root: {hostname: h, volumes: ['./r:/r']}}",
        ),
    ]);
    assert_eq!(
        part(&loaded, "services/s/build/context"),
        json!("/p/sub/ctx")
    );
    assert_eq!(part(&loaded, "services/s/hostname"), json!("h"));
    let sources: Vec<_> = part(&loaded, "services/s/volumes")
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["source"].clone())
        .collect();
    assert_eq!(sources, [json!("/p/r"), json!("/p/sub/d")]);
    let ports: Vec<_> = part(&loaded, "services/s/ports")
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["target"].clone())
        .collect();
    assert_eq!(ports, [json!(80), json!(81)]);
}

#[test]
fn tags_take_away_what_a_base_brings() {
    let loaded = loaded(&[(
        "1.yaml",
        "services:\n  b: {image: i, ports: ['80:80'], environment: {A: x, B: y}}\n  s:\n    extends: b\n    ports: !reset []\n    environment: !override {C: z}\n",
    )]);
    assert_eq!(part(&loaded, "services/s/environment"), json!({"C": "z"}));
    assert!(part(&loaded, "services/s").get("ports").is_none());
    assert_eq!(
        part(&loaded, "services/b/environment"),
        json!({"A": "x", "B": "y"})
    );
}

#[test]
fn circles_and_missing_bases_are_named() {
    let circle = mistakes(&[(
        "1.yaml",
        "services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n",
    )]);
    assert!(
        circle.contains("circular reference of `extends`: a -> b -> c -> a"),
        "{circle}"
    );
    let across = codes(&[
        (
            "1.yaml",
            "services: {a: {extends: {service: a, file: 2b.txt}}}",
        ),
        ("x/none", ""),
    ]);
    assert_eq!(across, ["E0012"]);
    let missing = mistakes(&[("1.yaml", "services: {web: {image: i}, s: {extends: wbe}}")]);
    assert!(missing.contains("did you mean `web`?"), "{missing}");
    let two = codes(&[
        (
            "1.yaml",
            "services: {a: {extends: {service: b, file: other.yaml}}}",
        ),
        (
            "other.yaml",
            "services: {b: {extends: {service: a, file: 1.yaml}}}",
        ),
    ]);
    assert_eq!(two, ["E0061"]);
}

#[test]
fn an_included_blueprint_has_its_own_folder_and_variables() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "include: [sub/compose.yaml]\nservices: {s: {image: 'i:${TAG:-none}', depends_on: [db]}}",
        ),
        (
            "sub/compose.yaml",
            "services: {db: {image: 'db:${TAG}', volumes: ['./d:/d'], environment: [TAG]}}",
        ),
        ("sub/.env", "TAG=7"),
    ]);
    assert_eq!(part(&loaded, "services/s/image"), json!("i:none"));
    assert_eq!(part(&loaded, "services/db/image"), json!("db:7"));
    assert_eq!(
        part(&loaded, "services/db/environment"),
        json!({"TAG": "7"})
    );
    assert_eq!(
        part(&loaded, "services/db/volumes/0/source"),
        json!("/p/sub/d")
    );
}

#[test]
fn the_long_form_of_include_lays_files_over_each_other() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "include:\n  - path: [sub/a.yaml, sub/b.yaml]\n    project_directory: other\n    env_file: [vars.env]\n",
        ),
        ("sub/a.yaml", "services: {s: {image: 'a:${V}', build: .}}"),
        ("sub/b.yaml", "services: {s: {labels: {v: '${V}'}}}"),
        ("vars.env", "V=1"),
    ]);
    assert_eq!(part(&loaded, "services/s/image"), json!("a:1"));
    assert_eq!(part(&loaded, "services/s/labels"), json!({"v": "1"}));
    assert_eq!(part(&loaded, "services/s/build/context"), json!("/p/other"));
}

#[test]
fn a_local_definition_is_laid_over_the_included_one() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "include: [sub/a.yaml]\nservices: {db: {image: local, ports: !override ['81:80']}}",
        ),
        (
            "sub/a.yaml",
            "services: {db: {image: far, ports: ['80:80'], hostname: h}}\ninputs: {x: {type: string}}",
        ),
    ]);
    assert_eq!(part(&loaded, "services/db/image"), json!("local"));
    assert_eq!(part(&loaded, "services/db/hostname"), json!("h"));
    assert_eq!(
        part(&loaded, "services/db/ports").as_array().unwrap().len(),
        1
    );
    assert_eq!(part(&loaded, "inputs/x/type"), json!("string"));
}

#[test]
fn an_included_service_can_be_extended() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "include: [sub/a.yaml]\nservices: {s: {extends: db, hostname: s}}",
        ),
        ("sub/a.yaml", "services: {db: {image: far, command: [x]}}"),
    ]);
    assert_eq!(part(&loaded, "services/s/image"), json!("far"));
    assert_eq!(part(&loaded, "services/s/command"), json!(["x"]));
}

#[test]
fn the_same_blueprint_may_be_included_on_two_ways() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "include: [a.yaml, b.yaml]\nservices: {s: {image: i}}",
        ),
        ("a.yaml", "include: [c.yaml]\nservices: {a: {image: a}}"),
        ("b.yaml", "include: [c.yaml]\nservices: {b: {image: b}}"),
        ("c.yaml", "services: {c: {image: c, ports: ['80:80']}}"),
    ]);
    assert_eq!(
        part(&loaded, "services/c/ports").as_array().unwrap().len(),
        1
    );
}

#[test]
fn includes_that_go_round_are_a_mistake() {
    let text = mistakes(&[
        ("1.yaml", "include: [a.yaml]\n"),
        ("a.yaml", "include: [b.yaml]\nservices: {a: {image: a}}"),
        ("b.yaml", "include: [a.yaml]\n"),
    ]);
    assert!(text.contains("a.yaml -> b.yaml -> a.yaml"), "{text}");
    assert_eq!(
        codes(&[("1.yaml", "include: [git@x/y]\nservices: {}")]),
        ["E0015"]
    );
    assert_eq!(
        codes(&[("1.yaml", "include: [nothing.yaml]\nservices: {}")]),
        ["E0012"]
    );
    assert_eq!(
        codes(&[("1.yaml", "include: [{file: x}]\nservices: {}")]),
        ["E0064", "E0070"]
    );
}
