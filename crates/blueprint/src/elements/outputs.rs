//! `outputs`, `objectives` and `target`.

use consort_model::blueprint::{Objectives, OutputDecl, TargetKind};
use consort_model::{Address, Kind, Template};

use super::Build;
use super::process::tidy;
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Entry, Map, Node, Value};

impl Build<'_> {
    pub(super) fn output(&mut self, name: &str, entry: &Entry) {
        let node = &entry.node;
        // A mapping is the long form; anything else is the value itself.
        let long = node.as_map().is_some();
        let value = if long { node.get("value") } else { Some(node) };
        let Some(value) = value else { return };
        for key in ["description", "sensitive"] {
            self.no_expression(&format!("outputs.{name}.{key}"), node.get(key));
        }
        self.graph
            .note(&Address::new(Kind::Output, name), value, false, false);
        let sources = &self.loaded.sources;
        let output = OutputDecl {
            value: value.to_template(sources),
            sensitive: long
                && node.get("sensitive").is_some_and(|node| {
                    node.as_bool() == Some(true) || node.as_str() == Some("true")
                }),
            description: node
                .get("description")
                .and_then(Node::as_str)
                .map(str::to_owned),
            place: sources.place(entry.key),
        };
        self.blueprint.outputs.insert(name.to_owned(), output);
    }

    pub(super) fn objectives(&mut self, node: &Node) {
        if node.is_null() || node.as_map().is_some_and(Map::is_empty) {
            return;
        }
        self.no_expression("objectives", Some(node));
        self.say(
            Diagnostic::new(
                Code::NotActedUpon,
                node.span,
                "`objectives` of the deployment are not acted upon yet",
            )
            .help("plans are made as if they were not there"),
        );
        let sources = &self.loaded.sources;
        self.blueprint.objectives = Some(Objectives {
            body: node.to_template(sources),
            place: sources.place(node.span),
        });
    }

    pub(super) fn target(&mut self, node: &Node) {
        self.no_expression("target", Some(node));
        let word = node
            .as_str()
            .or_else(|| node.get("kind").and_then(Node::as_str));
        self.blueprint.target = word.and_then(target_kind);
        if matches!(node.value, Value::Map(_)) {
            let mut settings = node.clone();
            settings.remove("kind");
            tidy(&mut settings);
            self.blueprint.target_settings = settings.to_template(&self.loaded.sources);
        } else {
            self.blueprint.target_settings = Template::default();
        }
    }
}

fn target_kind(word: &str) -> Option<TargetKind> {
    Some(match word {
        "process" => TargetKind::Process,
        "docker" => TargetKind::Docker,
        "kubernetes" => TargetKind::Kubernetes,
        _ => return None,
    })
}
