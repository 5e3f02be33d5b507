//! The check of a document against the table of keys.

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::keys::{Kind, Names, Object, Shape, TOP};
use crate::node::{Map, Node, Value};
use crate::path;
use crate::span::Span;

/// Checks keys, kinds and allowed values of a whole document.
pub fn check(document: &Node, sink: &mut Sink) {
    let mut walk = Walk {
        sink,
        path: Vec::new(),
    };
    walk.shape(document, &Shape::Object(&TOP));
}

/// Where expressions cannot stand, as patterns; everything below counts too.
const FIXED: &[&str] = &[
    "name",
    "version",
    "include",
    "services.*.extends",
    "services.*.profiles",
    "services.*.depends_on",
    "services.*.env_file",
    "services.*.label_file",
];

/// Reports expressions in places that shape the graph. Runs on each file, before `include` and `extends`.
pub fn refuse_expressions(document: &Node, sink: &mut Sink) {
    fixed(document, &mut Vec::new(), false, sink);
}

fn fixed(node: &Node, path: &mut Vec<String>, inside: bool, sink: &mut Sink) {
    let inside = inside || FIXED.iter().any(|pattern| path::matches(pattern, path));
    let deep = path.len() >= 3;
    match &node.value {
        Value::Deferred(_) if inside => sink.push(
            Diagnostic::new(
                Code::ExpressionNotHere,
                node.span,
                format!("`{}` cannot be an expression", path::shown(path)),
            )
            .help("write the value itself, or take it from the environment: ${NAME}"),
        ),
        Value::Map(map) if inside || !deep => {
            for (key, entry) in map {
                path.push(key.clone());
                fixed(&entry.node, path, inside, sink);
                path.pop();
            }
        }
        Value::Seq(items) if inside => {
            for (index, item) in items.iter().enumerate() {
                path.push(path::index(index));
                fixed(item, path, inside, sink);
                path.pop();
            }
        }
        _ => {}
    }
}

struct Walk<'a> {
    sink: &'a mut Sink,
    path: Vec<String>,
}

impl Walk<'_> {
    fn shape(&mut self, node: &Node, shape: &Shape) {
        if node.is_opaque() {
            return;
        }
        match shape {
            Shape::Any => {}
            Shape::Scalar(kinds, _) => {
                if !kinds.iter().any(|kind| fits(node, *kind)) {
                    self.wrong_type(node, shape);
                }
            }
            Shape::Range {
                min, max, kinds, ..
            } => self.range(node, (*min, *max), kinds, shape),
            Shape::Words(words) => self.words(node, words),
            Shape::TextLike(accepts, wanted) => match node.as_str() {
                None => self.wrong_type(node, shape),
                Some(text) if !accepts(text) => {
                    let message =
                        format!("`{}` is not {wanted}: `{text}`", path::shown(&self.path));
                    self.sink
                        .push(Diagnostic::new(Code::NotAllowed, node.span, message));
                }
                Some(_) => {}
            },
            Shape::List(item) => self.list(node, item, false, shape),
            Shape::Set(item) => self.list(node, item, true, shape),
            Shape::Map(value, names) => match &node.value {
                Value::Map(map) => self.map(map, value, *names),
                _ => self.wrong_type(node, shape),
            },
            Shape::Object(object) => match &node.value {
                Value::Map(map) => self.object(map, node.span, object),
                _ => self.wrong_type(node, shape),
            },
            Shape::Either(shapes) => match shapes.iter().find(|shape| accepts_kind(shape, node)) {
                Some(shape) => self.shape(node, shape),
                None => self.wrong_type(node, shape),
            },
        }
    }

    fn range(&mut self, node: &Node, (min, max): (i64, i64), kinds: &[Kind], shape: &Shape) {
        let in_range = match node.value {
            Value::Int(value) => (i128::from(min)..=i128::from(max)).contains(&value),
            Value::Float(value) if kinds.contains(&Kind::Number) => {
                value >= min as f64 && value <= max as f64
            }
            _ if kinds.iter().any(|kind| fits(node, *kind)) => true,
            _ => return self.wrong_type(node, shape),
        };
        if !in_range {
            let limits = if max == i64::MAX {
                format!("at least {min}")
            } else {
                format!("from {min} to {max}")
            };
            let message = format!("`{}` must be {limits}", path::shown(&self.path));
            self.sink
                .push(Diagnostic::new(Code::NotAllowed, node.span, message));
        }
    }

    fn words(&mut self, node: &Node, words: &[&'static str]) {
        match node.as_str() {
            None => self.wrong_type(node, &Shape::Words(&[])),
            Some(text) if !words.contains(&text) => {
                let message = format!("`{text}` is not allowed for `{}`", path::shown(&self.path));
                let list = words
                    .iter()
                    .map(|word| format!("`{word}`"))
                    .collect::<Vec<_>>()
                    .join(", ");
                let diagnostic = Diagnostic::new(Code::NotAllowed, node.span, message)
                    .help(format!("allowed: {list}"));
                self.sink
                    .push(diagnostic.nearest(text, words.iter().copied()));
            }
            Some(_) => {}
        }
    }

    fn list(&mut self, node: &Node, item: &Shape, distinct: bool, shape: &Shape) {
        let Value::Seq(items) = &node.value else {
            return self.wrong_type(node, shape);
        };
        let mut seen: std::collections::BTreeMap<String, Span> = std::collections::BTreeMap::new();
        for (index, entry) in items.iter().enumerate() {
            self.path.push(path::index(index));
            self.shape(entry, item);
            self.path.pop();
            let text = if distinct && !entry.is_opaque() {
                entry.scalar_text()
            } else {
                None
            };
            let Some(text) = text else { continue };
            if let Some(first) = seen.insert(text.clone(), entry.span) {
                let message = format!("`{text}` is twice in `{}`", path::shown(&self.path));
                self.sink.push(
                    Diagnostic::new(Code::DuplicateItem, entry.span, message)
                        .label("again here")
                        .also(first, "first here"),
                );
            }
        }
    }

    fn map(&mut self, map: &Map, value: &Shape, names: Names) {
        for (name, entry) in map {
            let (good, wanted) = match names {
                Names::Any => (!name.is_empty(), "some text"),
                Names::Resource => (
                    !name.is_empty()
                        && name
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')),
                    "letters, digits, `.`, `_` and `-`",
                ),
                Names::Lower => (
                    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase()),
                    "small letters",
                ),
            };
            self.path.push(name.clone());
            if good {
                self.shape(&entry.node, value);
            } else if names != Names::Lower {
                let message = format!("`{name}` is not a name: names have {wanted}");
                self.sink
                    .push(Diagnostic::new(Code::BadName, entry.key, message));
            }
            self.path.pop();
        }
    }

    fn object(&mut self, map: &Map, span: Span, object: &'static Object) {
        for (name, entry) in map {
            if object.extensions && name.starts_with("x-") {
                continue;
            }
            match object.key(name) {
                Some(key) => {
                    self.path.push(name.clone());
                    self.shape(&entry.node, &key.shape);
                    self.path.pop();
                }
                None => self.unknown_key(name, entry.key, object),
            }
        }
        for required in object.required {
            if !map.contains_key(*required) {
                let message = format!("{} needs `{required}`{}", object.name, self.here());
                self.sink.push(
                    Diagnostic::new(Code::MissingKey, span, message)
                        .help(format!("add `{required}:`")),
                );
            }
        }
    }

    fn here(&self) -> String {
        if self.path.is_empty() {
            String::new()
        } else {
            format!(" (`{}`)", path::shown(&self.path))
        }
    }

    fn unknown_key(&mut self, name: &str, span: Span, object: &'static Object) {
        if let Some((_, reason)) = object.refused.iter().find(|(refused, _)| *refused == name) {
            let message = format!("{} has no `{name}`: {reason}", object.name);
            self.sink.push(
                Diagnostic::new(Code::UnknownKey, span, message).help(format!("remove `{name}`")),
            );
            return;
        }
        let message = format!("unknown key `{name}` in {}{}", object.name, self.here());
        let mut diagnostic = Diagnostic::new(Code::UnknownKey, span, message);
        if object.extensions {
            diagnostic = diagnostic.help(format!("keys of your own start with `x-`: `x-{name}`"));
        }
        if name == "version" || (self.path.is_empty() && crate::keys::SERVICE.key(name).is_some()) {
            diagnostic = diagnostic.help(format!(
                "`{name}` belongs into a service, below `services:`"
            ));
        }
        self.sink
            .push(diagnostic.nearest(name, object.keys().map(|key| key.name)));
    }

    fn wrong_type(&mut self, node: &Node, shape: &Shape) {
        let place = if self.path.is_empty() {
            "a blueprint".to_owned()
        } else {
            format!("`{}`", path::shown(&self.path))
        };
        let message = format!("{place} must be {}, not {}", wanted(shape), node.kind());
        let mut diagnostic = Diagnostic::new(Code::WrongType, node.span, message);
        let takes_text = matches!(shape, Shape::Words(_) | Shape::TextLike(..))
            || accepts_kind(shape, &Node::string("", Span::NONE));
        if takes_text && let Some(text) = node.scalar_text() {
            diagnostic = diagnostic.help(format!("put it in quotes: \"{text}\""));
        } else if node.is_null() {
            diagnostic = diagnostic.help("give it a value, or remove the key");
        }
        self.sink.push(diagnostic);
    }
}

fn fits(node: &Node, kind: Kind) -> bool {
    match kind {
        Kind::Text => matches!(node.value, Value::String(_)),
        Kind::Int => match node.value {
            Value::Int(_) => true,
            Value::Float(value) => value.fract() == 0.0,
            _ => false,
        },
        Kind::Number => matches!(node.value, Value::Int(_) | Value::Float(_)),
        Kind::Bool => matches!(node.value, Value::Bool(_)),
        Kind::Null => node.is_null(),
    }
}

fn accepts_kind(shape: &Shape, node: &Node) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Scalar(kinds, _) => kinds.iter().any(|kind| fits(node, *kind)),
        Shape::Range { kinds, .. } => {
            fits(node, Kind::Int) || kinds.iter().any(|kind| fits(node, *kind))
        }
        Shape::Words(_) | Shape::TextLike(..) => fits(node, Kind::Text),
        Shape::List(_) | Shape::Set(_) => matches!(node.value, Value::Seq(_)),
        Shape::Map(..) | Shape::Object(_) => matches!(node.value, Value::Map(_)),
        Shape::Either(shapes) => shapes.iter().any(|shape| accepts_kind(shape, node)),
    }
}

/// What a shape takes, in words.
pub(crate) fn wanted(shape: &Shape) -> String {
    let mut words: Vec<&str> = Vec::new();
    collect(shape, &mut words);
    let mut unique: Vec<&str> = Vec::new();
    words
        .into_iter()
        .filter(|word| *word != "null")
        .for_each(|word| {
            if !unique.contains(&word) {
                unique.push(word);
            }
        });
    match unique.as_slice() {
        [] => "null".to_owned(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

fn collect(shape: &Shape, words: &mut Vec<&str>) {
    match shape {
        Shape::Any => words.push("anything"),
        Shape::Scalar(kinds, _) => words.extend(kinds.iter().map(|kind| kind_word(*kind))),
        Shape::Range { kinds, .. } => {
            words.push("a whole number");
            words.extend(kinds.iter().map(|kind| kind_word(*kind)));
        }
        Shape::Words(_) | Shape::TextLike(..) => words.push("text"),
        Shape::List(_) | Shape::Set(_) => words.push("a list"),
        Shape::Map(..) | Shape::Object(_) => words.push("a mapping"),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| collect(shape, words)),
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Int => "a whole number",
        Kind::Number => "a number",
        Kind::Bool => "a boolean",
        Kind::Null => "null",
    }
}
