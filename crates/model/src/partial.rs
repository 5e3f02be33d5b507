//! Values of which parts are not known yet: what a plan says that a node will look like.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Object, Value};

/// Why a value is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It exists only once a step of the plan has been carried out.
    Apply,
    /// It is the digest of something that has not been built.
    Build,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apply => "(known after apply)",
            Self::Build => "(known after build)",
        })
    }
}

/// A JSON value whose parts may be unknown. In JSON an unknown part is `{"$unknown": "apply"}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Partial {
    /// Not known yet.
    Unknown(Why),
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Map(IndexMap<String, Self>),
}

const UNKNOWN: &str = "$unknown";

impl Partial {
    /// Null.
    pub const NULL: Self = Self::Scalar(Value::Null);

    /// The value, if nothing in it is unknown.
    pub fn known(&self) -> Option<Value> {
        Some(match self {
            Self::Unknown(_) => return None,
            Self::Scalar(value) => value.clone(),
            Self::List(items) => {
                Value::Array(items.iter().map(Self::known).collect::<Option<_>>()?)
            }
            Self::Map(map) => Value::Object(
                map.iter()
                    .map(|(key, item)| Some((key.clone(), item.known()?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }

    /// Why the first unknown part is unknown, if there is one.
    pub fn unknown(&self) -> Option<Why> {
        match self {
            Self::Unknown(why) => Some(*why),
            Self::Scalar(_) => None,
            Self::List(items) => items.iter().find_map(Self::unknown),
            Self::Map(map) => map.values().find_map(Self::unknown),
        }
    }

    /// The part under this key of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            Self::Unknown(_) | Self::Scalar(_) | Self::List(_) => None,
        }
    }

    /// The text, if this is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Scalar(value) => value.as_str(),
            Self::Unknown(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Where a value that became known differs from this, its promise: the path, what was promised
    /// and what is there. Unknown parts promise nothing.
    pub fn broken_by(&self, actual: &Value) -> Option<(String, Value, Value)> {
        self.broken_at(actual, String::new())
    }

    fn broken_at(&self, actual: &Value, path: String) -> Option<(String, Value, Value)> {
        match (self, actual) {
            (Self::Unknown(_), _) => None,
            (Self::List(promised), Value::Array(items)) if promised.len() == items.len() => {
                promised
                    .iter()
                    .zip(items)
                    .enumerate()
                    .find_map(|(index, (part, item))| {
                        part.broken_at(item, format!("{path}[{index}]"))
                    })
            }
            (Self::Map(promised), Value::Object(object)) => {
                let missing = object.keys().find(|key| !promised.contains_key(*key));
                if let Some(key) = missing {
                    return Some((format!("{path}.{key}"), Value::Null, object[key].clone()));
                }
                promised.iter().find_map(|(key, part)| {
                    part.broken_at(
                        object.get(key).unwrap_or(&Value::Null),
                        format!("{path}.{key}"),
                    )
                })
            }
            (promised, actual) => {
                let promise = serde_json::to_value(promised).unwrap_or(Value::Null);
                (promise != *actual).then(|| (path, promise, actual.clone()))
            }
        }
    }
}

impl From<Value> for Partial {
    /// Nothing in the result is unknown, except where the value holds the JSON form of an unknown.
    fn from(value: Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(object) => from_object(object),
            scalar => Self::Scalar(scalar),
        }
    }
}

fn from_object(object: Object) -> Partial {
    if object.len() == 1
        && let Some(why) = object
            .get(UNKNOWN)
            .and_then(|why| Why::deserialize(why).ok())
    {
        return Partial::Unknown(why);
    }
    Partial::Map(
        object
            .into_iter()
            .map(|(key, item)| (key, item.into()))
            .collect(),
    )
}

impl Serialize for Partial {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown(why) => s.collect_map([(UNKNOWN, why)]),
            Self::Scalar(value) => value.serialize(s),
            Self::List(items) => items.serialize(s),
            Self::Map(map) => map.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Partial {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Value::deserialize(d).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn partial(value: Value) -> Partial {
        Partial::from(value)
    }

    #[test]
    fn an_unknown_part_survives_json() {
        let value = partial(json!({"a": [1, {"$unknown": "apply"}]}));
        assert_eq!(value.unknown(), Some(Why::Apply));
        assert_eq!(value.known(), None);
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<Partial>(&text).unwrap(), value);
    }

    #[test]
    fn a_broken_promise_names_the_place_and_both_values() {
        let promise = partial(json!({"a": {"b": [1, {"$unknown": "apply"}]}, "c": "x"}));
        assert_eq!(
            promise.broken_by(&json!({"a": {"b": [1, 9]}, "c": "x"})),
            None
        );
        assert_eq!(
            promise.broken_by(&json!({"a": {"b": [2, 9]}, "c": "x"})),
            Some((".a.b[0]".into(), json!(1), json!(2)))
        );
        assert!(
            promise
                .broken_by(&json!({"a": {"b": [1, 9]}, "c": "x", "d": 1}))
                .is_some()
        );
        assert!(promise.broken_by(&json!({"a": {"b": [1, 9]}})).is_some());
    }
}
