//! Short forms to long ones (Compose, canonical syntax). What cannot be read is reported and left;
//! expressions are left for the planner.

pub mod command;
pub mod port;
pub mod volume;

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::merge::to_mapping;
use crate::node::{Entry, Map, Node, Value};
use crate::span::Span;

/// Brings services, jobs and resources into their long forms.
pub fn canonical(document: &mut Node, sink: &mut Sink) {
    for section in ["services", "jobs"] {
        if let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) {
            map.values_mut()
                .for_each(|entry| workload(&mut entry.node, sink));
        }
    }
    for section in ["networks", "volumes", "secrets", "configs"] {
        if let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) {
            for (name, entry) in map.iter_mut() {
                external(section, name, &mut entry.node, sink);
            }
        }
    }
}

/// Removes empty name servers, as Compose does (only `dns` has this).
pub fn omit_empty(document: &mut Node) {
    for section in ["services", "jobs"] {
        let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        for entry in map.values_mut() {
            if let Some(items) = entry.node.get_mut("dns").and_then(Node::as_seq_mut) {
                items.retain(|item| !item.is_null() && item.as_str() != Some(""));
            }
        }
    }
}

fn workload(service: &mut Node, sink: &mut Sink) {
    container(service, sink);
    edit(service, "depends_on", |node| {
        *node = depends_on(std::mem::take(node))
    });
    edit(service, "ports", |node| port::expand_all(node, sink));
    edit(service, "build", |node| build(node, sink));
    edit(service, "pre_start", |node| {
        each(node, |hook| container(hook, sink))
    });
    if let Some(watch) = service
        .get_mut("develop")
        .and_then(|develop| develop.get_mut("watch"))
    {
        each(watch, |rule| {
            edit(rule, "ignore", text_to_list);
            edit(rule, "include", text_to_list);
        });
    }
}

fn container(node: &mut Node, sink: &mut Sink) {
    edit(node, "env_file", env_files);
    edit(node, "label_file", text_to_list);
    edit(node, "dns", text_to_list);
    edit(node, "gpus", |gpus| {
        if matches!(gpus.value, Value::String(_)) {
            let span = gpus.span;
            *gpus = gpus.with(Value::Seq(vec![Node::map(
                [("count", Value::String("all".to_owned()))],
                span,
            )]));
        }
    });
    edit(node, "networks", names);
    edit(node, "models", names);
    edit(node, "volumes", |volumes| {
        each(volumes, |mount| {
            if let Value::String(spec) = &mount.value {
                match volume::parse(spec) {
                    Ok(parsed) => *mount = parsed.to_node(mount),
                    Err(error) => wrong(mount, &error, sink),
                }
            }
        });
    });
    edit(node, "devices", |devices| {
        each(devices, |device| self::device(device, sink))
    });
    edit(node, "secrets", |grants| each(grants, grant));
    edit(node, "configs", |grants| each(grants, grant));
}

/// Reports a short form that cannot be read.
pub(crate) fn wrong(node: &mut Node, error: &dyn std::fmt::Display, sink: &mut Sink) {
    sink.push(Diagnostic::new(
        Code::BadShortForm,
        node.span,
        error.to_string(),
    ));
    node.value = Value::Invalid;
}

fn edit(node: &mut Node, key: &str, change: impl FnOnce(&mut Node)) {
    if let Some(value) = node.get_mut(key) {
        change(value);
    }
}

fn each(node: &mut Node, mut change: impl FnMut(&mut Node)) {
    if let Some(items) = node.as_seq_mut() {
        items.iter_mut().for_each(&mut change);
    }
}

fn text_to_list(node: &mut Node) {
    if matches!(node.value, Value::String(_)) {
        let item = std::mem::take(node);
        *node = Node::new(Value::Seq(vec![item.clone()]), item.span);
    }
}

fn names(node: &mut Node) {
    *node = to_mapping(std::mem::take(node), crate::merge::nothing);
}

fn depends_on(node: Node) -> Node {
    let mut node = to_mapping(node, crate::merge::dependency);
    if let Some(map) = node.as_map_mut() {
        for entry in map.values_mut() {
            let span = entry.node.span;
            for (key, value) in [
                ("condition", Value::String("service_started".to_owned())),
                ("required", Value::Bool(true)),
            ] {
                if entry.node.get(key).is_none() {
                    entry.node.set(key, Node::new(value, span));
                }
            }
        }
    }
    node
}

fn env_files(node: &mut Node) {
    text_to_list(node);
    each(node, |item| {
        let span = item.span;
        if matches!(item.value, Value::String(_) | Value::Deferred(_)) {
            let mut map = Map::new();
            map.insert("path".to_owned(), Entry::made(std::mem::take(item)));
            *item = Node::new(Value::Map(map), span);
        }
        if item.as_map().is_some() && item.get("required").is_none() {
            item.set("required", Node::new(Value::Bool(true), span));
        }
    });
}

fn grant(node: &mut Node) {
    if matches!(node.value, Value::String(_)) {
        let source = std::mem::take(node);
        let span = source.span;
        let mut map = Map::new();
        map.insert("source".to_owned(), Entry::made(source));
        *node = Node::new(Value::Map(map), span);
    }
}

fn device(node: &mut Node, sink: &mut Sink) {
    let Value::String(text) = &node.value else {
        return;
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, "", "rwm"),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] => (*source, *target, *permissions),
        _ => {
            let message = format!("`{text}` is not a device: SOURCE[:TARGET[:PERMISSIONS]]");
            return wrong(node, &message, sink);
        }
    };
    let target = if target.is_empty() { source } else { target };
    let text = |part: &str| Value::String(part.to_owned());
    *node = Node {
        interpolated: node.interpolated,
        ..Node::map(
            [
                ("source", text(source)),
                ("target", text(target)),
                ("permissions", text(permissions)),
            ],
            node.span,
        )
    };
}

fn build(node: &mut Node, sink: &mut Sink) {
    *node = crate::merge::build_mapping(std::mem::take(node));
    edit(node, "secrets", |grants| each(grants, grant));
    for key in ["provenance", "sbom"] {
        edit(node, key, |value| {
            if let Some(text) = value.scalar_text().filter(|_| !value.is_opaque()) {
                value.value = Value::String(text);
            }
        });
    }
    edit(node, "additional_contexts", |contexts| {
        keyed(
            contexts,
            |item| format!("`{item}` is not a context: NAME=CONTEXT"),
            |_| false,
            sink,
        );
    });
    edit(node, "ssh", |keys| {
        keyed(
            keys,
            |item| format!("`{item}` is not an SSH key: ID=PATH, or `default`"),
            |id| id == "default",
            sink,
        );
    });
}

/// A list of `key=value` to a mapping; `bare` says which keys may stand alone.
fn keyed(node: &mut Node, message: fn(&str) -> String, bare: fn(&str) -> bool, sink: &mut Sink) {
    let Value::Seq(items) = &mut node.value else {
        return;
    };
    let mut map = Map::new();
    for item in items.iter_mut() {
        let Some(pair) = split_pair(item) else {
            continue;
        };
        match pair {
            (key, Some(value)) => {
                map.insert(
                    key,
                    Entry {
                        key: item.span,
                        node: value,
                    },
                );
            }
            (key, None) if bare(&key) => {
                map.insert(
                    key,
                    Entry {
                        key: item.span,
                        node: Node::new(Value::Null, item.span),
                    },
                );
            }
            (key, None) => wrong(item, &message(&key), sink),
        }
    }
    node.value = Value::Map(map);
}

/// The key and the value of `key=value`, where the value may hold expressions. `None` for other values.
pub(crate) fn split_pair(item: &Node) -> Option<(String, Option<Node>)> {
    use consort_model::template::TextPart;
    match &item.value {
        Value::String(text) => Some(match text.split_once('=') {
            Some((key, value)) => (
                key.to_owned(),
                Some(item.with(Value::String(value.to_owned()))),
            ),
            None => (text.clone(), None),
        }),
        Value::Deferred(parts) => {
            let (TextPart::Text(first), rest) = (parts.first()?, &parts[1..]) else {
                return None;
            };
            let (key, value) = first.split_once('=')?;
            let mut parts: Vec<TextPart> = Vec::new();
            if !value.is_empty() {
                parts.push(TextPart::Text(value.to_owned()));
            }
            parts.extend(rest.iter().cloned());
            Some((key.to_owned(), Some(item.with(Value::Deferred(parts)))))
        }
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
            item.scalar_text().map(|text| (text, None))
        }
        _ => None,
    }
}

fn external(section: &str, name: &str, node: &mut Node, sink: &mut Sink) {
    let Some(Value::Map(old)) = node.get("external").map(|external| &external.value) else {
        return;
    };
    let span = node
        .get("external")
        .map_or(Span::NONE, |external| external.span);
    let old_name = old.get("name").map(|entry| entry.node.clone());
    node.set("external", Node::new(Value::Bool(true), span));
    let Some(old_name) = old_name else { return };
    sink.push(
        Diagnostic::new(
            Code::ExternalName,
            span,
            format!("`{section}.{name}.external.name` is the old form"),
        )
        .help("write `external: true`, and `name:` beside it"),
    );
    match node.get("name") {
        Some(new_name) if *new_name != old_name => sink.push(
            Diagnostic::new(
                Code::Conflict,
                old_name.span,
                format!("`{section}.{name}` has two names"),
            )
            .also(new_name.span, "the other name is here")
            .help("keep `name:` only"),
        ),
        Some(_) => {}
        None => node.set("name", old_name),
    }
}
