//! Filters of events.

use consort_model::Value;
use serde::{Deserialize, Serialize};

/// What a filter says about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// The event is meant.
    Yes,
    /// It is not.
    No,
}

/// Attributes that an event must have: equal, or matching as a whole a regular expression (of linear
/// time). `data` is compared with the data of the event, part by part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventFilter(pub Value);

impl EventFilter {
    /// The exact type that it asks for, if it names one: an index for those who match many.
    pub fn event_type(&self) -> Option<&str> {
        self.0.get("type").and_then(Value::as_str).filter(|text| !text.contains(['*', '[', '(', '|', '+', '?', '\\', '^', '$']))
    }

    /// Does it mean this event (in structured form)?
    pub fn matches(&self, event: &Value) -> Matching {
        let Some(attributes) = self.0.as_object() else { return Matching::No };
        let all = attributes.iter().all(|(name, wanted)| {
            let actual = event.get(name).unwrap_or(&Value::Null);
            if name == "data" { contains(actual, wanted) } else { fits(actual, wanted) }
        });
        if all { Matching::Yes } else { Matching::No }
    }
}

fn fits(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::String(actual), Value::String(wanted)) => {
            actual == wanted || regex::Regex::new(&format!("^(?:{wanted})$")).is_ok_and(|regex| regex.is_match(actual))
        }
        (actual, wanted) => actual == wanted,
    }
}

fn contains(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => {
            wanted.iter().all(|(key, part)| actual.get(key).is_some_and(|value| contains(value, part)))
        }
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
            (json!({"type": "shop\\..*", "source": "/orders"}), Matching::Yes),
            (json!({"type": "purchase"}), Matching::No),
            (json!({"data": {"by": {"id": "x"}}}), Matching::Yes),
            (json!({"data": {"order": 8}}), Matching::No),
            (json!({"type": "("}), Matching::No),
            (json!({}), Matching::Yes),
        ] {
            assert_eq!(EventFilter(filter.clone()).matches(&event), matching, "{filter}");
        }
    }
}
