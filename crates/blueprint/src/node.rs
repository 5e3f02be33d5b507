//! The tree that all stages of the loader work on: YAML values with the places where they stand.

use consort_model::Value as Json;
use consort_model::template::{Deferred, Template, TextPart};
use indexmap::IndexMap;

use crate::sources::Sources;
use crate::span::Span;

/// A value and where it stands.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands; the end of a block collection is where its last line ends.
    pub span: Span,
    /// A variable of the environment went into it: it may be a secret of the person who loads.
    pub interpolated: bool,
}

/// What a node holds.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// `null`, `~` or nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; YAML allows up to 64 bits with and without sign.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A date or time, as written. Compose accepts it nowhere; other parts of a blueprint take it as text.
    Timestamp(String),
    /// Text with expressions in it, evaluated by the planner.
    Deferred(Vec<TextPart>),
    /// A value whose mistake was reported already; accepted everywhere. Never leaves a load.
    Invalid,
    /// A list.
    Seq(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// A mapping in the order of the file.
pub type Map = IndexMap<String, Entry>;

/// The value of a key and where the key stands.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// Where the key stands.
    pub key: Span,
    /// Its value.
    pub node: Node,
}

impl Entry {
    /// An entry that no file holds; it points where `near` stands.
    pub fn made(node: Node) -> Self {
        Self {
            key: node.span,
            node,
        }
    }
}

/// Equal values; places do not count.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Equal values; places do not count, and neither does the order of keys.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) | (Self::Invalid, Self::Invalid) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::String(a), Self::String(b)) | (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Deferred(a), Self::Deferred(b)) => a == b,
            (Self::Seq(a), Self::Seq(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, entry)| {
                        b.get(key).is_some_and(|other| other.node == entry.node)
                    })
            }
            _ => false,
        }
    }
}

impl Node {
    /// A value at a place.
    pub fn new(value: Value, span: Span) -> Self {
        Self {
            value,
            span,
            interpolated: false,
        }
    }
    /// Text at a place.
    pub fn string(text: impl Into<String>, span: Span) -> Self {
        Self::new(Value::String(text.into()), span)
    }
    /// A mapping at a place, its keys pointing there too.
    pub fn map<const N: usize>(entries: [(&str, Value); N], span: Span) -> Self {
        let map = entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Entry::made(Self::new(value, span))))
            .collect();
        Self::new(Value::Map(map), span)
    }
    /// The same place with another value.
    #[must_use]
    pub fn with(&self, value: Value) -> Self {
        Self {
            value,
            span: self.span,
            interpolated: self.interpolated,
        }
    }

    /// The mapping, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        if let Value::Map(map) = &self.value {
            Some(map)
        } else {
            None
        }
    }
    /// The mapping, if it is one.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        if let Value::Map(map) = &mut self.value {
            Some(map)
        } else {
            None
        }
    }
    /// The list, if it is one.
    pub fn as_seq(&self) -> Option<&[Self]> {
        if let Value::Seq(items) = &self.value {
            Some(items)
        } else {
            None
        }
    }
    /// The list, if it is one.
    pub fn as_seq_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Value::Seq(items) = &mut self.value {
            Some(items)
        } else {
            None
        }
    }
    /// The text, if it is text without expressions.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }
    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value {
            Some(value)
        } else {
            None
        }
    }
    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i128> {
        if let Value::Int(value) = self.value {
            Some(value)
        } else {
            None
        }
    }
    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
    /// Whether it is for the planner to say what it is, or was found wrong already.
    pub fn is_opaque(&self) -> bool {
        matches!(self.value, Value::Deferred(_) | Value::Invalid)
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key).map(|entry| &entry.node)
    }
    /// The value of a key of a mapping.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_map_mut()?.get_mut(key).map(|entry| &mut entry.node)
    }
    /// The value at the end of these keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }
    /// Sets a key of a mapping; does nothing to other values. A key that is there keeps its place.
    pub fn set(&mut self, key: &str, node: Self) {
        if let Some(map) = self.as_map_mut() {
            match map.get_mut(key) {
                Some(entry) => entry.node = node,
                None => {
                    map.insert(key.to_owned(), Entry::made(node));
                }
            }
        }
    }
    /// Removes a key of a mapping.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        self.as_map_mut()?.shift_remove(key).map(|entry| entry.node)
    }
    /// How many nodes it is made of, itself included.
    pub fn size(&self) -> usize {
        match &self.value {
            Value::Seq(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Map(map) => 1 + map.values().map(|entry| entry.node.size()).sum::<usize>(),
            _ => 1,
        }
    }

    /// A scalar as text, as Go prints it (`%v`); expressions as written. `None` for null and collections.
    pub fn scalar_text(&self) -> Option<String> {
        Some(match &self.value {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => crate::quantity::float_text(*value),
            Value::String(text) | Value::Timestamp(text) => text.clone(),
            Value::Deferred(parts) => parts_text(parts),
            Value::Null | Value::Invalid | Value::Seq(_) | Value::Map(_) => return None,
        })
    }

    /// As JSON; expressions as written. What JSON cannot hold (infinity) becomes text.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null | Value::Invalid => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(_) | Value::Float(_) => number(&self.value),
            Value::String(text) | Value::Timestamp(text) => Json::String(text.clone()),
            Value::Deferred(parts) => Json::String(parts_text(parts)),
            Value::Seq(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(map) => Json::Object(
                map.iter()
                    .map(|(key, entry)| (key.clone(), entry.node.to_json()))
                    .collect(),
            ),
        }
    }

    /// As a template of the model, with the places of its expressions.
    pub fn to_template(&self, sources: &Sources) -> Template {
        match &self.value {
            Value::Deferred(parts) => Template::Deferred(Deferred {
                parts: parts.clone(),
                place: sources.place(self.span),
            }),
            Value::Seq(items) => {
                Template::List(items.iter().map(|item| item.to_template(sources)).collect())
            }
            Value::Map(map) => Template::Map(
                map.iter()
                    .map(|(key, entry)| (key.clone(), entry.node.to_template(sources)))
                    .collect(),
            ),
            _ => Template::Scalar(self.to_json()),
        }
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::String(_) => "text",
            Value::Timestamp(_) => "a date",
            Value::Deferred(_) => "an expression",
            Value::Invalid => "a mistake",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Deferred text as it was written.
pub fn parts_text(parts: &[TextPart]) -> String {
    Deferred {
        parts: parts.to_vec(),
        place: consort_model::template::Place::default(),
    }
    .source()
}

fn number(value: &Value) -> Json {
    match value {
        Value::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
            (Ok(value), _) => value.into(),
            (_, Ok(value)) => value.into(),
            _ => Json::String(value.to_string()),
        },
        Value::Float(value) => serde_json::Number::from_f64(*value).map_or_else(
            || Json::String(crate::quantity::float_text(*value)),
            Json::Number,
        ),
        _ => Json::Null,
    }
}
