//! Differences between what is recorded and what shall be, attribute by attribute, with paths.

use consort_model::plan::Difference;
use consort_model::secret::OPEN;
use consort_model::{Partial, Value};

use crate::contract::TypeSchema;
use crate::path::{self, Step};

/// Deeper differences are shown as one.
const MAX_DEPTH: usize = 64;

/// The differences of settings: recorded ones (null when nothing is) against wanted ones. A key
/// that is absent counts as null.
pub fn settings(before: &Value, after: &Partial) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(before, after, String::new(), 0, &mut found);
    found
}

/// The differences of two known values.
pub fn values(before: &Value, after: &Value) -> Vec<Difference> {
    settings(before, &Partial::from(after.clone()))
}

/// Adds the differences of attributes that are no settings: what the driver finds out.
pub fn attributes(
    before: &Value,
    planned: &Partial,
    settings: &Partial,
    found: &mut Vec<Difference>,
) {
    let Partial::Map(planned) = planned else {
        return;
    };
    let is_setting = |key: &str| settings.get(key).is_some_and(|part| *part != Partial::NULL);
    for (key, after) in planned.iter().filter(|(key, _)| !is_setting(key)) {
        let before = before.get(key).unwrap_or(&Value::Null);
        compare(before, after, path::with_key("", key), 1, found);
    }
}

/// Marks the differences of secrets, and those that force a replacement.
pub fn mark(differences: &mut [Difference], schema: Option<&TypeSchema>, forcing: &[String]) {
    let forcing: Vec<Vec<Step>> = forcing
        .iter()
        .filter_map(|text| path::parse(text))
        .collect();
    for difference in differences {
        let steps = path::parse(&difference.path).unwrap_or_default();
        let by_schema = match (schema, steps.first()) {
            (Some(schema), Some(Step::Key(name))) => schema.is_sensitive(name),
            _ => false,
        };
        difference.sensitive =
            by_schema || holds_token(&difference.before) || partial_holds_token(&difference.after);
        difference.forces_replacement = forcing.iter().any(|path| path::overlap(path, &steps));
    }
}

fn holds_token(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(OPEN),
        Value::Array(items) => items.iter().any(holds_token),
        Value::Object(object) => object.values().any(holds_token),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(crate) fn partial_holds_token(value: &Partial) -> bool {
    match value {
        Partial::Unknown(_) => false,
        Partial::Scalar(value) => holds_token(value),
        Partial::List(items) => items.iter().any(partial_holds_token),
        Partial::Map(map) => map.values().any(partial_holds_token),
    }
}

fn compare(
    before: &Value,
    after: &Partial,
    path: String,
    depth: usize,
    found: &mut Vec<Difference>,
) {
    if depth < MAX_DEPTH {
        match (before, after) {
            (Value::Object(_) | Value::Null, Partial::Map(after)) if !after.is_empty() => {
                return compare_maps(before, after, &path, depth, found);
            }
            (Value::Array(before), Partial::List(after)) if !after.is_empty() => {
                return compare_lists(before, after, &path, depth, found);
            }
            _ => {}
        }
    }
    if !is_same(before, after) {
        found.push(Difference {
            path,
            before: before.clone(),
            after: after.clone(),
            sensitive: false,
            forces_replacement: false,
        });
    }
}

fn compare_maps(
    before: &Value,
    after: &indexmap::IndexMap<String, Partial>,
    path: &str,
    depth: usize,
    found: &mut Vec<Difference>,
) {
    for (key, part) in after {
        let before = before.get(key).unwrap_or(&Value::Null);
        compare(before, part, path::with_key(path, key), depth + 1, found);
    }
    let removed = before.as_object().into_iter().flatten();
    for (key, before) in removed.filter(|(key, _)| !after.contains_key(*key)) {
        let path = path::with_key(path, key);
        compare(before, &Partial::NULL, path, depth + 1, found);
    }
}

fn compare_lists(
    before: &[Value],
    after: &[Partial],
    path: &str,
    depth: usize,
    found: &mut Vec<Difference>,
) {
    for index in 0..before.len().max(after.len()) {
        let before = before.get(index).unwrap_or(&Value::Null);
        let after = after.get(index).unwrap_or(&Partial::NULL);
        let path = path::with_index(path, index);
        compare(before, after, path, depth + 1, found);
    }
}

/// Equal, where numbers are equal by value and absent keys of objects are null.
pub fn is_same(before: &Value, after: &Partial) -> bool {
    match (before, after) {
        (Value::Number(one), Partial::Scalar(Value::Number(other))) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (before, Partial::Scalar(after)) => before == after,
        (Value::Array(before), Partial::List(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(b, a)| is_same(b, a))
        }
        (Value::Object(before), Partial::Map(after)) => {
            after
                .iter()
                .all(|(key, part)| is_same(before.get(key).unwrap_or(&Value::Null), part))
                && before
                    .iter()
                    .all(|(key, value)| value.is_null() || after.contains_key(key))
        }
        (_, Partial::Unknown(_) | Partial::List(_) | Partial::Map(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(before: Value, after: Value) -> Vec<String> {
        settings(&before, &Partial::from(after))
            .into_iter()
            .map(|d| format!("{} {} {}", d.path, d.before, json!(d.after)))
            .collect()
    }

    #[test]
    fn differences_have_paths() {
        assert_eq!(
            shown(
                json!({"a": 1, "tags": {"x": 1, "gone": true}, "l": [1, 2], "same": [1]}),
                json!({"a": 2, "tags": {"x": 1, "y": "z"}, "l": [1, 3, 4], "same": [1]}),
            ),
            [
                "a 1 2",
                "tags.y null \"z\"",
                "tags.gone true null",
                "l[1] 2 3",
                "l[2] null 4"
            ]
        );
    }

    #[test]
    fn unknown_is_a_difference_and_absent_is_null() {
        assert_eq!(
            shown(
                json!({"a": "x", "n": null}),
                json!({"a": {"$unknown": "apply"}, "m": null})
            ),
            ["a \"x\" {\"$unknown\":\"apply\"}"]
        );
        assert_eq!(shown(json!(null), json!({})).len(), 1);
        assert!(shown(json!({"n": 1.0}), json!({"n": 1})).is_empty());
    }

    #[test]
    fn secrets_and_forcing_differences_are_marked() {
        let schema = TypeSchema {
            attributes: vec![crate::contract::AttributeSchema {
                name: "password".into(),
                sensitive: true,
                ..Default::default()
            }],
            ..Default::default()
        };
        let mut found = values(
            &json!({"password": "a", "zone": {"id": 1}, "text": "\u{E0C5}x@1\u{E0C6}"}),
            &json!({"password": "b", "zone": {"id": 2}, "text": "y"}),
        );
        mark(&mut found, Some(&schema), &["zone".into()]);
        let flags: Vec<_> = found
            .iter()
            .map(|d| (d.path.as_str(), d.sensitive, d.forces_replacement))
            .collect();
        assert_eq!(
            flags,
            [
                ("password", true, false),
                ("zone.id", false, true),
                ("text", true, false)
            ]
        );
    }
}
