//! Logical checks that need one element only (Compose: `validation`), before normalisation.

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::node::{Map, Node, Value};
use crate::path;

/// Checks addresses of ports, sources of configs and secrets, device requests, watch paths and binds.
pub fn logical(document: &Node, sink: &mut Sink) {
    for section in ["services", "jobs"] {
        for (name, entry) in entries(document.get(section)) {
            service(&entry.node, &format!("{section}.{name}"), sink);
        }
    }
    for (name, entry) in entries(document.get("volumes")) {
        external_volume(&entry.node, name, sink);
    }
    for (name, entry) in entries(document.get("configs")) {
        one_source(
            &entry.node,
            &format!("configs.{name}"),
            &["file", "environment", "content"],
            sink,
        );
    }
    for (name, entry) in entries(document.get("secrets")) {
        one_source(
            &entry.node,
            &format!("secrets.{name}"),
            &["file", "environment"],
            sink,
        );
    }
}

fn entries(node: Option<&Node>) -> impl Iterator<Item = (&String, &crate::node::Entry)> {
    node.and_then(Node::as_map).into_iter().flat_map(Map::iter)
}

fn items<'a>(node: &'a Node, path: &[&str]) -> impl Iterator<Item = &'a Node> {
    node.at(path).and_then(Node::as_seq).into_iter().flatten()
}

fn service(node: &Node, place: &str, sink: &mut Sink) {
    for (index, port) in items(node, &["ports"]).enumerate() {
        if let Some(ip) = port.get("host_ip")
            && let Some(text) = ip.as_str()
            && text.parse::<std::net::IpAddr>().is_err()
        {
            let message = format!(
                "`{place}.ports{}.host_ip` is not an address: `{text}`",
                path::index(index)
            );
            sink.push(Diagnostic::new(Code::BadShortForm, ip.span, message));
        }
    }
    let requests = items(node, &["gpus"]).chain(items(
        node,
        &["deploy", "resources", "reservations", "devices"],
    ));
    for request in requests {
        if let (Some(count), Some(ids)) = (request.get("count"), request.get("device_ids")) {
            sink.push(
                Diagnostic::new(
                    Code::Exclusive,
                    ids.span,
                    format!("`{place}`: `count` and `device_ids` exclude each other"),
                )
                .also(count.span, "`count` is here"),
            );
        }
    }
    for rule in items(node, &["develop", "watch"]) {
        if let Some(path) = rule.get("path").filter(|path| path.as_str() == Some("")) {
            sink.push(Diagnostic::new(
                Code::NotAllowed,
                path.span,
                format!("`{place}.develop.watch.path` cannot be blank"),
            ));
        }
    }
    for mount in items(node, &["volumes"]) {
        let bind = mount.get("type").and_then(Node::as_str) == Some("bind");
        if bind
            && mount
                .get("source")
                .is_none_or(|source| source.is_null() || source.as_str() == Some(""))
        {
            let message = format!("a bind mount of `{place}` needs `source`");
            sink.push(
                Diagnostic::new(Code::MissingKey, mount.span, message)
                    .help("add `source:` with a path of the host"),
            );
        }
    }
}

fn external_volume(node: &Node, name: &str, sink: &mut Sink) {
    let external = node.get("external");
    if external.and_then(Node::as_bool) != Some(true) {
        return;
    }
    for (key, entry) in entries(Some(node)) {
        if !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-") {
            let message = format!("`volumes.{name}` is external, so `{key}` has no meaning");
            let place = external.map(|external| external.span).unwrap_or_default();
            sink.push(
                Diagnostic::new(Code::Exclusive, entry.key, message).also(place, "external here"),
            );
        }
    }
}

fn one_source(node: &Node, place: &str, keys: &[&str], sink: &mut Sink) {
    let Value::Map(map) = &node.value else { return };
    let set: Vec<_> = keys
        .iter()
        .filter_map(|key| map.get(*key).map(|entry| (*key, entry)))
        .collect();
    let list = keys
        .iter()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match set.as_slice() {
        [] if !map.contains_key("driver") && !map.contains_key("external") => sink.push(
            Diagnostic::new(
                Code::NeedsOneOf,
                node.span,
                format!("`{place}` needs one of {list}"),
            )
            .help("or `external: true` if it exists already"),
        ),
        [(_, first), (key, second), ..] => sink.push(
            Diagnostic::new(
                Code::Exclusive,
                second.key,
                format!("`{place}` has more than one of {list}"),
            )
            .label(format!("`{key}` here"))
            .also(first.key, "and the other here"),
        ),
        _ => {}
    }
}
