//! Entries of lists that stand for the same thing: the last one wins, in the place of the first.

use std::collections::BTreeMap;

use crate::canonical::volume;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::node::{Node, Value};
use crate::path;

#[derive(Debug, Clone, Copy)]
enum By {
    /// The text before the first `=`.
    Key,
    /// The target of a mount.
    Target,
    /// The target of a device.
    Device,
    /// The target of a config or secret, by default below this folder.
    Grant(&'static str),
    Port,
    /// The value as text.
    Text,
    EnvFile,
}

const RULES: &[(&str, By)] = &[
    ("networks.*.labels", By::Key),
    ("networks.*.ipam.options", By::Key),
    ("services.*.annotations", By::Key),
    ("services.*.build.args", By::Key),
    ("services.*.build.additional_contexts", By::Key),
    ("services.*.build.tags", By::Key),
    ("services.*.build.labels", By::Key),
    ("services.*.cap_add", By::Key),
    ("services.*.cap_drop", By::Key),
    ("services.*.configs", By::Grant("")),
    ("services.*.deploy.labels", By::Key),
    ("services.*.devices", By::Device),
    ("services.*.dns", By::Key),
    ("services.*.dns_opt", By::Key),
    ("services.*.dns_search", By::Key),
    ("services.*.environment", By::Key),
    ("services.*.env_file", By::EnvFile),
    ("services.*.expose", By::Text),
    ("services.*.labels", By::Key),
    ("services.*.links", By::Key),
    ("services.*.networks.*.aliases", By::Key),
    ("services.*.networks.*.link_local_ips", By::Key),
    ("services.*.ports", By::Port),
    ("services.*.profiles", By::Key),
    ("services.*.secrets", By::Grant("/run/secrets")),
    ("services.*.sysctls", By::Key),
    ("services.*.tmpfs", By::Key),
    ("services.*.volumes", By::Target),
];

/// The sections that have such lists.
const SECTIONS: [&str; 3] = ["networks", "services", "jobs"];

/// Makes the entries of all lists with a rule distinct.
pub fn enforce(document: &mut Node, sink: &mut Sink) {
    for section in SECTIONS {
        if let Some(node) = document.get_mut(section) {
            walk(node, &mut vec![section.to_owned()], sink);
        }
    }
}

fn walk(node: &mut Node, path: &mut Vec<String>, sink: &mut Sink) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, entry) in map {
                path.push(key.clone());
                walk(&mut entry.node, path, sink);
                path.pop();
            }
        }
        Value::Seq(items) => {
            if let Some((_, by)) = RULES
                .iter()
                .find(|(pattern, _)| path::matches(pattern, path))
            {
                *items = distinct(std::mem::take(items), *by, path, sink);
            }
        }
        _ => {}
    }
}

fn distinct(items: Vec<Node>, by: By, path: &[String], sink: &mut Sink) -> Vec<Node> {
    let mut out: Vec<Node> = Vec::with_capacity(items.len());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for item in items {
        match identity(&item, by) {
            // Wrong kinds are reported by the check of the schema.
            Ok(None) => out.push(item),
            Ok(Some(key)) => match places.get(&key) {
                Some(index) => out[*index] = item,
                None => {
                    places.insert(key, out.len());
                    out.push(item);
                }
            },
            Err(missing) => {
                sink.push(
                    Diagnostic::new(
                        Code::NoIdentity,
                        item.span,
                        format!("an entry of `{}` lacks `{missing}`", path::shown(path)),
                    )
                    .help(format!("add `{missing}:`")),
                );
                out.push(Node {
                    value: Value::Invalid,
                    ..item
                });
            }
        }
    }
    out
}

fn identity(item: &Node, by: By) -> Result<Option<String>, &'static str> {
    let text = item.scalar_text();
    Ok(match by {
        By::Key => text.map(|text| text.split('=').next().unwrap_or_default().to_owned()),
        By::Text => text,
        By::Target => match (&item.value, text) {
            (Value::Map(_), _) => Some(target(item)?),
            (Value::String(spec), _) => volume::parse(spec).ok().map(|parsed| parsed.target),
            (_, text) => text,
        },
        By::Device => match (&item.value, text) {
            (Value::Map(_), _) => Some(target(item)?),
            (_, Some(text)) => Some(text.split(':').nth(1).unwrap_or(&text).to_owned()),
            (_, None) => None,
        },
        By::Grant(folder) => match (&item.value, text) {
            (Value::Map(_), _) => {
                let own = item.get("target").and_then(Node::scalar_text);
                let source = item.get("source").and_then(Node::scalar_text);
                own.or_else(|| source.map(|source| format!("{folder}/{source}")))
            }
            (_, text) => text.map(|name| format!("{folder}/{name}")),
        },
        By::EnvFile => match (&item.value, text) {
            (Value::Map(_), _) => Some(item.get("path").and_then(Node::scalar_text).ok_or("path")?),
            (_, text) => text,
        },
        By::Port => match (&item.value, text) {
            (Value::Map(_), _) => Some(port(item)?),
            (_, text) => text,
        },
    })
}

fn target(item: &Node) -> Result<String, &'static str> {
    item.get("target")
        .and_then(Node::scalar_text)
        .ok_or("target")
}

fn port(item: &Node) -> Result<String, &'static str> {
    let part = |key: &str| item.get(key).and_then(Node::scalar_text);
    let target = part("target").ok_or("target")?;
    let host = part("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned());
    let protocol = part("protocol").unwrap_or_else(|| "tcp".to_owned());
    Ok(format!(
        "{host}:{}:{target}/{protocol}",
        part("published").unwrap_or_default()
    ))
}
