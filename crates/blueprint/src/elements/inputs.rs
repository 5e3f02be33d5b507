//! `inputs`: typed parameters.

use consort_model::blueprint::{InputDecl, InputType};
use consort_model::{Address, Kind, Value as Json};

use super::Build;
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Entry, Node, Value};

impl Build<'_> {
    pub(super) fn input(&mut self, name: &str, entry: &Entry) {
        self.graph.declare(&Address::new(Kind::Input, name), None);
        let node = &entry.node;
        let Some(kind) = node.get("type").and_then(Node::as_str).and_then(input_type) else {
            return self.fixed(name, "type", node.get("type"));
        };
        let default = node
            .get("default")
            .filter(|default| !default.is_null())
            .map(|default| from_variable(kind, default));
        let default = default.as_ref();
        let allowed: Vec<&Node> = node
            .get("enum")
            .and_then(Node::as_seq)
            .into_iter()
            .flatten()
            .collect();
        self.fixed(name, "default", default);
        allowed
            .iter()
            .for_each(|value| self.fixed(name, "enum", Some(value)));
        if let Some(list) = node.get("enum") {
            self.fixed(name, "enum", Some(list));
            if allowed.is_empty() && !list.is_opaque() {
                let message = format!("`inputs.{name}.enum` allows nothing at all");
                self.say(
                    Diagnostic::new(Code::NotAllowed, list.span, message)
                        .help("name the values that are allowed, or remove `enum`"),
                );
            }
        }
        for value in allowed.iter().copied().chain(default) {
            self.input_fits(name, kind, value);
        }
        if let Some(default) = default
            && !allowed.is_empty()
            && !allowed
                .iter()
                .any(|value| value.to_json() == default.to_json())
        {
            let message = format!("the default of `inputs.{name}` is not one of its `enum`");
            self.say(
                Diagnostic::new(Code::NotAllowed, default.span, message)
                    .help("make it one of the allowed values"),
            );
        }
        let description = node.get("description");
        self.fixed(name, "description", description);
        let decl = InputDecl {
            kind,
            default: default.map(Node::to_json),
            allowed: allowed.into_iter().map(Node::to_json).collect(),
            description: description.and_then(Node::as_str).map(str::to_owned),
            sensitive: node
                .get("sensitive")
                .and_then(Node::as_bool)
                .unwrap_or(false),
            place: self.loaded.sources.place(entry.key),
        };
        self.blueprint.inputs.insert(name.to_owned(), decl);
    }

    /// Inputs come first: nothing in them can depend on anything.
    fn fixed(&mut self, name: &str, key: &str, node: Option<&Node>) {
        if let Some(node) = node.filter(|node| holds_expression(node)) {
            let message = format!("`inputs.{name}.{key}` cannot be an expression");
            self.say(
                Diagnostic::new(Code::ExpressionNotHere, node.span, message)
                    .help("write the value itself; `locals` can be made from inputs"),
            );
        }
    }

    fn input_fits(&mut self, name: &str, kind: InputType, value: &Node) {
        if holds_expression(value) || fits(kind, &value.to_json()) {
            return;
        }
        let message = format!(
            "`inputs.{name}` takes {}, not {}",
            words(kind),
            value.kind()
        );
        let diagnostic = Diagnostic::new(Code::WrongType, value.span, message);
        self.say(match (kind, value.scalar_text()) {
            (InputType::String, Some(text)) => {
                diagnostic.help(format!("put it in quotes: \"{text}\""))
            }
            _ => diagnostic.help("mend the value, or the `type` of the input"),
        });
    }
}

/// A variable of the environment is text; the type of the input says what it stands for.
fn from_variable(kind: InputType, node: &Node) -> Node {
    let Some(text) = node.as_str().filter(|_| node.interpolated) else {
        return node.clone();
    };
    let value = match kind {
        InputType::Integer => text.parse().ok().map(Value::Int),
        InputType::Number => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::Float),
        InputType::Boolean => text.parse().ok().map(Value::Bool),
        InputType::String | InputType::Array | InputType::Object => None,
    };
    value.map_or_else(|| node.clone(), |value| node.with(value))
}

pub(super) fn holds_expression(node: &Node) -> bool {
    match &node.value {
        Value::Deferred(_) => true,
        Value::Seq(items) => items.iter().any(holds_expression),
        Value::Map(map) => map.values().any(|entry| holds_expression(&entry.node)),
        _ => false,
    }
}

fn input_type(word: &str) -> Option<InputType> {
    Some(match word {
        "string" => InputType::String,
        "number" => InputType::Number,
        "integer" => InputType::Integer,
        "boolean" => InputType::Boolean,
        "array" => InputType::Array,
        "object" => InputType::Object,
        _ => return None,
    })
}

fn words(kind: InputType) -> &'static str {
    match kind {
        InputType::String => "text",
        InputType::Number => "a number",
        InputType::Integer => "a whole number",
        InputType::Boolean => "a boolean",
        InputType::Array => "a list",
        InputType::Object => "a mapping",
    }
}

fn fits(kind: InputType, value: &Json) -> bool {
    match kind {
        InputType::String => value.is_string(),
        InputType::Number => value.is_number(),
        InputType::Integer => {
            value.is_i64()
                || value.is_u64()
                || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        InputType::Boolean => value.is_boolean(),
        InputType::Array => value.is_array(),
        InputType::Object => value.is_object(),
    }
}
