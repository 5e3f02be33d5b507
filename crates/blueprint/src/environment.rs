//! Variables of containers: bare names take their value from the environment of the load.

use std::collections::BTreeMap;

use crate::canonical::split_pair;
use crate::node::{Node, Value};

/// Gives names without a value the value of the environment. Names that are not set stay bare when
/// `keep`, else they are dropped.
pub fn resolve_bare(node: &mut Node, variables: &BTreeMap<String, String>, keep: bool) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, entry) in map.iter_mut().filter(|(_, entry)| entry.node.is_null()) {
                if let Some(value) = variables.get(key) {
                    entry.node.value = Value::String(value.clone());
                    entry.node.interpolated = true;
                }
            }
            if !keep {
                map.retain(|_, entry| !entry.node.is_null());
            }
        }
        Value::Seq(items) => {
            for item in items.iter_mut() {
                if let Some((key, None)) = split_pair(item)
                    && let Some(value) = variables.get(&key)
                {
                    item.value = Value::String(format!("{key}={value}"));
                    item.interpolated = true;
                }
            }
            if !keep {
                items.retain(|item| !matches!(split_pair(item), Some((_, None))));
            }
        }
        _ => {}
    }
}

/// Resolves what one project takes from its own environment: bare variables of its services, and the
/// content of configs that name a variable.
pub fn resolve_project(document: &mut Node, variables: &BTreeMap<String, String>) {
    for section in ["services", "jobs"] {
        let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        for entry in map.values_mut() {
            if let Some(environment) = entry.node.get_mut("environment") {
                resolve_bare(environment, variables, true);
            }
        }
    }
    let Some(configs) = document.get_mut("configs").and_then(Node::as_map_mut) else {
        return;
    };
    for entry in configs.values_mut() {
        let Some(name) = entry.node.get("environment") else {
            continue;
        };
        let span = name.span;
        if let Some(value) = name.as_str().and_then(|name| variables.get(name)) {
            let content = Node {
                interpolated: true,
                ..Node::string(value.clone(), span)
            };
            entry.node.set("content", content);
        }
    }
}
