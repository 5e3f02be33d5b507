//! Definitions of workflows in files of their own.

use super::context::Loader;
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Map, Node, Value};
use crate::sources::Role;
use crate::span::Span;
use crate::yaml;

impl Loader<'_> {
    /// Puts the definitions in that `workflows.NAME.file` names.
    pub(super) fn workflow_files(&mut self, document: &mut Node, folder: &str) {
        let Some(map) = document.get_mut("workflows").and_then(Node::as_map_mut) else {
            return;
        };
        for (name, entry) in map.iter_mut() {
            let Some(file) = entry
                .node
                .get("file")
                .filter(|file| matches!(file.value, Value::String(_)))
            else {
                continue;
            };
            let (path, span) = (file.as_str().unwrap_or_default().to_owned(), file.span);
            if let Some(definition) = entry.node.get("definition") {
                let message =
                    format!("`workflows.{name}`: `definition` and `file` exclude each other");
                let other = definition.span;
                self.sink.push(
                    Diagnostic::new(Code::Exclusive, span, message)
                        .also(other, "`definition` is here"),
                );
                continue;
            }
            entry.node.remove("file");
            let definition = self.definition(&self.absolute(folder, &path), span);
            // A mistake in the file was reported; an empty definition keeps others from being reported with it.
            entry.node.set(
                "definition",
                definition.unwrap_or_else(|| Node::new(Value::Map(Map::new()), span)),
            );
        }
    }

    fn definition(&mut self, path: &str, from: Span) -> Option<Node> {
        let (id, text) = self.read_text(path, Role::Workflow, from)?;
        let documents = match yaml::parse(&text, id) {
            Ok(documents) => documents,
            Err(diagnostic) => {
                self.sink.push(*diagnostic);
                return None;
            }
        };
        let [document] = documents.as_slice() else {
            let message = format!(
                "a file of a workflow has one document, and this one has {}",
                documents.len()
            );
            self.sink.push(
                Diagnostic::new(Code::NotAMapping, Span::line(id, 1), message)
                    .help("write one definition per file"),
            );
            return None;
        };
        let expansion = document.expand_plain(id, &mut self.sink);
        if expansion.root.as_map().is_none() {
            let message = format!("a definition is a mapping, not {}", expansion.root.kind());
            self.sink.push(
                Diagnostic::new(Code::NotAMapping, expansion.root.span, message)
                    .help("write `do:` at the left margin"),
            );
            return None;
        }
        Some(expansion.root)
    }
}
