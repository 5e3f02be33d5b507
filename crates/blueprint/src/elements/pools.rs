//! `pools`: node types and prices.

use std::collections::BTreeMap;

use consort_model::Kind;
use consort_model::units::MilliCpus;

use super::process::tidy;
use super::{Build, Declared};
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Entry, Map, Node, Value};
use crate::span::Span;

impl Build<'_> {
    pub(super) fn pool(&mut self, name: &str, entry: &Entry) {
        let here = format!("pools.{name}");
        let mut body = entry.node.clone();
        tidy(&mut body);
        let span = body.span;
        let types = body.get_mut("types").and_then(Node::as_seq_mut);
        let is_empty = types.as_ref().is_some_and(|types| types.is_empty());
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for node in types.into_iter().flatten() {
            self.node_type(&here, node, &mut seen);
        }
        if is_empty {
            let message = format!("`{here}.types` has no node type");
            self.say(
                Diagnostic::new(Code::NeedsOneOf, span, message)
                    .help("add one: {name: small, cpus: 1, memory: 1G, price: 0.10 USD/h}"),
            );
        }
        self.cpus(&format!("{here}.max_cpus"), body.get("max_cpus"));
        self.billing(&here, &mut body);
        self.declare(Kind::Pool, name, entry.key, &body, Declared::default());
    }

    fn node_type(&mut self, here: &str, node: &mut Node, seen: &mut BTreeMap<String, Span>) {
        tidy(node);
        if let Some(name) = node.get("name")
            && let Some(text) = name.as_str()
            && let Some(first) = seen.insert(text.to_owned(), name.span)
        {
            let message = format!("`{here}` has the node type `{text}` twice");
            self.say(
                Diagnostic::new(Code::DuplicateItem, name.span, message)
                    .label("again here")
                    .also(first, "first here"),
            );
        }
        for key in ["cpus", "speed"] {
            self.cpus(&format!("{here}.types.{key}"), node.get(key));
        }
        if node.as_map().is_some() {
            fill(node, "startup", Value::String("0s".to_owned()));
            fill(node, "speed", Value::Int(1));
        }
    }

    fn billing(&mut self, here: &str, body: &mut Node) {
        if body.as_map().is_none() {
            return;
        }
        let span = body.span;
        fill(body, "billing", Value::Map(Map::new()));
        let Some(billing) = body
            .get_mut("billing")
            .filter(|billing| billing.as_map().is_some())
        else {
            return;
        };
        fill(billing, "interval", Value::String("1s".to_owned()));
        fill(billing, "minimum", Value::String("0s".to_owned()));
        let interval = billing
            .get("interval")
            .and_then(Node::as_str)
            .map(str::parse::<consort_model::time::Span>);
        if matches!(interval, Some(Ok(interval)) if interval == consort_model::time::Span::ZERO) {
            let span = billing.get("interval").map_or(span, |node| node.span);
            let message = format!("`{here}.billing.interval` is zero");
            self.say(Diagnostic::new(Code::NotAllowed, span, message).help("write at least 1s"));
        }
    }

    /// A number of processors, or another figure above zero.
    pub(super) fn cpus(&mut self, place: &str, node: Option<&Node>) {
        let Some(node) = node else { return };
        let number = match node.value {
            Value::Int(value) => value as f64,
            Value::Float(value) => value,
            _ => return,
        };
        if MilliCpus::from_cpus(number).is_err() {
            let message = format!("`{place}` must be from 0.001 to 1000000");
            self.say(
                Diagnostic::new(Code::NotAllowed, node.span, message)
                    .help("write a number such as 0.5 or 2"),
            );
        }
    }
}

/// Sets a key that is not there.
pub(super) fn fill(node: &mut Node, key: &str, value: Value) {
    if node.get(key).is_none() {
        let span = node.span;
        node.set(key, Node::new(value, span));
    }
}
