//! Files that `extends` names: loaded without their own includes and checks.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::context::{Loader, Project};
use super::empty;
use crate::node::Node;
use crate::span::Span;
use crate::{canonical, check, merge, paths, tags, unicity};

/// The base files of one project, by path: its variables went into them.
#[derive(Debug, Default)]
pub(super) struct Bases(BTreeMap<String, Option<Rc<BaseFile>>>);

/// A file that others build upon.
#[derive(Debug)]
pub(super) struct BaseFile {
    pub(super) path: String,
    pub(super) document: Node,
    /// What the tags of its last document take away from the bases of its own services.
    pub(super) tagged: Vec<Vec<String>>,
}

impl Loader<'_> {
    /// The canonical form of a file, with paths that are absolute by its own folder.
    pub(super) fn base_file(
        &mut self,
        path: &str,
        from: Span,
        project: &Project,
        bases: &mut Bases,
    ) -> Option<Rc<BaseFile>> {
        if let Some(known) = bases.0.get(path) {
            return known.clone();
        }
        let loaded = self.load_base(path, from, project).map(Rc::new);
        bases.0.insert(path.to_owned(), loaded.clone());
        loaded
    }

    fn load_base(&mut self, path: &str, from: Span, project: &Project) -> Option<BaseFile> {
        let parsed = self.open(path, from)?;
        let mut document = empty();
        let mut tagged = Vec::new();
        for raw in parsed.documents.iter() {
            let next = self.prepare(raw, parsed.id, project)?;
            check::refuse_expressions(&next.root, &mut self.sink);
            tags::apply(&mut document, &next.tagged);
            document = merge::merge(document, next.root, &mut Vec::new(), &mut self.sink);
            unicity::enforce(&mut document, &mut self.sink);
            canonical::canonical(&mut document, &mut self.sink);
            canonical::omit_empty(&mut document);
            unicity::enforce(&mut document, &mut self.sink);
            tagged = next.tagged;
        }
        self.resolve_paths(&mut document, &paths::parent(path));
        Some(BaseFile {
            path: path.to_owned(),
            document,
            tagged,
        })
    }
}
