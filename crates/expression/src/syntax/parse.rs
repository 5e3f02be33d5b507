//! Bounds first, then jaq's lexer and parser.

use jaq_core::load::{Lexer, Parser};

use super::scanner::{self, Open};
use super::{Term, messages, shape};
use crate::error::CompileError;
use crate::limits::{MAX_CHAIN, MAX_NESTING, MAX_TEXT};

/// A syntax tree and its shape.
pub(crate) struct Parsed<'t> {
    pub(crate) term: Term<'t>,
    /// Deepest nesting of brackets and strings.
    pub(crate) nesting: usize,
    /// See [`shape::chain`].
    pub(crate) chain: usize,
}

/// Reads an expression.
pub(crate) fn parse(text: &str) -> Result<Parsed<'_>, CompileError> {
    let nesting = outer_bounds(text)?;
    let tokens = Lexer::new(text)
        .lex()
        .map_err(|errors| messages::lexical(text, &errors))?;
    if tokens.is_empty() {
        return Err(CompileError::new("the expression is empty", 0..text.len())
            .hint("Write `.` for the whole input, or `null` for nothing."));
    }
    let chain = shape::chain(&tokens);
    if chain > MAX_CHAIN {
        return Err(CompileError::new(
            format!("the expression has too many parts in a row ({chain}, at most {MAX_CHAIN})"),
            0..text.len(),
        )
        .hint("Split it into several expressions."));
    }
    if let Some(error) = messages::modules(text, &tokens) {
        return Err(error);
    }
    let term = Parser::new(&tokens)
        .parse(|parser| parser.term())
        .map_err(|errors| messages::syntax(text, &errors))?;
    Ok(Parsed {
        term,
        nesting,
        chain,
    })
}

fn outer_bounds(text: &str) -> Result<usize, CompileError> {
    if text.len() > MAX_TEXT {
        return Err(CompileError::new(
            format!(
                "the expression has {} bytes, at most {MAX_TEXT} are allowed",
                text.len()
            ),
            0..0,
        ));
    }
    let scan = scanner::scan(text, 0, false);
    if scan.depth > MAX_NESTING {
        let at = scan.open.get(MAX_NESTING).map_or(0, |(_, at)| *at);
        return Err(CompileError::new(
            format!("brackets and strings are nested more than {MAX_NESTING} deep"),
            at..text.len(),
        ));
    }
    if let Some((open, at)) = scan.open.last() {
        let (what, closing) = match open {
            Open::Brace => ("`{`", "`}`"),
            Open::Bracket => ("`[`", "`]`"),
            Open::Paren => ("`(`", "`)`"),
            Open::Text => ("the string", "`\"`"),
            Open::Interpolation => ("`\\(`", "`)`"),
        };
        return Err(CompileError::new(
            format!("{what} is not closed by {closing}"),
            *at..text.len(),
        ));
    }
    Ok(scan.depth)
}
