//! A loaded blueprint as text: the shape of `docker compose config`, with our own elements as they are written.

mod yaml;

use consort_model::secret::{CLOSE, OPEN};
use consort_model::template::TextPart;
use consort_model::{Object, Value as Json};

use crate::compose_json::compose_json;
use crate::load::Loaded;
use crate::node::{Map, Node, Value, parts_text};

pub use yaml::yaml;

/// The resolved document in YAML or JSON. It can be loaded again: a literal `$` is printed as `$$`, expressions and
/// definitions of workflows stand as they were written.
pub fn config(loaded: &Loaded, json: bool) -> String {
    let value = document(loaded);
    if json {
        format!("{value:#}\n")
    } else {
        yaml(&value)
    }
}

/// The document that [`config`] prints.
pub fn document(loaded: &Loaded) -> Json {
    let mut marked = loaded.clone();
    let mut expressions = Vec::new();
    let mut definitions = Object::new();
    for (section, entry) in marked.document.as_map_mut().into_iter().flatten() {
        if section == "workflows" {
            take_definitions(&mut entry.node, &mut definitions);
        }
        mark(&mut entry.node, &mut expressions);
    }
    let mut value = unmark(compose_json(&marked), &expressions);
    for (name, definition) in definitions {
        if let Some(workflow) = value
            .pointer_mut("/workflows")
            .and_then(|all| all.get_mut(&name))
            .and_then(Json::as_object_mut)
        {
            workflow.insert("definition".to_owned(), definition);
        }
    }
    value
}

fn take_definitions(workflows: &mut Node, into: &mut Object) {
    for (name, entry) in workflows.as_map_mut().into_iter().flatten() {
        if let Some(definition) = entry.node.remove("definition") {
            into.insert(name.replace('$', "$$"), definition.to_json());
        }
    }
}

/// Compose's printer doubles every `$`; expressions are put aside and marked by their number.
fn mark(node: &mut Node, expressions: &mut Vec<String>) {
    match &mut node.value {
        Value::Deferred(parts) => {
            for part in parts.iter_mut() {
                if let TextPart::Expression(_) = part {
                    expressions.push(parts_text(std::slice::from_ref(part)));
                    *part = TextPart::Text(format!("{OPEN}{}{CLOSE}", expressions.len() - 1));
                }
            }
        }
        Value::Seq(items) => items.iter_mut().for_each(|item| mark(item, expressions)),
        Value::Map(map) => map_nodes(map).for_each(|node| mark(node, expressions)),
        _ => {}
    }
}

fn map_nodes(map: &mut Map) -> impl Iterator<Item = &mut Node> {
    map.values_mut().map(|entry| &mut entry.node)
}

fn unmark(value: Json, expressions: &[String]) -> Json {
    match value {
        Json::String(text) if text.contains(OPEN) => Json::String(unmark_text(&text, expressions)),
        Json::Array(items) => Json::Array(
            items
                .into_iter()
                .map(|item| unmark(item, expressions))
                .collect(),
        ),
        Json::Object(object) => Json::Object(
            object
                .into_iter()
                .map(|(key, value)| (key, unmark(value, expressions)))
                .collect(),
        ),
        other => other,
    }
}

fn unmark_text(text: &str, expressions: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once(OPEN) {
        out.push_str(head);
        let known = tail.split_once(CLOSE).and_then(|(number, after)| {
            number
                .parse::<usize>()
                .ok()
                .and_then(|number| expressions.get(number))
                .map(|expression| (expression, after))
        });
        match known {
            Some((expression, after)) => {
                out.push_str(expression);
                rest = after;
            }
            None => {
                out.push(OPEN);
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}
