//! From text to syntax tree, with bounds on size and nesting before any recursive code sees it.

pub(crate) mod messages;
mod parse;
pub(crate) mod scanner;
pub(crate) mod shape;
pub(crate) mod visit;

pub(crate) use parse::{Parsed, parse};

/// A syntax tree that borrows from its text.
pub(crate) type Term<'t> = jaq_core::load::parse::Term<&'t str>;
/// A definition that borrows from its text.
pub(crate) type Def<'t> = jaq_core::load::parse::Def<&'t str>;
/// A pattern of variables that borrows from its text.
pub(crate) type Pattern<'t> = jaq_core::load::parse::Pattern<&'t str>;
/// A piece of a string.
pub(crate) type StrPart<'t> = jaq_core::load::lex::StrPart<&'t str, Term<'t>>;

pub(crate) use jaq_core::load::lex::StrPart as StrPartOf;
pub(crate) use jaq_core::load::parse::{BinaryOp, Pattern as PatternOf, Term as TermOf};
pub(crate) use jaq_core::path::{Opt, Part, Path};

/// The text of a string without escapes and interpolations.
pub(crate) fn literal_string<'t>(term: &Term<'t>) -> Option<String> {
    let TermOf::Str(None, parts) = term else {
        return None;
    };
    parts
        .iter()
        .map(|part| match part {
            StrPartOf::Str(text) => Some((*text).to_owned()),
            StrPartOf::Char(c) => Some(c.to_string()),
            StrPartOf::Term(_) => None,
        })
        .collect()
}

/// The value of an integer literal.
pub(crate) fn literal_integer(term: &Term<'_>) -> Option<i64> {
    match term {
        TermOf::Num(digits) => digits.parse().ok(),
        TermOf::Neg(inner) => match &**inner {
            TermOf::Num(digits) => format!("-{digits}").parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The bytes of `text` that `part` covers, if it is a piece of it.
pub(crate) fn span_in(text: &str, part: &str) -> Option<std::ops::Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= text.len()).then_some(start..end)
}
