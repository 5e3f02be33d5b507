//! `locals`, `data`, `resources`, and what they share with services: `for_each`, `depends_on`, `lifecycle`.

use consort_model::blueprint::{Condition, Dependency, Lifecycle};
use consort_model::{Address, Kind};

use super::inputs::holds_expression;
use super::{Build, Declared};
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Entry, Map, Node, Value};
use crate::span::Span;

impl Build<'_> {
    pub(super) fn local(&mut self, name: &str, entry: &Entry) {
        self.declare(
            Kind::Local,
            name,
            entry.key,
            &entry.node,
            Declared::default(),
        );
    }

    pub(super) fn resource(&mut self, kind: Kind, name: &str, entry: &Entry) {
        let node = &entry.node;
        let here = format!("{}.{name}", kind.word());
        for key in ["type", "lifecycle", "timeout", "depends_on"] {
            self.no_expression(&format!("{here}.{key}"), node.get(key));
        }
        let type_name = node.get("type").and_then(Node::as_str).unwrap_or_default();
        if !is_type_name(type_name) && node.get("type").is_some_and(|node| !node.is_opaque()) {
            let message = format!("`{type_name}` is not the type of a resource");
            let span = node.get("type").map_or(entry.key, |node| node.span);
            self.say(
                Diagnostic::new(Code::NotAllowed, span, message)
                    .help("types have small letters, digits and `_`: `password`"),
            );
        }
        let empty = Node::new(Value::Map(Map::new()), node.span);
        let properties = node
            .get("properties")
            .filter(|node| !node.is_null())
            .unwrap_or(&empty);
        let (depends_on, edges) = self.dependencies(&here, node.get("depends_on"));
        let declared = Declared {
            type_name: Some(type_name.to_owned()),
            for_each: node.get("for_each").filter(|node| !node.is_null()).cloned(),
            depends_on,
            lifecycle: lifecycle(node.get("lifecycle")),
            time_limit: node
                .get("timeout")
                .and_then(Node::as_str)
                .and_then(|text| text.parse().ok()),
            edges,
        };
        self.triggers(&declared.lifecycle, node);
        self.declare(kind, name, entry.key, properties, declared);
    }

    /// Networks, volumes, configs and secrets: their settings as they are.
    pub(super) fn plain(&mut self, kind: Kind, name: &str, entry: &Entry) {
        let mut body = entry.node.clone();
        if let Some(map) = body.as_map_mut() {
            map.retain(|key, entry| !key.starts_with("x-") && !entry.node.is_null());
        }
        self.declare(kind, name, entry.key, &body, Declared::default());
    }

    pub(super) fn no_expression(&mut self, place: &str, node: Option<&Node>) {
        if let Some(node) = node.filter(|node| holds_expression(node)) {
            let message = format!("`{place}` cannot be an expression");
            self.say(
                Diagnostic::new(Code::ExpressionNotHere, node.span, message)
                    .help("write the value itself, or take it from the environment: ${NAME}"),
            );
        }
    }

    /// `depends_on` as a list of names or a mapping of names to conditions.
    pub(super) fn dependencies(
        &mut self,
        here: &str,
        node: Option<&Node>,
    ) -> (Vec<Dependency>, Vec<(Address, Span)>) {
        let mut found = Vec::new();
        match node.map(|node| &node.value) {
            Some(Value::Seq(items)) => {
                found.extend(
                    items
                        .iter()
                        .filter_map(|item| Some((item.as_str()?, None, item.span))),
                );
            }
            Some(Value::Map(map)) => {
                found.extend(
                    map.iter()
                        .map(|(name, entry)| (name.as_str(), Some(&entry.node), entry.key)),
                );
            }
            _ => {}
        }
        let mut dependencies = Vec::new();
        let mut edges = Vec::new();
        for (name, settings, span) in found {
            let flag = |key: &str| {
                settings
                    .and_then(|settings| settings.get(key))
                    .and_then(Node::as_bool)
            };
            let required = flag("required").unwrap_or(true);
            let Some(on) = self.dependency(here, name, span) else {
                continue;
            };
            if !self.is_written(&on) {
                // Compose: one that is not required may be switched off or missing.
                if required {
                    self.graph.pending.push((on, span));
                }
                continue;
            }
            let condition = condition(
                settings
                    .and_then(|settings| settings.get("condition"))
                    .and_then(Node::as_str),
            );
            if condition == Condition::ServiceHealthy && !matches!(on.kind(), Kind::Service) {
                let message =
                    format!("`{here}` waits for the health of `{on}`, which is no service");
                self.say(
                    Diagnostic::new(Code::NotAllowed, span, message)
                        .help("leave the condition away: it waits until it is there"),
                );
            }
            edges.push((on.declaration(), span));
            dependencies.push(Dependency {
                on,
                condition,
                required,
                restart: flag("restart").unwrap_or(false),
            });
        }
        (dependencies, edges)
    }

    /// The address that a name of `depends_on` means: a service by its name, all else by its address.
    fn dependency(&mut self, here: &str, name: &str, span: Span) -> Option<Address> {
        let service = Address::new(Kind::Service, name);
        if self.is_written(&service) || !name.contains(['.', '[']) {
            return Some(service);
        }
        match name.parse::<Address>() {
            Ok(address) if address.part().is_none() && address.modules().is_empty() => {
                Some(address)
            }
            Ok(address) => {
                let message =
                    format!("`{here}` depends on `{address}`, which is only a part of an element");
                self.say(
                    Diagnostic::new(Code::NotAllowed, span, message)
                        .help(format!("name the whole: `{}`", address.declaration())),
                );
                None
            }
            Err(error) => {
                self.say(Diagnostic::new(Code::BadShortForm, span, error.to_string()));
                None
            }
        }
    }

    /// Whether the document has an element, also one that is not read yet.
    fn is_written(&self, address: &Address) -> bool {
        self.loaded
            .document
            .at(&[address.kind().word(), address.name()])
            .is_some()
    }

    /// Reports entries of `replace_triggered_by` that name nothing.
    fn triggers(&mut self, lifecycle: &Lifecycle, node: &Node) {
        let written = node
            .at(&["lifecycle", "replace_triggered_by"])
            .and_then(Node::as_seq)
            .unwrap_or_default();
        for (text, node) in lifecycle.replace_triggered_by.iter().zip(written) {
            match triggered_by(text) {
                Some(address) if self.is_written(&address) => {}
                Some(address) => self.graph.pending.push((address, node.span)),
                None => {
                    let message = format!("`{text}` names no element");
                    self.say(
                        Diagnostic::new(Code::BadShortForm, node.span, message)
                            .help("write for example `resources.vpc` or `resources.vpc.id`"),
                    );
                }
            }
        }
    }
}

/// The element of `resources.vpc`, `resources.bucket["eu"]` or `resources.vpc.id`.
fn triggered_by(text: &str) -> Option<Address> {
    let dotted = if text.starts_with('.') {
        text.to_owned()
    } else {
        format!(".{text}")
    };
    let program =
        consort_expression::compile(&dotted, &consort_expression::Scope::default()).ok()?;
    let [reference] = program.references() else {
        return None;
    };
    match reference.path.as_slice() {
        [
            consort_expression::PathPart::Key(kind),
            consort_expression::PathPart::Key(name),
            ..,
        ] => Kind::from_word(kind).map(|kind| Address::new(kind, name.as_str())),
        _ => None,
    }
}

fn condition(word: Option<&str>) -> Condition {
    match word {
        Some("service_healthy") => Condition::ServiceHealthy,
        Some("service_completed_successfully") => Condition::ServiceCompletedSuccessfully,
        _ => Condition::ServiceStarted,
    }
}

fn lifecycle(node: Option<&Node>) -> Lifecycle {
    let flag = |key: &str| {
        node.and_then(|node| node.get(key))
            .and_then(Node::as_bool)
            .unwrap_or(false)
    };
    let texts = |key: &str| match node.and_then(|node| node.get(key)).map(|node| &node.value) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Seq(items)) => items
            .iter()
            .filter_map(Node::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    Lifecycle {
        prevent_destroy: flag("prevent_destroy"),
        create_before_destroy: flag("create_before_destroy"),
        ignore_changes: texts("ignore_changes"),
        replace_triggered_by: texts("replace_triggered_by"),
    }
}

fn is_type_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}
