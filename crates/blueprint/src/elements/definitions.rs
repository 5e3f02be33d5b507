//! The check of workflow definitions, which another crate knows, and the places of what it finds.

use consort_model::Value as Json;

use super::Build;
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Node, Value};
use crate::span::Span;

/// What is wrong with a definition of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionMistake {
    /// JSON pointer into the definition.
    pub pointer: String,
    /// What is wrong, and how to mend it.
    pub message: String,
    /// It does not stop the definition from being used.
    pub lint: bool,
}

/// Finds the mistakes of a definition.
pub type CheckDefinition<'c> = &'c dyn Fn(&Json) -> Vec<DefinitionMistake>;

impl Build<'_> {
    /// Reports what the check finds, each at the value that it is about.
    pub(super) fn definition(&mut self, here: &str, definition: &Node) {
        for mistake in (self.check)(&definition.to_json()) {
            let code = if mistake.lint {
                Code::OddDefinition
            } else {
                Code::InvalidDefinition
            };
            let message = format!("`{here}`: {}", mistake.message);
            self.say(Diagnostic::new(
                code,
                place(definition, &mistake.pointer),
                message,
            ));
        }
    }
}

/// The place of the value at a pointer, or of the nearest value above it.
fn place(definition: &Node, pointer: &str) -> Span {
    let mut node = definition;
    let mut span = definition.span;
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        let next = match &node.value {
            Value::Map(map) => map.get(&name).map(|entry| (entry.key, &entry.node)),
            Value::Seq(items) => name
                .parse::<usize>()
                .ok()
                .and_then(|at| items.get(at))
                .map(|item| (item.span, item)),
            _ => None,
        };
        let Some((key, inner)) = next else { break };
        node = inner;
        span = if inner.as_map().is_some() || inner.as_seq().is_some() {
            key
        } else {
            inner.span
        };
    }
    span
}
