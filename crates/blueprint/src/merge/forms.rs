//! The forms that the two sides of a merge are brought into.

use consort_model::template::TextPart;

use crate::node::{Entry, Map, Node, Value};
use crate::span::Span;

/// A mapping as a list of `key=value`, sorted by its text; a null value gives the bare key. Text becomes a
/// list of one.
pub fn to_sequence(node: Node) -> Node {
    let span = node.span;
    let items = match node.value {
        Value::Map(map) => {
            let mut items: Vec<Node> = map
                .into_iter()
                .flat_map(|(key, entry)| pairs(&key, entry))
                .collect();
            items.sort_by_key(|item| item.scalar_text());
            items
        }
        Value::Seq(items) => items,
        Value::Null => Vec::new(),
        value => vec![Node { value, ..node }],
    };
    Node::new(Value::Seq(items), span)
}

fn pairs(key: &str, entry: Entry) -> Vec<Node> {
    match entry.node.value {
        Value::Null => vec![Node::string(key, entry.key)],
        Value::Seq(items) => items
            .iter()
            .map(|item| pair(key, item, entry.key))
            .collect(),
        _ => vec![pair(key, &entry.node, entry.key)],
    }
}

/// `key=value`; an expression in the value stays one.
fn pair(key: &str, value: &Node, span: Span) -> Node {
    let value_text = match &value.value {
        Value::Deferred(parts) => {
            let mut all = vec![TextPart::Text(format!("{key}="))];
            all.extend(parts.iter().cloned());
            Value::Deferred(join_text(all))
        }
        Value::Invalid => Value::Invalid,
        Value::Null => Value::String(format!("{key}=")),
        Value::Map(_) | Value::Seq(_) => return value.clone(),
        _ => Value::String(format!("{key}={}", value.scalar_text().unwrap_or_default())),
    };
    // Messages about the pair point from the key to the end of the value.
    let span = if span.file == value.span.file && value.span.is_known() {
        Span {
            end: value.span.end,
            ..span
        }
    } else {
        span
    };
    Node {
        value: value_text,
        span,
        interpolated: value.interpolated,
    }
}

/// Joins neighbouring pieces of text.
pub(crate) fn join_text(parts: Vec<TextPart>) -> Vec<TextPart> {
    let mut out: Vec<TextPart> = Vec::with_capacity(parts.len());
    for part in parts {
        match (out.last_mut(), part) {
            (Some(TextPart::Text(last)), TextPart::Text(text)) => last.push_str(&text),
            (_, part) => out.push(part),
        }
    }
    out
}

/// A list of names as a mapping; `value` makes what each name stands for.
pub fn to_mapping(node: Node, value: fn(Span) -> Node) -> Node {
    let span = node.span;
    match node.value {
        Value::Seq(items) => {
            let mut map = Map::new();
            for item in items {
                if let Value::String(name) = &item.value {
                    map.insert(
                        name.clone(),
                        Entry {
                            key: item.span,
                            node: value(item.span),
                        },
                    );
                }
            }
            Node::new(Value::Map(map), span)
        }
        other => Node {
            value: other,
            ..node
        },
    }
}

/// What a bare name in `depends_on` stands for.
pub(crate) fn dependency(span: Span) -> Node {
    Node::map(
        [
            ("condition", Value::String("service_started".to_owned())),
            ("required", Value::Bool(true)),
        ],
        span,
    )
}

/// What a bare name in `networks` or `models` stands for.
pub(crate) fn nothing(span: Span) -> Node {
    Node::new(Value::Null, span)
}

/// `build: PATH` is `build: {context: PATH}`.
pub(crate) fn build_mapping(node: Node) -> Node {
    match &node.value {
        Value::String(_) => {
            let span = node.span;
            let mut map = Map::new();
            map.insert("context".to_owned(), Entry { key: span, node });
            Node::new(Value::Map(map), span)
        }
        _ => node,
    }
}
