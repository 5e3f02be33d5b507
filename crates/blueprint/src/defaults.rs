//! Values that Compose fills in before it validates.

use crate::node::{Node, Value};

/// Fills in the protocol and mode of ports, the target of secrets, the context of builds, and the count of
/// device requests.
pub fn apply(document: &mut Node) {
    for section in ["services", "jobs"] {
        let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        map.values_mut().for_each(|entry| service(&mut entry.node));
    }
}

fn service(service: &mut Node) {
    container(service);
    each(service, "ports", |port| {
        default(port, "protocol", "tcp");
        default(port, "mode", "ingress");
    });
    if let Some(build) = service.get_mut("build") {
        default(build, "context", ".");
    }
    if let Some(reservations) = service
        .get_mut("deploy")
        .and_then(|deploy| deploy.get_mut("resources"))
        .and_then(|resources| resources.get_mut("reservations"))
    {
        each(reservations, "devices", device_request);
    }
    if let Some(hooks) = service.get_mut("pre_start").and_then(Node::as_seq_mut) {
        hooks.iter_mut().for_each(container);
    }
}

fn container(node: &mut Node) {
    each(node, "secrets", |secret| {
        if let Some(source) = secret.get("source").and_then(Node::scalar_text) {
            default(secret, "target", &format!("/run/secrets/{source}"));
        }
    });
    each(node, "gpus", device_request);
}

fn device_request(request: &mut Node) {
    if request.get("device_ids").is_none() {
        default(request, "count", "all");
    }
}

fn each(node: &mut Node, key: &str, change: impl FnMut(&mut Node)) {
    if let Some(items) = node.get_mut(key).and_then(Node::as_seq_mut) {
        items.iter_mut().for_each(change);
    }
}

fn default(node: &mut Node, key: &str, value: &str) {
    if node.as_map().is_some() && node.get(key).is_none() {
        let span = node.span;
        node.set(key, Node::new(Value::String(value.to_owned()), span));
    }
}
