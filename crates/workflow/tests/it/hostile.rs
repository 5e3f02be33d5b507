//! Whatever comes in: no panic.

use consort_model::Value;
use consort_workflow::{Definition, EventFilter, Schedule, xml};
use proptest::prelude::*;
use serde_json::json;

fn value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "do", "set", "for", "in", "each", "try", "catch", "fork", "branches", "switch", "when",
        "then", "call", "with", "http", "endpoint", "wait", "listen", "to", "one", "emit", "event",
        "raise", "error", "retry", "delay", "PT1S", "${ . }", "${ .a[ }", "timeout", "after",
        "schedule", "on", "type", "metadata", "use", "errors", "input", "schema", "document", "a",
        "/~",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..4).prop_map(|entries| entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_document_filter_or_schedule_makes_it_panic(value in value()) {
        let _ = Definition::read(value.clone(), "test", "test");
        let _ = Definition::read(json!({"do": [{"a": &value}]}), "test", "test");
        let _ = Schedule::read(&value);
        let _ = EventFilter(value).matches(&json!({"type": "a", "data": {"a": 1}}));
    }

    #[test]
    fn no_text_makes_the_reader_of_xml_panic(text in "(<[a-z/!?]{0,3}|[a-z =\"&;>]|]]>|<!\\[CDATA\\[|&#[0-9x]{1,4};){0,30}") {
        let _ = xml::decode(&text);
    }
}
