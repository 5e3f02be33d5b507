//! What the elements refer to, noted while they are read and checked when all are known.

use std::collections::BTreeSet;

use consort_model::template::TextPart;
use consort_model::{Address, Kind};
use indexmap::IndexMap;

use crate::node::{Map, Node, Value};
use crate::span::Span;

/// An expression and who holds it.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) owner: Address,
    pub(super) text: String,
    /// Of the scalar that holds it.
    pub(super) span: Span,
    /// `.each` exists here.
    pub(super) each: bool,
    /// It says which instances there are.
    pub(super) for_each: bool,
}

/// Who refers to whom.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// All declarations by address; the known keys of those with `for_each`.
    declared: IndexMap<Address, Declaration>,
    pub(super) uses: Vec<Use>,
    pub(super) edges: IndexMap<Address, Vec<(Address, Span)>>,
    /// Addresses that were named and are in no file.
    pub(super) pending: Vec<(Address, Span)>,
}

/// A declared element.
#[derive(Debug)]
pub(super) struct Declaration {
    pub(super) has_each: bool,
    /// The keys of its instances, where they are written down.
    pub(super) keys: Option<BTreeSet<String>>,
}

impl Graph {
    pub(super) fn declare(&mut self, address: &Address, for_each: Option<&Node>) {
        let keys = for_each.and_then(|node| match &node.value {
            Value::Seq(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            Value::Map(map) => Some(map.keys().cloned().collect()),
            _ => None,
        });
        self.declared.insert(
            address.clone(),
            Declaration {
                has_each: for_each.is_some(),
                keys,
            },
        );
    }

    pub(super) fn find(&self, address: &Address) -> Option<&Declaration> {
        self.declared.get(address)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.declared.keys()
    }

    pub(super) fn names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.addresses()
            .filter(move |address| address.kind() == kind)
            .map(Address::name)
    }

    pub(super) fn edge(&mut self, from: &Address, on: Address, span: Span) {
        self.edges.entry(from.clone()).or_default().push((on, span));
    }

    /// Notes every expression below a node.
    pub(super) fn note(&mut self, owner: &Address, node: &Node, each: bool, for_each: bool) {
        match &node.value {
            Value::Deferred(parts) => {
                for part in parts {
                    if let TextPart::Expression(text) = part {
                        let text = text.clone();
                        self.uses.push(Use {
                            owner: owner.clone(),
                            text,
                            span: node.span,
                            each,
                            for_each,
                        });
                    }
                }
            }
            Value::Seq(items) => items
                .iter()
                .for_each(|item| self.note(owner, item, each, for_each)),
            Value::Map(map) => {
                map_values(map).for_each(|node| self.note(owner, node, each, for_each))
            }
            _ => {}
        }
    }
}

fn map_values(map: &Map) -> impl Iterator<Item = &Node> {
    map.values().map(|entry| &entry.node)
}
