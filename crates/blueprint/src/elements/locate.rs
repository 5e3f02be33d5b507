//! The place of a part of an expression in its file.

use std::ops::Range;

use crate::sources::Sources;
use crate::span::{Position, Span};

/// The place of bytes of an expression, where the scalar that holds it shows the expression as it is; else the
/// place of the scalar.
pub(super) fn within(
    sources: &Sources,
    scalar: Span,
    expression: &str,
    range: Range<usize>,
) -> Span {
    locate(sources, scalar, expression, range).unwrap_or(scalar)
}

fn locate(sources: &Sources, scalar: Span, expression: &str, range: Range<usize>) -> Option<Span> {
    let text = sources.text(scalar.file)?;
    let length = scalar.end.offset.checked_sub(scalar.start.offset)?;
    let written: String = text
        .chars()
        .skip(scalar.start.offset as usize)
        .take(length as usize)
        .collect();
    let at = written.find(expression)?;
    let head = expression.get(..range.start)?;
    let part = expression
        .get(range.clone())
        .filter(|part| !part.is_empty())
        .or_else(|| expression.get(range.start..))?;
    let start = advance(scalar.start, &format!("{}{head}", &written[..at]));
    let end = advance(start, part.lines().next().unwrap_or(part).trim_end());
    Some(Span {
        file: scalar.file,
        start,
        end,
    })
}

fn advance(from: Position, over: &str) -> Position {
    over.chars().fold(from, |at, c| match c {
        '\n' => Position {
            line: at.line + 1,
            column: 1,
            offset: at.offset + 1,
        },
        _ => Position {
            column: at.column + 1,
            offset: at.offset + 1,
            ..at
        },
    })
}
