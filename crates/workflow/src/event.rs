//! Filters of events.

use consort_expression::{Class, Evaluation, Facts, Scope, compile, strict_expression};
use consort_model::{Object, Value};
use serde::{Deserialize, Serialize};

/// What a filter says about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// The event is meant.
    Yes,
    /// It is not.
    No,
}

/// The rules of correlation among the attributes; no attribute can have this name.
const CORRELATE: &str = "$correlate";

/// Attributes that an event must have: equal, or matching as a whole a regular expression (of linear
/// time). `data` is compared with the data of the event, part by part. What is an expression sees the
/// data (for `data`) or the whole event, and must be true or equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventFilter(pub Value);

impl EventFilter {
    /// A filter with rules of correlation: by name, `from` is an expression on the event, `expect` a
    /// value that it must have (without it: any but null).
    pub(crate) fn new(with: Value, correlate: Object) -> Self {
        let mut filter = with;
        if let Some(attributes) = filter.as_object_mut()
            && !correlate.is_empty()
        {
            attributes.insert(CORRELATE.into(), Value::Object(correlate));
        }
        Self(filter)
    }

    /// The exact type that it asks for, if it names one: an index for those who match many.
    pub fn event_type(&self) -> Option<&str> {
        let plain =
            |text: &&str| !text.contains(['*', '[', '(', '{', '|', '+', '?', '\\', '^', '$']);
        self.0.get("type").and_then(Value::as_str).filter(plain)
    }

    /// Does it mean this event (in structured form)?
    pub fn matches(&self, event: &Value) -> Matching {
        let Some(attributes) = self.0.as_object() else {
            return Matching::No;
        };
        let all = attributes.iter().all(|(name, wanted)| {
            if name == CORRELATE {
                return wanted
                    .as_object()
                    .into_iter()
                    .flat_map(Object::values)
                    .all(|rule| correlates(event, rule));
            }
            let actual = event.get(name).unwrap_or(&Value::Null);
            match wanted.as_str().and_then(strict_expression) {
                Some(text) => {
                    let input = if name == "data" { actual } else { event };
                    evaluate(text, input)
                        .is_some_and(|value| value == Value::Bool(true) || value == *actual)
                }
                None if name == "data" => contains(actual, wanted),
                None => fits(actual, wanted),
            }
        });
        if all { Matching::Yes } else { Matching::No }
    }
}

/// Compiles an expression of a filter: it has no variables, and must be simple enough to be
/// evaluated where events are matched.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let scope = Scope {
        variables: Vec::new(),
        clock: false,
        files: false,
    };
    let program = compile(text, &scope).map_err(|error| error.to_string())?;
    match program.class() {
        Class::NeedsHelper(why) => Err(format!(
            "it is not simple enough for a filter of events: {why}"
        )),
        Class::Fast => Ok(()),
    }
}

fn evaluate(text: &str, input: &Value) -> Option<Value> {
    let scope = Scope {
        variables: Vec::new(),
        clock: false,
        files: false,
    };
    match compile(text, &scope)
        .ok()?
        .evaluate(input, &[], &Facts::default())
        .ok()?
    {
        Evaluation::Value(value) => Some(value),
        Evaluation::NeedsHelper(_) => None,
    }
}

fn correlates(event: &Value, rule: &Value) -> bool {
    let from = rule.get("from").and_then(Value::as_str).unwrap_or(".");
    let actual = evaluate(strict_expression(from).unwrap_or(from), event);
    match rule.get("expect") {
        Some(expected) => actual.as_ref() == Some(expected),
        None => actual.is_some_and(|value| !value.is_null()),
    }
}

fn fits(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::String(actual), Value::String(wanted)) => {
            actual == wanted
                || regex::Regex::new(&format!("^(?:{wanted})$"))
                    .is_ok_and(|regex| regex.is_match(actual))
        }
        (actual, wanted) => actual == wanted,
    }
}

fn contains(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, part)| actual.get(key).is_some_and(|value| contains(value, part))),
        (actual, wanted) => fits(actual, wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn filters_compare_attributes_and_parts_of_the_data() {
        let event = json!({"type": "shop.purchase", "source": "/orders", "data": {"order": 7, "by": {"id": "x"}}});
        for (filter, matching) in [
            (json!({"type": "shop.purchase"}), Matching::Yes),
            (
                json!({"type": "shop\\..*", "source": "/orders"}),
                Matching::Yes,
            ),
            (json!({"type": "purchase"}), Matching::No),
            (json!({"data": {"by": {"id": "x"}}}), Matching::Yes),
            (json!({"data": {"order": 8}}), Matching::No),
            (json!({"type": "("}), Matching::No),
            (json!({}), Matching::Yes),
            (json!({"data": "${ .order > 6 }"}), Matching::Yes),
            (json!({"data": "${ .order > 7 }"}), Matching::No),
            (
                json!({"source": "${ .source | startswith(\"/ord\") }"}),
                Matching::Yes,
            ),
            (
                json!({"$correlate": {"order": {"from": ".data.order", "expect": 7}}}),
                Matching::Yes,
            ),
            (
                json!({"$correlate": {"order": {"from": "${ .data.order }", "expect": 8}}}),
                Matching::No,
            ),
            (
                json!({"$correlate": {"other": {"from": ".data.other"}}}),
                Matching::No,
            ),
        ] {
            assert_eq!(
                EventFilter(filter.clone()).matches(&event),
                matching,
                "{filter}"
            );
        }
    }
}
