//! What lexer and parser found, in words for a user.

use std::ops::Range;

use jaq_core::load::lex::{self, Token};
use jaq_core::load::parse;

use super::span_in;
use crate::error::CompileError;

/// The first error of the lexer.
pub(crate) fn lexical(text: &str, errors: &[lex::Error<&str>]) -> CompileError {
    let Some((expect, rest)) = errors.first() else {
        return CompileError::new("the expression cannot be read", 0..text.len());
    };
    let span = first_char(text, rest);
    let found = text.get(span.clone()).filter(|found| !found.is_empty());
    let message = match (expect, found) {
        (lex::Expect::Token, Some(found)) => format!("`{found}` has no meaning here"),
        (expect, Some(found)) => format!("expected a {}, found `{found}`", expect.as_str()),
        (expect, None) => format!("expected a {} at the end", expect.as_str()),
    };
    with_hint(CompileError::new(message, span), text)
}

/// The first error of the parser.
pub(crate) fn syntax(text: &str, errors: &[parse::TError<'_, &str>]) -> CompileError {
    let Some((expect, found)) = errors.first() else {
        return CompileError::new("the expression cannot be read", 0..text.len());
    };
    let expected = expected(expect);
    let (message, span) = match found {
        Some(token) => {
            let span = span_in(text, token.0).unwrap_or(text.len()..text.len());
            (
                format!("expected {expected}, found `{}`", short(token.0)),
                span,
            )
        }
        None => (
            format!("expected {expected} at the end"),
            text.len()..text.len(),
        ),
    };
    with_hint(CompileError::new(message, span), text)
}

fn expected(expect: &parse::Expect<&str>) -> String {
    match expect {
        parse::Expect::Just(token) => return format!("`{token}`"),
        parse::Expect::Var => "a variable",
        parse::Expect::Pattern => "a variable or pattern",
        parse::Expect::ElseOrEnd => "`else` or `end`",
        parse::Expect::CommaOrRBrack => "`,` or `]`",
        parse::Expect::CommaOrRBrace => "`,` or `}`",
        parse::Expect::SemicolonOrRParen => "`;` or `)`",
        parse::Expect::Term => "a value",
        parse::Expect::Key => "a key",
        parse::Expect::Ident => "a name",
        parse::Expect::Arg => "an argument",
        parse::Expect::Str => "a string",
        parse::Expect::Nothing => "an operator",
        _ => "something else",
    }
    .to_owned()
}

/// An expression that begins like a module.
pub(crate) fn modules(text: &str, tokens: &[Token<&str>]) -> Option<CompileError> {
    let word = tokens.first()?.0;
    if !matches!(word, "import" | "include" | "module") {
        return None;
    }
    let span = span_in(text, word).unwrap_or(0..0);
    Some(
        CompileError::new(
            format!("`{word}` is not allowed: expressions have no modules"),
            span,
        )
        .hint("Write the definitions with `def` in the expression itself."),
    )
}

fn with_hint(error: CompileError, text: &str) -> CompileError {
    let near = &text[error.span.start.min(text.len())..];
    if near.starts_with('\'') {
        error.hint("Strings of jq stand in double quotes.")
    } else if near.starts_with("&&") || near.starts_with("||") || near.starts_with('&') {
        error.hint("jq writes `and` and `or`.")
    } else if near.starts_with("!=") || near.starts_with("==") {
        error
    } else if near.starts_with('!') {
        error.hint("jq writes `… | not`.")
    } else if near.starts_with("?//") {
        error.hint("Alternatives of patterns (`?//`) are not supported.")
    } else if near.starts_with('}') || text.contains("${") {
        error.hint("A value with several `${ … }` is one expression here; join text with `\"\\(.a)-\\(.b)\"`.")
    } else {
        error
    }
}

fn first_char(text: &str, rest: &str) -> Range<usize> {
    let start = span_in(text, rest).map_or(text.len(), |span| span.start);
    start..start + rest.chars().next().map_or(0, char::len_utf8)
}

fn short(text: &str) -> &str {
    let end = text.char_indices().nth(24).map_or(text.len(), |(at, _)| at);
    &text[..end]
}
