//! Expressions that only move text about. They may be given tokens that stand for secrets: what comes
//! out holds the same tokens, whole.

use crate::syntax::{BinaryOp, Part, StrPartOf, Term, TermOf, literal_integer, literal_string};

/// The term only selects by paths, builds arrays and objects, and joins text.
pub(crate) fn is_transparent(term: &Term<'_>) -> bool {
    match term {
        TermOf::Id | TermOf::Num(_) | TermOf::Var(_) | TermOf::Arr(None) => true,
        TermOf::Str(format, parts) => {
            matches!(format, None | Some("@text"))
                && parts.iter().all(|part| match part {
                    StrPartOf::Str(_) | StrPartOf::Char(_) => true,
                    StrPartOf::Term(inner) => is_transparent(inner),
                })
        }
        TermOf::Arr(Some(inner)) => is_transparent(inner),
        TermOf::Obj(entries) => entries.iter().all(|(key, value)| {
            // Keys are plain: a token must not become one.
            let plain =
                literal_string(key).is_some() || matches!(key, TermOf::Var(_)) && value.is_none();
            plain && value.as_ref().is_none_or(is_transparent)
        }),
        TermOf::BinOp(left, op, right) => {
            let joins = matches!(
                op,
                BinaryOp::Pipe(None)
                    | BinaryOp::Comma
                    | BinaryOp::Alt
                    | BinaryOp::Math(jaq_core::ops::Math::Add)
            );
            joins && is_transparent(left) && is_transparent(right)
        }
        TermOf::Path(head, path) => {
            is_transparent(head) && path.0.iter().all(|(part, _)| selects(part))
        }
        TermOf::TryCatch(body, None) => is_transparent(body),
        TermOf::Call(name, arguments) => match (*name, arguments.as_slice()) {
            ("map", [each]) => is_transparent(each),
            ("join", [separator]) => literal_string(separator).is_some(),
            ("add" | "first" | "last" | "empty" | "null" | "true" | "false", []) => true,
            _ => false,
        },
        _ => false,
    }
}

fn selects(part: &Part<Term<'_>>) -> bool {
    match part {
        Part::Index(index) => {
            literal_string(index).is_some()
                || literal_integer(index).is_some()
                || is_transparent(index)
        }
        Part::Range(None, None) => true,
        // A slice of text would cut a token.
        Part::Range(..) => false,
    }
}
