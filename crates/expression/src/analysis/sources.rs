//! Where a value inside an expression may come from.

use std::ops::Range;
use std::rc::Rc;

use super::references::PathPart;

/// What a path begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    Input,
    /// A variable of the scope, without `$`.
    Variable(Rc<str>),
}

/// A path, and the text that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) root: Root,
    pub(super) path: Vec<PathPart>,
    pub(super) span: Option<Range<usize>>,
}

/// The places that a value may be. Empty: it is made by the expression from what has been recorded.
pub(super) type Sources = Vec<Source>;

/// More places than this at once are reported as read.
pub(super) const MAX_SOURCES: usize = 64;
/// Paths are cut here: the prefix is reported.
const MAX_PATH: usize = 32;

impl Source {
    pub(super) fn extended(&self, part: PathPart, span: Option<&Range<usize>>) -> Self {
        let mut extended = self.clone();
        if extended.path.len() < MAX_PATH {
            extended.path.push(part);
        }
        extended.span = match (&self.span, span) {
            (Some(old), Some(new)) => Some(old.start.min(new.start)..old.end.max(new.end)),
            (old, new) => old.clone().or_else(|| new.cloned()),
        };
        extended
    }
}

/// Adds what is not there yet.
pub(super) fn merge(into: &mut Sources, from: Sources) {
    for source in from {
        if !into
            .iter()
            .any(|known| known.root == source.root && known.path == source.path)
        {
            into.push(source);
        }
    }
}
