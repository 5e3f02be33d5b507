//! Which services are switched on, which are selected, and which resources they need.

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::volume;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::node::{Map, Node, Value};
use crate::span::Span;

/// Takes the services out that no profile switches on, and returns them.
pub fn split_disabled(document: &mut Node, profiles: &BTreeSet<String>) -> Map {
    let mut disabled = Map::new();
    for section in ["services", "jobs"] {
        let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        let (on, off): (Map, Map) = std::mem::take(map)
            .into_iter()
            .partition(|(_, entry)| is_on(&entry.node, profiles));
        *map = on;
        if section == "services" {
            disabled = off;
        }
    }
    disabled
}

fn is_on(service: &Node, profiles: &BTreeSet<String>) -> bool {
    let own: Vec<&str> = service
        .get("profiles")
        .and_then(Node::as_seq)
        .into_iter()
        .flatten()
        .filter_map(Node::as_str)
        .collect();
    own.is_empty()
        || profiles.contains("*")
        || own.iter().any(|profile| profiles.contains(*profile))
}

/// Keeps the named services and what they depend on. A name switches its service on, whatever its profiles.
pub fn select(document: &mut Node, disabled: &mut Map, names: &[String], sink: &mut Sink) {
    if names.is_empty() {
        return;
    }
    let empty = Map::new();
    let on = document
        .get("services")
        .and_then(Node::as_map)
        .unwrap_or(&empty);
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut queue: Vec<String> = Vec::new();
    for name in names {
        if on.contains_key(name) || disabled.contains_key(name) {
            queue.push(name.clone());
        } else {
            let known = on.keys().chain(disabled.keys()).map(String::as_str);
            sink.push(
                Diagnostic::new(
                    Code::UnknownService,
                    Span::NONE,
                    format!("there is no service `{name}`"),
                )
                .nearest(name, known),
            );
        }
    }
    while let Some(name) = queue.pop() {
        let Some(entry) = on.get(&name).or_else(|| disabled.get(&name)) else {
            continue;
        };
        let needs = entry
            .node
            .get("depends_on")
            .and_then(Node::as_map)
            .into_iter()
            .flat_map(Map::keys);
        if wanted.insert(name.clone()) {
            queue.extend(needs.cloned());
        }
    }
    let Some(services) = document.get_mut("services").and_then(Node::as_map_mut) else {
        return;
    };
    for name in &wanted {
        if let Some(entry) = disabled.shift_remove(name) {
            services.insert(name.clone(), entry);
        }
    }
    let (keep, rest): (Map, Map) = std::mem::take(services)
        .into_iter()
        .partition(|(name, _)| wanted.contains(name));
    *services = keep;
    disabled.extend(rest);
}

/// Drops networks, volumes, configs, secrets and models that nothing uses.
pub fn drop_unused(document: &mut Node) {
    let mut used = Used::of(document);
    if names_secrets(document) {
        let all = document
            .get("secrets")
            .and_then(Node::as_map)
            .into_iter()
            .flat_map(Map::keys)
            .cloned();
        used.0.entry("secrets").or_default().extend(all);
    }
    for (section, names) in used.0 {
        if let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) {
            map.retain(|name, _| names.contains(name));
            if map.is_empty() {
                document.remove(section);
            }
        }
    }
}

/// Whether an expression may use secrets of the top level; which ones is found out later.
fn names_secrets(node: &Node) -> bool {
    match &node.value {
        Value::Deferred(parts) => parts.iter().any(|part| match part {
            consort_model::template::TextPart::Expression(text) => text.contains("secrets"),
            consort_model::template::TextPart::Text(_) => false,
        }),
        Value::Seq(items) => items.iter().any(names_secrets),
        Value::Map(map) => map.values().any(|entry| names_secrets(&entry.node)),
        _ => false,
    }
}

struct Used(BTreeMap<&'static str, BTreeSet<String>>);

impl Used {
    fn of(document: &Node) -> Self {
        let sections = ["networks", "volumes", "configs", "secrets", "models"];
        let mut used = Self(
            sections
                .into_iter()
                .map(|section| (section, BTreeSet::new()))
                .collect(),
        );
        for section in ["services", "jobs"] {
            for entry in entries(document.get(section)) {
                used.container(&entry.node);
                for hook in items(entry.node.get("pre_start")) {
                    used.container(hook);
                }
            }
        }
        // Tasks of workloads mount volumes and read secrets too; their form is checked elsewhere.
        for workload in entries(document.get("workloads")) {
            used.container(&workload.node);
            for task in entries(workload.node.get("tasks")) {
                used.container(&task.node);
            }
        }
        used
    }

    fn add(&mut self, section: &'static str, name: Option<&str>) {
        if let (Some(names), Some(name)) = (self.0.get_mut(section), name) {
            names.insert(name.to_owned());
        }
    }

    fn container(&mut self, node: &Node) {
        for section in ["networks", "models"] {
            for name in node
                .get(section)
                .and_then(Node::as_map)
                .into_iter()
                .flat_map(Map::keys)
            {
                self.add(section, Some(name));
            }
            for name in items(node.get(section)) {
                self.add(section, name.as_str());
            }
        }
        for mount in items(node.get("volumes")) {
            match &mount.value {
                Value::Map(_) if mount.get("type").and_then(Node::as_str) == Some("volume") => {
                    self.add("volumes", mount.get("source").and_then(Node::as_str));
                }
                Value::String(spec) => {
                    if let Ok(parsed) = volume::parse(spec) {
                        self.add("volumes", Some(&parsed.source));
                    }
                }
                _ => {}
            }
        }
        for section in ["configs", "secrets"] {
            for grant in items(node.get(section)).chain(items(
                node.get("build").and_then(|build| build.get(section)),
            )) {
                self.add(
                    section,
                    grant
                        .as_str()
                        .or_else(|| grant.get("source").and_then(Node::as_str)),
                );
            }
        }
        self.add(
            "configs",
            node.at(&["credential_spec", "config"])
                .and_then(Node::as_str),
        );
    }
}

fn entries(node: Option<&Node>) -> impl Iterator<Item = &crate::node::Entry> {
    node.and_then(Node::as_map)
        .into_iter()
        .flat_map(Map::values)
}

fn items(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    node.and_then(Node::as_seq).into_iter().flatten()
}
