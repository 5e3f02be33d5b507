//! YAML as Compose reads it: an event stream with places becomes a tree.
//!
//! Two passes. [`events`] builds a raw tree in which each anchored value exists once, so that a bomb of
//! aliases costs nothing. [`expand`] walks it the way Compose does: it notes and removes `!reset`,
//! counts every visit against [`MAX_NODES`], applies merge keys and resolves scalars.

mod decode;
mod events;
mod expand;
mod scalar;

use crate::diagnostic::{Code, Diagnostic};
use crate::node::Node;
use crate::span::{FileId, Span};

pub use decode::decode;
pub use expand::Expansion;

/// The most values in one document, counting each use of an alias as all that it stands for.
pub const MAX_NODES: usize = 100_000;
/// The deepest nesting of values, counted through aliases.
pub const MAX_DEPTH: usize = 128;

/// A document before its aliases are expanded.
#[derive(Debug)]
pub struct Document(events::Raw);

impl Document {
    /// Its tree, with the paths that carry tags of Compose.
    pub fn expand(&self, file: FileId, sink: &mut crate::diagnostic::Sink) -> Expansion {
        expand::expand(&self.0, file, sink)
    }
    /// Its tree by YAML 1.2's core rules, without tags of Compose: for definitions of workflows.
    pub fn expand_plain(&self, file: FileId, sink: &mut crate::diagnostic::Sink) -> Expansion {
        expand::expand_plain(&self.0, file, sink)
    }
    /// The text of `name:` at its top.
    pub fn name(&self) -> Option<&str> {
        self.0.top_text("name")
    }
    /// Where it stands.
    pub fn span(&self, file: FileId) -> Span {
        self.0.span(file)
    }
}

/// The documents of a file.
///
/// # Errors
/// When it is not YAML, nested too deeply, or an anchor contains itself.
pub fn parse(text: &str, file: FileId) -> Result<Vec<Document>, Box<Diagnostic>> {
    events::parse(text, file).map(|documents| documents.into_iter().map(Document).collect())
}

/// The tree of a text with one document, without Compose's tags: for tools and tests.
///
/// # Errors
/// All mistakes of the text.
pub fn parse_one(text: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut sink = crate::diagnostic::Sink::default();
    let documents = parse(text, FileId::NONE).map_err(|error| vec![*error])?;
    let Some(document) = documents.first() else {
        return Err(vec![Diagnostic::new(
            Code::EmptyFile,
            Span::NONE,
            "the text is empty",
        )]);
    };
    let expansion = document.expand(FileId::NONE, &mut sink);
    if sink.has_errors() {
        Err(sink.finish().0)
    } else {
        Ok(expansion.root)
    }
}

/// The value of a YAML or JSON text with one document, without variables and expressions: for files of inputs.
///
/// # Errors
/// The first mistake, with its line.
pub fn plain_value(bytes: &[u8]) -> Result<consort_model::Value, String> {
    let at = |span: Span, message: &str| match span.is_known() {
        true => format!(
            "line {}, column {}: {message}",
            span.start.line, span.start.column
        ),
        false => message.to_owned(),
    };
    let text =
        decode(bytes).map_err(|error| format!("line {}: it is not UTF-8 text", error.line))?;
    let documents =
        parse(&text, FileId::NONE).map_err(|error| at(error.primary.span, &error.message))?;
    let document = match documents.as_slice() {
        [] => return Ok(consort_model::Value::Null),
        [one] => one,
        [_, second, ..] => {
            return Err(at(
                second.span(FileId::NONE),
                "there is more than one document",
            ));
        }
    };
    let mut sink = crate::diagnostic::Sink::default();
    let expansion = document.expand_plain(FileId::NONE, &mut sink);
    let (diagnostics, _) = sink.finish();
    let mistake = diagnostics
        .iter()
        .find(|one| one.severity() == crate::diagnostic::Severity::Error);
    mistake.map_or(Ok(()), |one| Err(at(one.primary.span, &one.message)))?;
    Ok(expansion.root.to_json())
}
