//! `!reset` and `!override` across files, and YAML's own ways to repeat oneself.

use serde_json::json;

use crate::support::{codes, loaded, part};

#[test]
fn reset_removes_what_earlier_files_set() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "services: {s: {image: i, ports: ['80:80'], environment: {A: x, B: y}, hostname: h}}",
        ),
        (
            "2.yaml",
            "services:\n  s:\n    ports: !reset null\n    environment:\n      A: !reset null\n    hostname: !reset anything\n",
        ),
    ]);
    let service = part(&loaded, "services/s");
    assert!(service.get("ports").is_none() && service.get("hostname").is_none());
    assert_eq!(service["environment"], json!({"B": "y"}));
}

#[test]
fn override_replaces_instead_of_merging() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "services: {s: {image: i, ports: ['80:80'], build: {context: a, target: t}}}",
        ),
        (
            "2.yaml",
            "services:\n  s:\n    ports: !override ['81:81']\n    build: !override {context: b}\n",
        ),
    ]);
    assert_eq!(
        part(&loaded, "services/s/ports").as_array().unwrap().len(),
        1
    );
    assert_eq!(
        part(&loaded, "services/s/build"),
        json!({"context": "/p/b", "dockerfile": "Dockerfile"})
    );
}

#[test]
fn an_entry_of_a_list_cannot_be_reset() {
    let loaded = loaded(&[
        ("1.yaml", "services: {s: {image: i, dns: [1.1.1.1]}}"),
        ("2.yaml", "services:\n  s:\n    dns: [!reset 1.1.1.1]\n"),
    ]);
    assert_eq!(part(&loaded, "services/s/dns"), json!(["1.1.1.1"]));
}

#[test]
fn a_tag_behind_an_alias_counts_wherever_the_alias_is_used() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "services: {a: {image: i, ports: ['1:1']}, b: {image: i, ports: ['1:1']}}",
        ),
        (
            "2.yaml",
            "x-none: &none\n  ports: !reset []\nservices:\n  a:\n    <<: *none\n  b: *none\n",
        ),
    ]);
    assert!(part(&loaded, "services/a").get("ports").is_none());
    assert!(part(&loaded, "services/b").get("ports").is_none());
}

#[test]
fn merge_keys_take_mappings_aliases_and_lists_of_them() {
    let text = "x-a: &a {A: 1, B: 1}\nx-b: &b {B: 2, C: 2}\nx-l: &l [*a, *b]\nservices:\n  s:\n    image: i\n    environment:\n      <<: *l\n      A: 0\n    labels: {<<: [*b, *a]}\n    annotations: {<<: {x: y}}\n";
    let loaded = loaded(&[("1.yaml", text)]);
    assert_eq!(
        part(&loaded, "services/s/environment"),
        json!({"A": "0", "B": "1", "C": "2"})
    );
    assert_eq!(
        part(&loaded, "services/s/labels"),
        json!({"A": "1", "B": "2", "C": "2"})
    );
    assert_eq!(part(&loaded, "services/s/annotations"), json!({"x": "y"}));
}

#[test]
fn wrong_yaml_is_named() {
    for (text, expected) in [
        ("services: {s: {image: a, image: b}}", "E0007"),
        ("services: {80: {image: a}}", "E0008"),
        ("services: {s: {image: a}}\nx-y: {true: 1}", "E0008"),
        ("services: {s: &s {image: a, x-y: *s}}", "E0006"),
        ("services: {s: {<<: 3, image: a}}", "E0011"),
        ("services: {s: {image: *none}}", "E0003"),
        ("services:\n\ts: {}", "E0003"),
        ("", "E0009"),
        ("# only a comment\n", "E0009"),
        ("---\n", "E0009"),
        ("[1, 2]", "E0010"),
        ("services: {s: {image: !!int abc}}", "E0014"),
        ("services: {s: {image: i, x: {$deferred: 1}}}", "E0077"),
    ] {
        assert!(
            codes(&[("1.yaml", text)]).contains(&expected),
            "{text}: {:?}",
            codes(&[("1.yaml", text)])
        );
    }
}

#[test]
fn workflows_are_kept_as_they_are() {
    let text = "services: {s: {image: i}}\nworkflows:\n  w:\n    definition:\n      do:\n        - a: {set: {x: '${ .y }', z: $HOME, n: 010, d: 2024-01-01, o: on, t: !reset 1}}\n";
    let loaded = loaded(&[("1.yaml", text)]);
    let set = loaded
        .document
        .at(&["workflows", "w", "definition", "do"])
        .unwrap()
        .as_seq()
        .unwrap()[0]
        .to_json();
    assert_eq!(
        set,
        json!({"a": {"set": {"x": "${ .y }", "z": "$HOME", "n": 10, "d": "2024-01-01", "o": "on", "t": 1}}})
    );
}
