//! Checks over the whole document (Compose: `checkConsistency`), after profiles.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::node::{Map, Node, Value};
use crate::span::Span;

/// Checks every reference and every pair of keys that must agree.
pub fn consistency(document: &Node, disabled: &Map, sink: &mut Sink) {
    let empty = Map::new();
    // A wrong key is the likely reason that nothing is there to run; one mistake is enough.
    let clean = !sink.has_errors();
    let all = Whole {
        document,
        services: document
            .get("services")
            .and_then(Node::as_map)
            .unwrap_or(&empty),
        disabled,
    };
    for section in ["services", "jobs"] {
        for (name, entry) in map_of(document.get(section)) {
            let one = One {
                all: &all,
                name,
                node: &entry.node,
                span: entry.key,
                section,
            };
            if clean {
                one.something_to_run(sink);
            }
            one.build(sink);
            one.networks(sink);
            one.references(sink);
            one.dependencies(sink);
            one.healthcheck(sink);
            one.scale(sink);
            one.twins(sink);
            one.watch(sink);
            one.mounts(sink);
        }
    }
    super::cycles::report(all.services, sink);
}

fn map_of(node: Option<&Node>) -> impl Iterator<Item = (&String, &crate::node::Entry)> {
    node.and_then(Node::as_map).into_iter().flat_map(Map::iter)
}

struct Whole<'a> {
    document: &'a Node,
    services: &'a Map,
    disabled: &'a Map,
}

struct One<'a> {
    all: &'a Whole<'a>,
    name: &'a str,
    node: &'a Node,
    span: Span,
    section: &'static str,
}

/// Our kinds whose elements a service may name in `depends_on`, as `KIND.NAME`.
const KINDS: [&str; 8] = [
    "resources",
    "data",
    "hosts",
    "jobs",
    "workloads",
    "workflows",
    "modules",
    "services",
];

impl One<'_> {
    fn items(&self, path: &[&str]) -> impl Iterator<Item = &Node> {
        self.node
            .at(path)
            .and_then(Node::as_seq)
            .into_iter()
            .flatten()
    }
    fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(|node| !node.is_null())
    }
    fn place(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    fn something_to_run(&self, sink: &mut Sink) {
        let target = self.all.document.get("target");
        let containers = target
            .and_then(|target| {
                target
                    .as_str()
                    .or_else(|| target.get("kind").and_then(Node::as_str))
            })
            .is_some_and(|kind| kind != "process");
        let program = !containers && (self.has("command") || self.has("entrypoint"));
        if !["image", "build", "provider", "process"]
            .iter()
            .any(|key| self.has(key))
            && !program
        {
            let message = format!("`{}` has nothing to run", self.place());
            sink.push(
                Diagnostic::new(Code::NothingToRun, self.span, message)
                    .help("add `image:`, `build:`, or `process:` for a program of this machine"),
            );
        }
    }

    fn build(&self, sink: &mut Sink) {
        let (file, inline) = (
            self.node.at(&["build", "dockerfile"]),
            self.node.at(&["build", "dockerfile_inline"]),
        );
        if let (Some(file), Some(inline)) = (file, inline) {
            let message = format!(
                "`{}`: `dockerfile` and `dockerfile_inline` exclude each other",
                self.place()
            );
            sink.push(
                Diagnostic::new(Code::Exclusive, inline.span, message)
                    .also(file.span, "`dockerfile` is here"),
            );
        }
        for (context, entry) in map_of(self.node.at(&["build", "additional_contexts"])) {
            let Some(name) = entry
                .node
                .as_str()
                .and_then(|text| text.strip_prefix("service:"))
            else {
                continue;
            };
            match self.all.services.get(name) {
                None => {
                    self.undefined("service", name, &entry.node, self.all.services.keys(), sink)
                }
                Some(other) if other.node.get("build").is_none() => {
                    let message = format!(
                        "`{}`: the context `{context}` is a service that is not built",
                        self.place()
                    );
                    sink.push(
                        Diagnostic::new(Code::Conflict, entry.node.span, message)
                            .also(other.key, "it has no `build`"),
                    );
                }
                Some(_) => {}
            }
        }
        if let Some(platform) = self.node.get("platform")
            && let Some(wanted) = platform.as_str()
            && self.items(&["build", "platforms"]).next().is_some()
            && !self
                .items(&["build", "platforms"])
                .any(|built| built.is_opaque() || built.as_str() == Some(wanted))
        {
            let message = format!(
                "`{}`: `build.platforms` lacks its `platform` {wanted}",
                self.place()
            );
            sink.push(Diagnostic::new(Code::Conflict, platform.span, message));
        }
    }

    fn networks(&self, sink: &mut Sink) {
        let networks = self
            .node
            .get("networks")
            .filter(|networks| networks.as_map().is_some_and(|map| !map.is_empty()));
        if let (Some(mode), Some(networks)) = (self.node.get("network_mode"), networks) {
            let message = format!(
                "`{}`: `network_mode` and `networks` exclude each other",
                self.place()
            );
            sink.push(
                Diagnostic::new(Code::Exclusive, mode.span, message)
                    .also(networks.span, "`networks` is here"),
            );
        }
        if let Some(mode) = self.node.get("network_mode")
            && let Some(name) = mode.as_str().and_then(|text| text.strip_prefix("service:"))
            && !self.all.services.contains_key(name)
        {
            self.undefined("service", name, mode, self.all.services.keys(), sink);
        }
    }

    fn references(&self, sink: &mut Sink) {
        let defined = |section: &str| -> Vec<&String> {
            self.all
                .document
                .get(section)
                .and_then(Node::as_map)
                .into_iter()
                .flat_map(Map::keys)
                .collect()
        };
        for (section, word) in [("networks", "network"), ("models", "model")] {
            for (name, entry) in map_of(self.node.get(section)) {
                if !defined(section).contains(&name) {
                    let at = Node::new(Value::Null, entry.key);
                    self.undefined(word, name, &at, defined(section).into_iter(), sink);
                }
            }
        }
        for mount in self.items(&["volumes"]) {
            let Some(source) = mount
                .get("source")
                .filter(|source| source.as_str().is_some_and(|text| !text.is_empty()))
            else {
                continue;
            };
            let name = source.as_str().unwrap_or_default();
            if mount.get("type").and_then(Node::as_str) == Some("volume")
                && !defined("volumes").iter().any(|known| *known == name)
            {
                self.undefined("volume", name, source, defined("volumes").into_iter(), sink);
            }
        }
        let lists: [(&str, &[&str], &str); 3] = [
            ("configs", &["configs"], "config"),
            ("secrets", &["secrets"], "secret"),
            ("secrets", &["build", "secrets"], "secret"),
        ];
        for (section, path, word) in lists {
            for grant in self.items(path) {
                if let Some(source) = grant.get("source")
                    && let Some(name) = source.as_str()
                    && !defined(section).iter().any(|known| *known == name)
                {
                    self.undefined(word, name, source, defined(section).into_iter(), sink);
                }
            }
        }
    }

    fn undefined<'s>(
        &self,
        word: &str,
        name: &str,
        at: &Node,
        known: impl Iterator<Item = &'s String>,
        sink: &mut Sink,
    ) {
        let message = format!(
            "`{}` refers to the {word} `{name}`, which is not defined",
            self.place()
        );
        let diagnostic = Diagnostic::new(Code::Undefined, at.span, message)
            .help(format!("define it at the top level, below `{word}s:`"));
        sink.push(diagnostic.nearest(name, known.map(String::as_str)));
    }

    fn dependencies(&self, sink: &mut Sink) {
        for (name, entry) in map_of(self.node.get("depends_on")) {
            let required = entry
                .node
                .get("required")
                .and_then(Node::as_bool)
                .unwrap_or(true);
            let element = name.split_once('.').is_some_and(|(kind, name)| {
                KINDS.contains(&kind) && self.all.document.at(&[kind, name]).is_some()
            });
            if self.all.services.contains_key(name) || element {
                continue;
            }
            if self.all.disabled.contains_key(name) {
                if required {
                    let message = format!(
                        "`{}` depends on `{name}`, which no profile switches on",
                        self.place()
                    );
                    sink.push(
                        Diagnostic::new(Code::DisabledDependency, entry.key, message).help(
                            "switch its profile on with `--profile`, or write `required: false`",
                        ),
                    );
                }
                continue;
            }
            let at = Node::new(Value::Null, entry.key);
            self.undefined("service", name, &at, self.all.services.keys(), sink);
        }
    }

    fn healthcheck(&self, sink: &mut Sink) {
        let Some(first) = self.items(&["healthcheck", "test"]).next() else {
            return;
        };
        if let Some(word) = first.as_str()
            && !matches!(word, "CMD" | "CMD-SHELL" | "NONE")
        {
            let message = format!(
                "the test of `{}.healthcheck` must start with CMD, CMD-SHELL or NONE",
                self.place()
            );
            sink.push(
                Diagnostic::new(Code::BadHealthcheck, first.span, message)
                    .help("write [CMD, …] to run a program, or text to run it in a shell"),
            );
        }
    }

    fn scale(&self, sink: &mut Sink) {
        let (scale, replicas) = (
            self.node.get("scale"),
            self.node.at(&["deploy", "replicas"]),
        );
        let number = |node: Option<&Node>| node.and_then(Node::as_int);
        if let (Some(scale_node), Some(a), Some(b)) = (scale, number(scale), number(replicas))
            && a != b
        {
            self.differ(scale_node, replicas, "scale", "deploy.replicas", sink);
        }
        for (node, key) in [(scale, "scale"), (replicas, "deploy.replicas")] {
            if let Some(node) = node.filter(|node| node.as_int().is_some_and(|value| value < 0)) {
                let message = format!("`{}.{key}` must be at least 0", self.place());
                sink.push(Diagnostic::new(Code::NotAllowed, node.span, message));
            }
        }
        let count = number(scale).or_else(|| number(replicas)).unwrap_or(1);
        if count > 1
            && let Some(name) = self.node.get("container_name")
        {
            let message = format!(
                "`{}` has a fixed `container_name` and {count} instances",
                self.place()
            );
            sink.push(
                Diagnostic::new(Code::Conflict, name.span, message).help("remove `container_name`"),
            );
        }
    }

    fn differ(&self, node: &Node, twin: Option<&Node>, key: &str, twin_key: &str, sink: &mut Sink) {
        let message = format!(
            "`{}`: `{key}` and `{twin_key}` have different values",
            self.place()
        );
        let place = twin.map(|twin| twin.span).unwrap_or_default();
        sink.push(
            Diagnostic::new(Code::Conflict, node.span, message)
                .also(place, "the other value")
                .help("keep one of them"),
        );
    }

    /// Keys that Compose knows twice must say the same.
    fn twins(&self, sink: &mut Sink) {
        let number = |node: &Node| {
            node.scalar_text()
                .and_then(|text| text.parse::<f32>().ok())
                .map(f64::from)
        };
        let bytes = |node: &Node| {
            node.as_int().map(|value| value as f64).or_else(|| {
                node.as_str()
                    .and_then(|text| crate::quantity::bytes(text).ok())
                    .map(|value| value as f64)
            })
        };
        type Read<'r> = &'r dyn Fn(&Node) -> Option<f64>;
        let twins: [(&str, &[&str], Read<'_>); 4] = [
            ("cpus", &["deploy", "resources", "limits", "cpus"], &number),
            (
                "mem_limit",
                &["deploy", "resources", "limits", "memory"],
                &bytes,
            ),
            (
                "mem_reservation",
                &["deploy", "resources", "reservations", "memory"],
                &bytes,
            ),
            (
                "pids_limit",
                &["deploy", "resources", "limits", "pids"],
                &number,
            ),
        ];
        for (key, path, read) in twins {
            let (Some(node), Some(twin)) = (self.node.get(key), self.node.at(path)) else {
                continue;
            };
            if let (Some(a), Some(b)) = (read(node), read(twin))
                && a != b
            {
                self.differ(node, Some(twin), key, &path.join("."), sink);
            }
        }
    }

    fn watch(&self, sink: &mut Sink) {
        for rule in self.items(&["develop", "watch"]) {
            let action = rule
                .get("action")
                .and_then(Node::as_str)
                .unwrap_or_default();
            let target = rule
                .get("target")
                .is_some_and(|target| target.as_str() != Some(""));
            if !target && !matches!(action, "rebuild" | "restart" | "") {
                let message = format!(
                    "a rule of `{}.develop.watch` with `action: {action}` needs `target`",
                    self.place()
                );
                sink.push(Diagnostic::new(Code::MissingKey, rule.span, message));
            }
        }
    }

    fn mounts(&self, sink: &mut Sink) {
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let tmpfs = self.items(&["tmpfs"]).filter_map(|node| {
            node.as_str()
                .map(|text| (text.split(':').next().unwrap_or(text).to_owned(), node.span))
        });
        let volumes = self.items(&["volumes"]).filter_map(|mount| {
            mount
                .get("target")
                .and_then(Node::as_str)
                .map(|target| (target.to_owned(), mount.span))
        });
        for (target, span) in tmpfs.chain(volumes) {
            if let Some(first) = seen.insert(target.clone(), span) {
                let message = format!("`{}` mounts two things at {target}", self.place());
                sink.push(
                    Diagnostic::new(Code::MountedTwice, span, message)
                        .also(first, "the first is here"),
                );
            }
        }
    }
}
