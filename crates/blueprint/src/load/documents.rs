//! One project: its files, and their documents, laid over each other.

use super::base::Bases;
use super::context::{Loader, Parsed, Project};
use super::empty;
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Map, Node, Value};
use crate::span::{FileId, Span};
use crate::yaml::Expansion;
use crate::{canonical, check, defaults, environment, interpolate, merge, tags, unicity, validate};

impl Loader<'_> {
    /// Loads the files of a project up to absolute paths and its own variables.
    pub(super) fn project(&mut self, project: &Project) -> Node {
        let mut document = empty();
        let mut bases = Bases::default();
        for file in &project.files {
            let Some(parsed) = self.open(file, Span::NONE) else {
                continue;
            };
            if parsed.documents.is_empty() {
                self.empty_file(parsed.id);
            }
            document = self.file(file, &parsed, project, document, &mut bases);
        }
        defaults::apply(&mut document);
        validate::logical(&document, &mut self.sink);
        self.resolve_paths(&mut document, &project.folder);
        environment::resolve_project(&mut document, &project.variables);
        self.workflow_files(&mut document, &project.folder);
        document
    }

    fn empty_file(&mut self, id: FileId) {
        self.sink.push(
            Diagnostic::new(Code::EmptyFile, Span::line(id, 1), "the file is empty")
                .help("add `services:`"),
        );
    }

    fn file(
        &mut self,
        path: &str,
        parsed: &Parsed,
        project: &Project,
        mut document: Node,
        bases: &mut Bases,
    ) -> Node {
        for raw in parsed.documents.iter() {
            let Some(mut next) = self.prepare(raw, parsed.id, project) else {
                continue;
            };
            check::refuse_expressions(&next.root, &mut self.sink);
            let mut stack = project.stack.clone();
            stack.push(path.to_owned());
            self.include(&mut next, project, stack);
            tags::apply(&mut document, &next.tagged);
            self.extends(&mut next, path, project, bases);
            document = merge::merge(document, next.root, &mut Vec::new(), &mut self.sink);
            unicity::enforce(&mut document, &mut self.sink);
            check::check(&document, &mut self.sink);
            self.drop_version(&mut document);
            canonical::canonical(&mut document, &mut self.sink);
            canonical::omit_empty(&mut document);
            unicity::enforce(&mut document, &mut self.sink);
        }
        document
    }

    /// A document with tags noted and variables filled in.
    pub(super) fn prepare(
        &mut self,
        raw: &crate::yaml::Document,
        id: FileId,
        project: &Project,
    ) -> Option<Expansion> {
        let mut next = raw.expand(id, &mut self.sink);
        if next.too_large {
            return None;
        }
        match &next.root.value {
            Value::Map(_) => {}
            Value::Null => {
                self.empty_file(id);
                return None;
            }
            _ => {
                let message = format!(
                    "the top of a blueprint is a mapping, not {}",
                    next.root.kind()
                );
                self.sink.push(
                    Diagnostic::new(Code::NotAMapping, next.root.span, message)
                        .help("write `services:` at the left margin"),
                );
                return None;
            }
        }
        interpolate::document(&mut next.root, &project.variables, &mut self.sink);
        promote_extensions(&mut next.root, &mut self.sink);
        Some(next)
    }

    fn drop_version(&mut self, document: &mut Node) {
        let Some(entry) = document
            .as_map_mut()
            .and_then(|map| map.shift_remove("version"))
        else {
            return;
        };
        self.sink.push(
            Diagnostic::new(
                Code::ObsoleteVersion,
                entry.key,
                "`version` has no meaning any more",
            )
            .help("remove the line"),
        );
    }
}

/// `x-develop` and `x-initialSync` were how Compose tried out `develop` and `initial_sync`.
fn promote_extensions(document: &mut Node, sink: &mut crate::diagnostic::Sink) {
    let Some(services) = document.get_mut("services").and_then(Node::as_map_mut) else {
        return;
    };
    for (name, entry) in services.iter_mut() {
        let service = &mut entry.node;
        let mut path = vec!["services".to_owned(), name.clone(), "develop".to_owned()];
        promote(service, "x-develop", "develop", &mut path, sink);
        let watch = service
            .get_mut("develop")
            .and_then(|develop| develop.get_mut("watch"));
        for rule in watch.and_then(Node::as_seq_mut).into_iter().flatten() {
            promote(rule, "x-initialSync", "initial_sync", &mut path, sink);
        }
    }
}

fn promote(
    node: &mut Node,
    from: &str,
    to: &str,
    path: &mut Vec<String>,
    sink: &mut crate::diagnostic::Sink,
) {
    let Some(entry) = node
        .as_map_mut()
        .and_then(|map: &mut Map| map.shift_remove(from))
    else {
        return;
    };
    let merged = match node.remove(to) {
        Some(own) if !own.is_null() => merge::merge(entry.node, own, path, sink),
        _ => entry.node,
    };
    node.set(to, merged);
}
