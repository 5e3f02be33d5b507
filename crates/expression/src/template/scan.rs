//! Text into pieces, without evaluating anything.

use std::ops::Range;

use crate::limits::{MAX_NESTING, MAX_PARTS};
use crate::syntax::scanner::{self, Open};

/// A piece of a scalar, in bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it stands, `$$` and Compose's `${NAME}` included.
    Text(Range<usize>),
    /// An expression.
    Expression {
        /// From `${` to `}`, both included.
        outer: Range<usize>,
        /// What is between them.
        inner: Range<usize>,
    },
}

/// Why an expression in text has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanProblem {
    /// The text ends before the `}`.
    Unclosed,
    /// A string inside is not closed.
    UnclosedString,
    /// A comment inside runs to the end of the text.
    Comment,
    /// Brackets are nested too deeply.
    TooDeep,
    /// There are too many expressions in one text.
    TooMany,
}

/// A text with a broken expression in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct ScanError {
    /// What is wrong.
    pub problem: ScanProblem,
    /// Where, in bytes of the text.
    pub at: usize,
}

impl ScanError {
    fn message(&self) -> String {
        match self.problem {
            ScanProblem::Unclosed => "an expression that begins with `${` is not closed by `}`; in a YAML flow mapping or list, quote the whole value".to_owned(),
            ScanProblem::UnclosedString => "a string inside `${ … }` is not closed by `\"`".to_owned(),
            ScanProblem::Comment => "a `#` inside `${ … }` begins a comment that hides the closing `}`; end the line before the `}`".to_owned(),
            ScanProblem::TooDeep => format!("brackets inside `${{ … }}` are nested more than {MAX_NESTING} deep"),
            ScanProblem::TooMany => format!("there are more than {MAX_PARTS} expressions in one value"),
        }
    }
}

/// Cuts a text into text and expressions, once, from left to right. `$$` is seen first, so `$${ .x }` is
/// text. `${NAME}` and all else of Compose's is text too; an expression inside a default
/// (`${A:-${ .x }}`) is a part of its own between two pieces of text.
///
/// # Errors
/// When an expression has no end, or there are too many.
pub fn scan(text: &str) -> Result<Vec<Part>, ScanError> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let mut expressions = 0;
    let (mut start, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        if byte != b'$' {
            at += 1;
        } else if bytes.get(at + 1) == Some(&b'$') {
            at += 2;
        } else if begins_expression(&bytes[at..]) {
            expressions += 1;
            if expressions > MAX_PARTS {
                return Err(ScanError {
                    problem: ScanProblem::TooMany,
                    at,
                });
            }
            let end = find_expression_end(text, at + 2).map_err(|mut error| {
                if error.problem == ScanProblem::Unclosed {
                    error.at = at;
                }
                error
            })?;
            if start < at {
                parts.push(Part::Text(start..at));
            }
            parts.push(Part::Expression {
                outer: at..end + 1,
                inner: at + 2..end,
            });
            (start, at) = (end + 1, end + 1);
        } else {
            at += 1;
        }
    }
    if start < text.len() {
        parts.push(Part::Text(start..text.len()));
    }
    Ok(parts)
}

fn begins_expression(bytes: &[u8]) -> bool {
    matches!(bytes, [b'$', b'{', b' ' | b'\t' | b'\n' | b'\r', ..])
}

/// Where the `}` stands that closes an expression whose text begins at byte `from`. Brackets are counted
/// as jq does: not those in strings and comments.
///
/// # Errors
/// When there is none.
pub fn find_expression_end(text: &str, from: usize) -> Result<usize, ScanError> {
    let found = scanner::scan(text, from, true);
    if found.depth > MAX_NESTING {
        return Err(ScanError {
            problem: ScanProblem::TooDeep,
            at: from,
        });
    }
    if let Some(end) = found.end {
        return Ok(end);
    }
    let string = found
        .open
        .iter()
        .find(|(open, _)| *open == Open::Text)
        .map(|(_, at)| *at);
    let (problem, at) = match (found.comment, string) {
        (_, Some(at)) => (ScanProblem::UnclosedString, at),
        (Some(at), None) if text[at..].contains('}') => (ScanProblem::Comment, at),
        _ => (ScanProblem::Unclosed, from),
    };
    Err(ScanError { problem, at })
}
