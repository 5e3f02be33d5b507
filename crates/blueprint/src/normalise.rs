//! What Compose infers once the whole is there: the default network, dependencies from links and shared
//! namespaces, names of resources.

use std::collections::BTreeMap;

use crate::environment;
use crate::node::{Entry, Map, Node, Value};
use crate::paths;
use crate::span::Span;

/// Normalises a document whose name is settled. `variables` are those of interpolation.
pub fn apply(document: &mut Node, name: &str, variables: &BTreeMap<String, String>) {
    default_network(document);
    for section in ["services", "jobs"] {
        let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        for entry in map
            .values_mut()
            .filter(|entry| entry.node.as_map().is_some())
        {
            service(&mut entry.node, variables);
        }
    }
    for section in ["networks", "volumes", "configs", "secrets"] {
        if let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) {
            map.iter_mut()
                .for_each(|(key, entry)| resource_name(key, &mut entry.node, name));
        }
    }
}

/// `scale` is the older name of `deploy.replicas`: where both keys have a place, they say the same. Compose does
/// this together with the checks over the whole document, and not without them.
pub fn scale_to_replicas(document: &mut Node) {
    let Some(services) = document.get_mut("services").and_then(Node::as_map_mut) else {
        return;
    };
    for entry in services.values_mut() {
        let Some(scale) = entry.node.get("scale").cloned() else {
            continue;
        };
        if let Some(deploy) = entry.node.get_mut("deploy") {
            deploy.set("replicas", scale);
        }
    }
}

fn default_network(document: &mut Node) {
    let mut used = false;
    for section in ["services", "jobs"] {
        let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        for service in map
            .values_mut()
            .map(|entry| &mut entry.node)
            .filter(|node| node.as_map().is_some())
        {
            if service.get("provider").is_some() || service.get("network_mode").is_some() {
                continue;
            }
            let none = match service.get("networks").map(|networks| &networks.value) {
                None | Some(Value::Null) => true,
                Some(Value::Map(map)) => map.is_empty(),
                Some(_) => false,
            };
            if none {
                let span = service.span;
                service.set("networks", Node::map([("default", Value::Null)], span));
            }
            used |= service.at(&["networks", "default"]).is_some();
        }
    }
    if used && document.at(&["networks", "default"]).is_none() {
        if document
            .get("networks")
            .is_none_or(|networks| networks.as_map().is_none())
        {
            document.set("networks", Node::new(Value::Map(Map::new()), Span::NONE));
        }
        if let Some(networks) = document.get_mut("networks") {
            networks.set("default", Node::new(Value::Null, Span::NONE));
        }
    }
}

fn service(service: &mut Node, variables: &BTreeMap<String, String>) {
    if service.get("pull_policy").and_then(Node::as_str) == Some("if_not_present")
        && let Some(policy) = service.get_mut("pull_policy")
    {
        policy.value = Value::String("missing".to_owned());
    }
    build(service, variables);
    if let Some(environment) = service.get_mut("environment") {
        environment::resolve_bare(environment, variables, true);
    }
    dependencies(service);
    for mount in service
        .get_mut("volumes")
        .and_then(Node::as_seq_mut)
        .into_iter()
        .flatten()
    {
        if let Some(target) = mount.get_mut("target")
            && let Value::String(text) = &target.value
        {
            target.value = Value::String(paths::clean(text));
        }
    }
    hooks(service);
}

fn build(service: &mut Node, variables: &BTreeMap<String, String>) {
    let Some(build) = service
        .get_mut("build")
        .filter(|build| build.as_map().is_some())
    else {
        return;
    };
    let span = build.span;
    let missing = |build: &Node, key: &str| build.get(key).is_none_or(Node::is_null);
    if missing(build, "context") {
        build.set("context", Node::string(".", span));
    }
    if missing(build, "dockerfile") && missing(build, "dockerfile_inline") {
        build.set("dockerfile", Node::string("Dockerfile", span));
    }
    if let Some(args) = build.get_mut("args") {
        environment::resolve_bare(args, variables, false);
    }
}

/// A hook without an image of its own runs in that of the service.
fn hooks(service: &mut Node) {
    let Some(image) = service.get("image").cloned() else {
        return;
    };
    for hook in service
        .get_mut("pre_start")
        .and_then(Node::as_seq_mut)
        .into_iter()
        .flatten()
    {
        if hook.as_map().is_some() && hook.get("image").is_none() {
            hook.set("image", image.clone());
        }
    }
}

fn dependencies(service: &mut Node) {
    let mut inferred: Vec<(String, bool, Span)> = Vec::new();
    for link in service
        .get("links")
        .and_then(Node::as_seq)
        .into_iter()
        .flatten()
    {
        if let Some(text) = link.as_str() {
            let parts: Vec<&str> = text.split(':').collect();
            let name = if parts.len() == 2 { parts[0] } else { text };
            inferred.push((name.to_owned(), true, link.span));
        }
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        if let Some(node) = service.get(key)
            && let Some(name) = node.as_str().and_then(|text| text.strip_prefix("service:"))
        {
            inferred.push((name.to_owned(), true, node.span));
        }
    }
    for from in service
        .get("volumes_from")
        .and_then(Node::as_seq)
        .into_iter()
        .flatten()
    {
        if let Some(text) = from.as_str().filter(|text| !text.starts_with("container:")) {
            inferred.push((
                text.split(':').next().unwrap_or(text).to_owned(),
                false,
                from.span,
            ));
        }
    }
    if inferred.is_empty() {
        return;
    }
    if service
        .get("depends_on")
        .is_none_or(|node| node.as_map().is_none())
    {
        let span = service.span;
        service.set("depends_on", Node::new(Value::Map(Map::new()), span));
    }
    let Some(map) = service.get_mut("depends_on").and_then(Node::as_map_mut) else {
        return;
    };
    for (name, restart, span) in inferred {
        map.entry(name).or_insert_with(|| {
            Entry::made(Node::map(
                [
                    ("condition", Value::String("service_started".to_owned())),
                    ("restart", Value::Bool(restart)),
                    ("required", Value::Bool(true)),
                ],
                span,
            ))
        });
    }
}

fn resource_name(key: &str, node: &mut Node, project: &str) {
    if node.is_null() {
        node.value = Value::Map(Map::new());
    }
    if node.as_map().is_none() || node.get("name").is_some_and(|name| !name.is_null()) {
        return;
    }
    let external = node
        .get("external")
        .and_then(Node::as_bool)
        .unwrap_or(false);
    let name = if external {
        key.to_owned()
    } else {
        format!("{project}_{key}")
    };
    let span = node.span;
    node.set("name", Node::string(name, span));
}
