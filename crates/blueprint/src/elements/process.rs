//! Containers and processes: one form for commands and pairs.

use super::Build;
use crate::diagnostic::Sink;
use crate::node::{Entry, Map, Node, Value};
use crate::{canonical, environment, settle};

impl Build<'_> {
    /// Brings tasks into the one form that services have after the load.
    pub(super) fn settle_tasks(&mut self, tasks: Map) -> Map {
        let mut document = Node::new(Value::Map(Map::new()), crate::span::Span::NONE);
        document.set(
            "services",
            Node::new(Value::Map(tasks), crate::span::Span::NONE),
        );
        canonical::canonical(&mut document, &mut self.sink);
        for entry in document
            .get_mut("services")
            .and_then(Node::as_map_mut)
            .into_iter()
            .flat_map(Map::values_mut)
        {
            if let Some(environment) = entry.node.get_mut("environment") {
                environment::resolve_bare(environment, &self.loaded.variables, true);
            }
        }
        settle::settle(&mut document, &mut self.sink);
        match document.remove("services").map(|node| node.value) {
            Some(Value::Map(mut map)) => {
                map.values_mut()
                    .for_each(|entry| settle_process(&mut entry.node, &mut self.sink));
                map
            }
            _ => Map::new(),
        }
    }
}

/// The commands of `process` become words, as `command` of a service does.
pub(super) fn settle_process(node: &mut Node, sink: &mut Sink) {
    let Some(process) = node.get_mut("process") else {
        return;
    };
    for key in ["build", "command"] {
        let Some(value) = process.remove(key) else {
            continue;
        };
        let mut service = Node::new(Value::Map(Map::new()), value.span);
        service.set("command", value);
        let mut services = Map::new();
        services.insert(key.to_owned(), Entry::made(service));
        let mut document = Node::new(Value::Map(Map::new()), process.span);
        document.set("services", Node::new(Value::Map(services), process.span));
        settle::settle(&mut document, sink);
        if let Some(settled) = document.at(&["services", key, "command"]) {
            process.set(key, settled.clone());
        }
    }
}

/// Takes away what is nothing, and what is for people only.
pub(super) fn tidy(node: &mut Node) {
    if let Some(map) = node.as_map_mut() {
        map.retain(|key, entry| !key.starts_with("x-") && !entry.node.is_null());
    }
}
