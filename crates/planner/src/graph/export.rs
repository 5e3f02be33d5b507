//! The graph for people and programs: text, Graphviz and JSON.

use std::fmt::Write as _;

use consort_model::Value;
use serde_json::json;

use super::declaration::{Declarations, Why};

impl Why {
    /// The word for people.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Setting => "setting",
            Self::ForEach => "for_each",
            Self::Explicit => "depends_on",
            Self::Trigger => "replace_triggered_by",
        }
    }
}

impl Declarations {
    /// A line per node, and below it what it depends on and why.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for at in &self.order {
            let node = &self.list[*at];
            let kind = node.address.kind().word();
            let shown = if node.type_name == kind {
                String::new()
            } else {
                format!(" ({})", node.type_name)
            };
            let keys = if node.has_keys { ", one per key" } else { "" };
            let _ = writeln!(out, "{}{shown}{keys}", node.address);
            for (on, whys) in self.reasons(*at) {
                let _ = writeln!(out, "  <- {} ({})", self.list[on].address, whys.join(", "));
            }
        }
        out
    }

    /// The form of Graphviz: `dot -Tsvg`. An arrow goes from a node to what it depends on.
    pub fn dot(&self) -> String {
        let quoted = |text: &str| Value::String(text.to_owned()).to_string();
        let mut out =
            String::from("digraph deployment {\n  rankdir = RL;\n  node [shape = box];\n");
        for node in &self.list {
            let _ = writeln!(out, "  {};", quoted(&node.address.to_string()));
        }
        for (at, node) in self.list.iter().enumerate() {
            for (on, whys) in self.reasons(at) {
                let (from, to) = (node.address.to_string(), self.list[on].address.to_string());
                let label = quoted(&whys.join(", "));
                let _ = writeln!(
                    out,
                    "  {} -> {} [label = {label}];",
                    quoted(&from),
                    quoted(&to)
                );
            }
        }
        out.push_str("}\n");
        out
    }

    /// `{"nodes": [{address, type, keys, place}], "edges": [{from, to, why}]}`.
    pub fn json(&self) -> Value {
        let nodes: Vec<Value> = self
            .list
            .iter()
            .map(|node| {
                json!({
                    "address": node.address, "kind": node.address.kind().word(), "type": node.type_name,
                    "keys": node.has_keys, "place": node.place,
                })
            })
            .collect();
        let mut edges = Vec::new();
        for (at, node) in self.list.iter().enumerate() {
            for (on, whys) in self.reasons(at) {
                edges.push(json!({"from": node.address, "to": self.list[on].address, "why": whys}));
            }
        }
        json!({"nodes": nodes, "edges": edges})
    }

    /// What a node depends on, each once, with every reason.
    fn reasons(&self, at: usize) -> Vec<(usize, Vec<&'static str>)> {
        let mut found: Vec<(usize, Vec<&'static str>)> = Vec::new();
        for edge in &self.list[at].edges {
            match found.last_mut() {
                Some((on, whys)) if *on == edge.on => {
                    if !whys.contains(&edge.why.word()) {
                        whys.push(edge.why.word());
                    }
                }
                _ => found.push((edge.on, vec![edge.why.word()])),
            }
        }
        found
    }
}
