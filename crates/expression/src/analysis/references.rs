//! Which parts of its input and variables an expression may read: found by following paths through
//! pipes, variables and definitions. What cannot be followed is reported as its longest known prefix,
//! so a dependency is never missed.

use std::ops::Range;

use super::finder::Finder;
use super::sources::{Root, Source, Sources};
use crate::scope::Scope;
use crate::syntax::Term;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathPart {
    /// Into an object.
    Key(String),
    /// Into an array; negative numbers count from its end.
    Index(i64),
    /// Somewhere that is known only when the expression runs.
    Dynamic,
}

/// A path from the input that an expression may read, with all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// From `.`; empty for the whole input.
    pub path: Vec<PathPart>,
    /// Where it stands, in bytes of the text.
    pub span: Range<usize>,
}

/// A path from a variable that an expression may read, with all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableReference {
    /// The variable, without `$`.
    pub name: String,
    /// From the variable; empty for the whole.
    pub path: Vec<PathPart>,
    /// Where it stands, in bytes of the text.
    pub span: Range<usize>,
}

/// All references, sorted by path, each once.
pub(crate) fn find(
    text: &str,
    term: &Term<'_>,
    scope: &Scope,
) -> (Vec<Reference>, Vec<VariableReference>) {
    split(text, Finder::run(text, term, scope))
}

fn split(text: &str, found: Sources) -> (Vec<Reference>, Vec<VariableReference>) {
    let mut references = Vec::new();
    let mut variables = Vec::new();
    for Source { root, path, span } in found {
        let span = span.unwrap_or(0..text.len());
        match root {
            Root::Input => references.push(Reference { path, span }),
            Root::Variable(name) => variables.push(VariableReference {
                name: name.to_string(),
                path,
                span,
            }),
        }
    }
    references.sort_by(|a: &Reference, b| a.path.cmp(&b.path));
    variables.sort_by(|a: &VariableReference, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    (references, variables)
}
