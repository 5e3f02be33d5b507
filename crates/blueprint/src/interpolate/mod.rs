//! Interpolation of a whole document: every text outside of definitions of workflows, never keys; then the casts.

mod text;

use std::collections::BTreeMap;

use consort_model::template::TextPart;

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::keys::{Cast, Shape, TOP};
use crate::node::{Node, Value};
use crate::path;

pub use text::{Lookup, Outcome, TextError, compose_only, interpolate};

/// Interpolates a document with these variables. Mistakes become [`Value::Invalid`].
pub fn document(root: &mut Node, variables: &BTreeMap<String, String>, sink: &mut Sink) {
    let lookup = |name: &str| variables.get(name).map(String::as_str);
    let shape = Shape::Object(&TOP);
    let mut walk = Walk {
        lookup: &lookup,
        sink,
        path: Vec::new(),
    };
    if let Some(map) = root.as_map_mut() {
        for (key, entry) in map.iter_mut() {
            walk.path.push(key.clone());
            walk.value(&mut entry.node, shape.child(key));
            walk.path.pop();
        }
    }
}

struct Walk<'a> {
    lookup: Lookup<'a>,
    sink: &'a mut Sink,
    path: Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, node: &mut Node, shape: Option<&'static Shape>) {
        match &mut node.value {
            Value::String(_) => self.text(node, shape),
            Value::Seq(items) => {
                let shape = shape.and_then(Shape::item);
                for (index, item) in items.iter_mut().enumerate() {
                    self.path.push(path::index(index));
                    self.value(item, shape);
                    self.path.pop();
                }
            }
            Value::Map(map) => {
                let definitions = self.path.len() == 2 && self.path[0] == "workflows";
                for (key, entry) in map
                    .iter_mut()
                    .filter(|(key, _)| !(definitions && key.as_str() == "definition"))
                {
                    self.path.push(key.clone());
                    self.value(&mut entry.node, shape.and_then(|shape| shape.child(key)));
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, node: &mut Node, shape: Option<&'static Shape>) {
        let Value::String(text) = &node.value else {
            return;
        };
        match interpolate(text, self.lookup) {
            Err(error) => {
                self.sink.push(self.mistake(node, text, &error));
                node.value = Value::Invalid;
            }
            Ok(Outcome {
                mut parts,
                unset,
                used,
            }) => {
                for name in unset {
                    let message =
                        format!("the variable `{name}` is not set; nothing is put in its place");
                    self.sink.push(
                        Diagnostic::new(Code::VariableNotSet, node.span, message)
                            .help(format!("set it, or give a default: ${{{name}:-default}}")),
                    );
                }
                node.interpolated |= used;
                node.value = match (parts.len(), parts.pop()) {
                    (1, Some(TextPart::Text(text))) => self.cast(node, text, shape),
                    (_, last) => Value::Deferred(parts.into_iter().chain(last).collect()),
                };
            }
        }
    }

    fn mistake(&self, node: &Node, text: &str, error: &TextError) -> Diagnostic {
        let place = path::shown(&self.path);
        match error {
            TextError::Invalid(_) => {
                let diagnostic = Diagnostic::new(
                    Code::BadInterpolation,
                    node.span,
                    format!("`{place}`: {error}"),
                );
                match suggestion(text) {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic.help(
                        "write `$$` for a literal `$`; expressions have a space: ${ .inputs.name }",
                    ),
                }
            }
            TextError::Required { name, .. } => Diagnostic::new(
                Code::RequiredVariable,
                node.span,
                format!("`{place}`: {error}"),
            )
            .help(format!("set `{name}` in the environment or in .env")),
            // The message says what to do.
            TextError::Expression(_) => Diagnostic::new(
                Code::BadExpression,
                node.span,
                format!("`{place}`: {error}"),
            ),
            TextError::TooLarge => Diagnostic::new(
                Code::InterpolationTooDeep,
                node.span,
                format!("`{place}`: {error}"),
            ),
        }
    }

    fn cast(&mut self, node: &Node, text: String, shape: Option<&'static Shape>) -> Value {
        let Some(cast) = shape.and_then(Shape::cast) else {
            return Value::String(text);
        };
        let wanted = match cast {
            Cast::Int => match text.parse::<i64>() {
                Ok(value) => return Value::Int(value.into()),
                Err(_) => "a whole number",
            },
            Cast::Float => match text.parse::<f64>() {
                Ok(value) if value.is_finite() && !text.is_empty() => return Value::Float(value),
                _ => "a number",
            },
            Cast::Bool => match text.to_lowercase().as_str() {
                "true" => return Value::Bool(true),
                "false" => return Value::Bool(false),
                "y" | "yes" | "on" => return self.boolean_word(node, &text, true),
                "n" | "no" | "off" => return self.boolean_word(node, &text, false),
                _ => "a boolean",
            },
        };
        // A default object such as `external: {name: x}` is no text and never comes here.
        let message = format!(
            "`{}` must be {wanted}, not `{text}`",
            path::shown(&self.path)
        );
        self.sink
            .push(Diagnostic::new(Code::BadCast, node.span, message));
        Value::Invalid
    }

    fn boolean_word(&mut self, node: &Node, text: &str, value: bool) -> Value {
        let message = format!("`{text}` is taken as `{value}`");
        self.sink.push(
            Diagnostic::new(Code::BooleanWord, node.span, message).help(format!("write `{value}`")),
        );
        Value::Bool(value)
    }
}

/// `${.x}` and `${{ x }}` are how other tools write expressions.
fn suggestion(text: &str) -> Option<String> {
    let at = text.find("${.").or_else(|| text.find("${("))?;
    let inner = text[at + 2..].split('}').next()?;
    Some(format!(
        "an expression has a space after the brace: ${{ {inner} }}"
    ))
}
