//! Values with expressions in them, as written in the blueprint: what is known at load, and what is
//! deferred until its references have values.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Value;

/// A place in a file, for messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Place {
    /// The file, as a person would name it.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A piece of deferred text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextPart {
    /// Text as it is (after Compose's interpolation).
    Text(String),
    /// A jq expression, without its brackets.
    Expression(String),
}

/// A scalar that holds expressions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferred {
    /// In order. A single expression keeps the type of its result; otherwise scalars become text.
    pub parts: Vec<TextPart>,
    /// Where it stands.
    pub place: Place,
}

impl Deferred {
    /// The expressions in it.
    pub fn expressions(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TextPart::Text(_) => None,
            TextPart::Expression(text) => Some(text.as_str()),
        })
    }
    /// As written: `${ … }` and text.
    pub fn source(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                TextPart::Text(text) => text.clone(),
                TextPart::Expression(text) => format!("${{ {} }}", text.trim()),
            })
            .collect()
    }
}

/// A JSON value whose scalars may be deferred. In JSON a deferred scalar is `{"$deferred": …}`; the
/// loader refuses blueprints that use this key themselves.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    /// A scalar with expressions.
    Deferred(Deferred),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Map(IndexMap<String, Self>),
}

/// The key that marks a deferred scalar in JSON.
pub const DEFERRED: &str = "$deferred";

impl Default for Template {
    fn default() -> Self {
        Self::Scalar(Value::Null)
    }
}

impl Template {
    /// The value, if nothing in it is deferred.
    pub fn known(&self) -> Option<Value> {
        Some(match self {
            Self::Deferred(_) => return None,
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
    /// The part under this key of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            Self::Scalar(_) | Self::Deferred(_) | Self::List(_) => None,
        }
    }
    /// Visits every deferred scalar, in order.
    pub fn visit_deferred<'a>(&'a self, visit: &mut dyn FnMut(&'a Deferred)) {
        match self {
            Self::Scalar(_) => {}
            Self::Deferred(deferred) => visit(deferred),
            Self::List(items) => items.iter().for_each(|item| item.visit_deferred(visit)),
            Self::Map(map) => map.values().for_each(|item| item.visit_deferred(visit)),
        }
    }
}

impl From<Value> for Template {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(object) => {
                if object.len() == 1
                    && let Some(deferred) = object.get(DEFERRED)
                    && let Ok(deferred) = Deferred::deserialize(deferred)
                {
                    return Self::Deferred(deferred);
                }
                Self::Map(
                    object
                        .into_iter()
                        .map(|(key, item)| (key, item.into()))
                        .collect(),
                )
            }
            scalar => Self::Scalar(scalar),
        }
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Scalar(value) => value.serialize(s),
            Self::Deferred(deferred) => s.collect_map([(DEFERRED, deferred)]),
            Self::List(items) => items.serialize(s),
            Self::Map(map) => map.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Value::deserialize(d).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deferred_scalar_survives_json() {
        let deferred = Deferred {
            parts: vec![
                TextPart::Text("a-".into()),
                TextPart::Expression(".inputs.x".into()),
            ],
            place: Place {
                file: "consort.yaml".into(),
                line: 3,
                column: 9,
            },
        };
        assert_eq!(deferred.source(), "a-${ .inputs.x }");
        let template = Template::List(vec![Template::Deferred(deferred)]);
        let text = serde_json::to_string(&template).unwrap();
        assert_eq!(serde_json::from_str::<Template>(&text).unwrap(), template);
        assert_eq!(template.known(), None);
    }
}
