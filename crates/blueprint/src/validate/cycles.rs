//! Circles in `depends_on`.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::node::{Map, Node};

/// Reports each circle once, as the path that it is.
pub(super) fn report(services: &Map, sink: &mut Sink) {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for name in services.keys() {
        visit(name, services, &mut done, sink);
    }
}

/// Depth first with a stack of its own: a chain may be as long as there are services.
fn visit<'a>(start: &'a str, services: &'a Map, done: &mut BTreeSet<&'a str>, sink: &mut Sink) {
    let mut stack: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut on_path: Vec<&str> = Vec::new();
    let mut inside: BTreeSet<&str> = BTreeSet::new();
    if done.insert(start) {
        stack.push((start, needs(start, services)));
        on_path.push(start);
        inside.insert(start);
    }
    while let Some((_, rest)) = stack.last_mut() {
        let Some(next) = rest.pop() else {
            stack.pop();
            if let Some(left) = on_path.pop() {
                inside.remove(left);
            }
            continue;
        };
        if inside.contains(next) {
            let from = on_path.iter().position(|name| *name == next).unwrap_or(0);
            circle(&on_path[from..], services, sink);
        } else if services.contains_key(next) && done.insert(next) {
            stack.push((next, needs(next, services)));
            on_path.push(next);
            inside.insert(next);
        }
    }
}

fn needs<'a>(name: &str, services: &'a Map) -> Vec<&'a str> {
    let map = services
        .get(name)
        .and_then(|entry| entry.node.get("depends_on"))
        .and_then(Node::as_map);
    map.into_iter()
        .flat_map(|map| map.keys().rev().map(String::as_str))
        .collect()
}

fn circle(path: &[&str], services: &Map, sink: &mut Sink) {
    let (Some(first), Some(last)) = (path.first(), path.last()) else {
        return;
    };
    let at = |from: &str, to: &str| {
        services
            .get(from)
            .and_then(|entry| entry.node.get("depends_on"))
            .and_then(Node::as_map)
            .and_then(|map| map.get(to))
            .map(|entry| entry.key)
            .unwrap_or_default()
    };
    let message = if path.len() == 1 {
        format!("`{first}` depends on itself")
    } else {
        format!(
            "services depend on each other in a circle: {} -> {first}",
            path.join(" -> ")
        )
    };
    let mut diagnostic = Diagnostic::new(Code::DependencyCycle, at(last, first), message)
        .label(format!("`{last}` needs `{first}`"));
    for pair in path.windows(2).take(4) {
        diagnostic = diagnostic.also(
            at(pair[0], pair[1]),
            format!("`{}` needs `{}`", pair[0], pair[1]),
        );
    }
    sink.push(diagnostic.help("remove one of these dependencies"));
}
