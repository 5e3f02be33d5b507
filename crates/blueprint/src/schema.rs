//! JSON Schema of the whole language, generated from the table of keys.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::keys::{Kind, Names, Object, Shape, TOP};

/// The schema (draft 2020-12). Text with a variable or an expression stands for any scalar.
pub fn schema() -> Value {
    let mut writer = Writer::default();
    writer.define(&TOP);
    let mut definitions: BTreeMap<String, Value> = writer.done.into_iter().collect();
    definitions.insert(
        "expression".to_owned(),
        json!({
            "description": "Text with a variable (${NAME}) or an expression (${ .inputs.name }).",
            "type": "string",
            "pattern": "\\$",
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Consort blueprint",
        "description": "A superset of the Compose Specification.",
        "$ref": format!("#/$defs/{}", writer.names[&std::ptr::from_ref(&TOP)]),
        "$defs": definitions,
    })
}

#[derive(Default)]
struct Writer {
    names: BTreeMap<*const Object, String>,
    done: Vec<(String, Value)>,
}

impl Writer {
    /// The name under which the schema of an object stands.
    fn define(&mut self, object: &'static Object) -> String {
        let pointer = std::ptr::from_ref(object);
        if let Some(name) = self.names.get(&pointer) {
            return name.clone();
        }
        let name = self.free_name(object);
        self.names.insert(pointer, name.clone());
        let mut properties = Map::new();
        for key in object.keys() {
            let mut value = self.shape(&key.shape);
            if let Some(map) = value.as_object_mut() {
                map.insert("description".to_owned(), key.doc.into());
            }
            properties.insert(key.name.to_owned(), value);
        }
        let mut schema =
            json!({"type": "object", "properties": properties, "additionalProperties": false});
        if object.extensions {
            schema["patternProperties"] = json!({"^x-": {}});
        }
        if !object.required.is_empty() {
            schema["required"] = json!(object.required);
        }
        self.done.push((name.clone(), schema));
        name
    }

    fn free_name(&self, object: &Object) -> String {
        let words = object
            .name
            .trim_start_matches("a ")
            .trim_start_matches("an ");
        let base: String = words
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let taken = |name: &String| self.names.values().any(|other| other == name);
        (1..)
            .map(|n| {
                if n == 1 {
                    base.clone()
                } else {
                    format!("{base}_{n}")
                }
            })
            .find(|name| !taken(name))
            .unwrap_or(base)
    }

    fn shape(&mut self, shape: &'static Shape) -> Value {
        match shape {
            Shape::Any => json!({}),
            Shape::Scalar(kinds, _) => {
                let types: Vec<&str> = kinds.iter().map(|kind| type_word(*kind)).collect();
                or_expression(json!({"type": types}), kinds.contains(&Kind::Text))
            }
            Shape::Range {
                min, max, kinds, ..
            } => {
                let mut number = json!({"type": if kinds.contains(&Kind::Number) { "number" } else { "integer" }, "minimum": min});
                if *max != i64::MAX {
                    number["maximum"] = json!(max);
                }
                let mut any = vec![number];
                if kinds.contains(&Kind::Text) {
                    any.push(json!({"type": "string"}));
                }
                if kinds.contains(&Kind::Null) {
                    any.push(json!({"type": "null"}));
                }
                or_expression(json!({"anyOf": any}), kinds.contains(&Kind::Text))
            }
            Shape::Words(words) => or_expression(json!({"enum": words}), false),
            Shape::TextLike(_, wanted) => {
                json!({"type": "string", "$comment": format!("{wanted}")})
            }
            // Doubles are removed from many lists before they are checked, as Compose does.
            Shape::List(item) | Shape::Set(item) => {
                or_expression(json!({"type": "array", "items": self.shape(item)}), false)
            }
            Shape::Map(value, names) => {
                let mut map = json!({"type": "object", "additionalProperties": self.shape(value)});
                match names {
                    Names::Any => {}
                    Names::Resource => {
                        map["propertyNames"] = json!({"pattern": "^[a-zA-Z0-9._-]+$"})
                    }
                    Names::Lower => map["propertyNames"] = json!({"pattern": "^[a-z]+$"}),
                }
                or_expression(map, false)
            }
            Shape::Object(object) => or_expression(
                json!({"$ref": format!("#/$defs/{}", self.define(object))}),
                false,
            ),
            Shape::Either(shapes) => {
                let any: Vec<Value> = shapes.iter().map(|shape| self.shape(shape)).collect();
                json!({"anyOf": any})
            }
        }
    }
}

fn or_expression(schema: Value, takes_text: bool) -> Value {
    if takes_text {
        schema
    } else {
        json!({"anyOf": [schema, {"$ref": "#/$defs/expression"}]})
    }
}

fn type_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Int => "integer",
        Kind::Number => "number",
        Kind::Bool => "boolean",
        Kind::Null => "null",
    }
}
