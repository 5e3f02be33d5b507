//! Properties that hold for any input.

use consort_blueprint::diagnostic::Sink;
use consort_blueprint::interpolate::{compose_only, interpolate};
use consort_blueprint::merge::merge;
use consort_blueprint::{FileId, Node, dotenv, quantity, yaml};
use proptest::prelude::*;

use crate::support::try_load;

/// Text that looks like a blueprint now and then.
fn yamlish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("services:"),
        Just("\n"),
        Just("  "),
        Just("s:"),
        Just("image:"),
        Just("ports:"),
        Just("- "),
        Just("\"80:80\""),
        Just("${A:-b}"),
        Just("${ .x }"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("&a "),
        Just("*a"),
        Just("<<: "),
        Just("!reset "),
        Just("!override "),
        Just("environment:"),
        Just("extends:"),
        Just("depends_on:"),
        Just("volumes:"),
        Just("a:/b"),
        Just("'"),
        Just("---\n"),
        Just(", "),
        Just("~"),
        Just("1e3"),
        Just("x-y: "),
        Just("build:"),
        Just("#"),
        Just("networks:"),
        Just("include:"),
        Just("external:"),
        Just("deploy:"),
        Just("|"),
        Just("é"),
        Just(": ")
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Trees of scalars, lists and mappings in which a key has the same kind everywhere, so that none clash.
fn tree() -> impl Strategy<Value = String> {
    let entry = prop_oneof![
        ("[a-c]", 0..9i32).prop_map(|(key, value)| format!("s{key}: {value}")),
        ("[a-c]", proptest::collection::vec(0..9i32, 0..3))
            .prop_map(|(key, items)| format!("l{key}: {items:?}")),
        ("[a-c]", "[a-c]", 0..9i32).prop_map(|(key, inner, value)| format!(
            "m{key}: {{s{inner}: {value}, l{inner}: [{value}]}}"
        )),
    ];
    proptest::collection::vec(entry, 0..5).prop_map(|entries| {
        let mut seen = std::collections::BTreeSet::new();
        let distinct: Vec<String> = entries
            .into_iter()
            .filter(|entry| seen.insert(entry.split(':').next().map(str::to_owned)))
            .collect();
        format!("{{{}}}", distinct.join(", "))
    })
}

fn laid(base: &Node, over: &Node) -> Node {
    let mut sink = Sink::default();
    let merged = merge(base.clone(), over.clone(), &mut Vec::new(), &mut sink);
    assert!(!sink.has_errors());
    merged
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_yaml_never_panics(text in "\\PC{0,200}") {
        if let Ok(documents) = yaml::parse(&text, FileId::NONE) {
            for document in documents {
                document.expand(FileId::NONE, &mut Sink::default());
            }
        }
    }

    #[test]
    fn loading_never_panics(text in yamlish(), second in yamlish()) {
        let _ = try_load(&[("1.yaml", &text)]);
        let _ = try_load(&[("1.yaml", &text), ("2.yaml", &second)]);
        let whole = format!("services:\n  s:\n    image: i\n    {}", second.replace('\n', "\n    "));
        let _ = try_load(&[("1.yaml", &whole), ("2.yaml", &text)]);
    }

    #[test]
    fn interpolation_never_panics(text in "[${}:?+\\-A-Ca-c .\n\"]{0,60}") {
        let lookup = |name: &str| if name == "A" { Some("v") } else if name == "B" { Some("") } else { None };
        let ours = interpolate(&text, &lookup);
        let theirs = compose_only(&text, &lookup);
        // What Compose accepts means the same here.
        if let Ok((expected, _)) = theirs {
            let joined: String = ours.unwrap().parts.into_iter().map(|part| match part {
                consort_model::template::TextPart::Text(text) | consort_model::template::TextPart::Expression(text) => text,
            }).collect();
            prop_assert_eq!(joined, expected);
        }
    }

    #[test]
    fn env_files_and_quantities_never_panic(text in "\\PC{0,80}", lines in "[A-C=:\"'\\\\$#{} \n\t0a]{0,60}") {
        let none = |_: &str| None;
        let _ = dotenv::parse(&text, &none);
        let _ = dotenv::parse(&lines, &none);
        let _ = dotenv::parse_raw(&lines, &none);
        let _ = quantity::bytes(&text);
        let _ = quantity::nanoseconds(&text);
        let _ = consort_blueprint::canonical::port::parse(&text);
        let _ = consort_blueprint::canonical::volume::parse(&text);
        let _ = consort_blueprint::canonical::command::split(&text);
    }

    #[test]
    fn laying_over_is_associative(a in tree(), b in tree(), c in tree()) {
        let [a, b, c] = [a, b, c].map(|text| yaml::parse_one(&text).unwrap());
        prop_assert_eq!(laid(&laid(&a, &b), &c), laid(&a, &laid(&b, &c)));
    }

    #[test]
    fn nothing_laid_over_changes_nothing(a in tree()) {
        let a = yaml::parse_one(&a).unwrap();
        let empty = yaml::parse_one("{}").unwrap();
        prop_assert_eq!(&laid(&a, &empty), &a);
        prop_assert_eq!(&laid(&empty, &a), &a);
    }
}
