//! Edges that settings imply without an expression: the volumes, networks, configs and secrets of a
//! service, a service whose network it shares, the pool of a workload.

use consort_model::template::TextPart;
use consort_model::{Address, Kind, Problem, Template};

use super::check;
use super::declaration::Declarations;

/// What a setting names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// One node. With `lenient` it may be something outside of the blueprint.
    One { address: Address, lenient: bool },
    /// An expression says which: any of this kind.
    Any(Kind),
}

impl Named {
    /// The declarations that are meant.
    pub(super) fn find(&self, graph: &Declarations) -> Result<Vec<usize>, Problem> {
        match self {
            Self::Any(kind) => Ok((0..graph.list.len())
                .filter(|at| graph.list[*at].address.kind() == *kind)
                .collect()),
            Self::One { address, lenient } => match graph.find(address) {
                Some(at) => Ok(vec![at]),
                None if *lenient => Ok(Vec::new()),
                None => Err(check::unknown_node(graph, address, "a setting")),
            },
        }
    }
}

/// Everything that the settings of a node of this kind name.
pub(super) fn names(kind: Kind, body: &Template) -> Vec<Named> {
    match kind {
        Kind::Service | Kind::Job => service(body),
        Kind::Workload => workload(body),
        Kind::Input
        | Kind::Local
        | Kind::Provider
        | Kind::Resource
        | Kind::Data
        | Kind::Host
        | Kind::Network
        | Kind::Volume
        | Kind::Config
        | Kind::Secret
        | Kind::Build
        | Kind::Pool
        | Kind::Workflow
        | Kind::Module
        | Kind::Output => Vec::new(),
    }
}

fn one(kind: Kind, name: &str) -> Named {
    Named::One {
        address: Address::new(kind, name),
        // Compose makes the default network by itself; the loader may leave it out.
        lenient: kind == Kind::Network && name == "default",
    }
}

fn service(body: &Template) -> Vec<Named> {
    let mut found = Vec::new();
    match body.get("networks") {
        Some(Template::Map(map)) => found.extend(map.keys().map(|name| one(Kind::Network, name))),
        Some(Template::List(items)) => {
            found.extend(items.iter().map(|item| whole(item, Kind::Network)));
        }
        _ => {}
    }
    for item in list(body, "volumes") {
        found.extend(volume(item));
    }
    for (key, kind) in [("configs", Kind::Config), ("secrets", Kind::Secret)] {
        for item in list(body, key) {
            found.push(whole(item.get("source").unwrap_or(item), kind));
        }
    }
    for key in ["network_mode", "pid", "ipc"] {
        if let Some(other) = body
            .get(key)
            .and_then(text)
            .and_then(|text| text.strip_prefix("service:"))
        {
            found.push(one(Kind::Service, other));
        }
    }
    for item in list(body, "volumes_from") {
        if let Some(other) = text(item).filter(|text| !text.starts_with("container:")) {
            found.push(one(
                Kind::Service,
                other.split(':').next().unwrap_or_default(),
            ));
        }
    }
    for item in list(body, "links") {
        if let Some(other) = text(item) {
            found.push(one(
                Kind::Service,
                other.split(':').next().unwrap_or_default(),
            ));
        }
    }
    found
}

fn workload(body: &Template) -> Vec<Named> {
    let mut found = Vec::new();
    if let Some(pool) = body.get("pool") {
        found.extend(match pool {
            Template::List(items) => items.iter().map(|item| whole(item, Kind::Pool)).collect(),
            Template::Scalar(value) if value.is_null() => Vec::new(),
            pool => vec![whole(pool, Kind::Pool)],
        });
    }
    found
}

fn list<'a>(body: &'a Template, key: &str) -> impl Iterator<Item = &'a Template> {
    match body.get(key) {
        Some(Template::List(items)) => items.as_slice(),
        _ => &[],
    }
    .iter()
}

fn text(item: &Template) -> Option<&str> {
    match item {
        Template::Scalar(value) => value.as_str(),
        Template::Deferred(_) | Template::List(_) | Template::Map(_) => None,
    }
}

/// A scalar that is a name.
fn whole(item: &Template, kind: Kind) -> Named {
    text(item).map_or(Named::Any(kind), |name| one(kind, name))
}

/// The volume of a mount, in the long or the short form.
fn volume(item: &Template) -> Option<Named> {
    match item {
        Template::Map(_) => {
            let is_volume = item
                .get("type")
                .and_then(text)
                .is_none_or(|kind| kind == "volume");
            let source = item.get("source").filter(|_| is_volume)?;
            match source {
                Template::Scalar(value) if value.is_null() => None,
                source => Some(whole(source, Kind::Volume)),
            }
        }
        Template::Scalar(value) => short(value.as_str()?),
        Template::Deferred(deferred) => match deferred.parts.first() {
            Some(TextPart::Text(text)) if text.contains(':') => short(text),
            Some(TextPart::Text(text)) if text.starts_with(['.', '/', '~']) => None,
            _ => Some(Named::Any(Kind::Volume)),
        },
        Template::List(_) => None,
    }
}

fn short(text: &str) -> Option<Named> {
    let (source, _) = text.split_once(':')?;
    let is_path = source.is_empty() || source.starts_with(['.', '/', '~']);
    (!is_path).then(|| one(Kind::Volume, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_depends_on_what_its_settings_name() {
        let body = Template::from(json!({
            "networks": {"front": null, "default": {}},
            "volumes": ["data:/data", "./src:/src", "/cache", {"type": "volume", "source": "more", "target": "/m"},
                        {"type": "bind", "source": "/x", "target": "/y"}],
            "configs": ["one", {"source": "two"}],
            "secrets": [{"source": "three"}],
            "network_mode": "service:proxy",
            "volumes_from": ["store:ro", "container:other"],
        }));
        let found: Vec<String> = names(Kind::Service, &body)
            .into_iter()
            .map(|named| match named {
                Named::One { address, .. } => address.to_string(),
                Named::Any(kind) => format!("any {kind}"),
            })
            .collect();
        assert_eq!(
            found,
            [
                "networks.front",
                "networks.default",
                "volumes.data",
                "volumes.more",
                "configs.one",
                "configs.two",
                "secrets.three",
                "services.proxy",
                "services.store"
            ]
        );
    }
}
