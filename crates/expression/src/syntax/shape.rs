//! How deep recursive code would go on a token tree, before any such code runs on it.

use jaq_core::load::lex::{StrPart, Tok, Token};

/// Most tokens in a row along one way into the brackets, prefix operators and keywords counted more.
/// The token tree is at most [`crate::limits::MAX_NESTING`] deep, so this may recurse.
pub(crate) fn chain(tokens: &[Token<&str>]) -> usize {
    segments(tokens, false)
}

/// Parts between `,` in objects and `;` in arguments do not nest in each other; what they build does.
/// A `;` that ends a definition returns to where the definition began.
fn segments(tokens: &[Token<&str>], object: bool) -> usize {
    let (mut longest, mut entries) = (0, 0);
    let (mut row, mut deepest) = (0, 0);
    let mut definitions = Vec::new();
    let mut before_operand = true;
    for token in tokens {
        if token.0 == ";" || (object && token.0 == ",") {
            longest = longest.max(row + deepest);
            row = definitions.pop().unwrap_or(0) + 1;
            (deepest, before_operand) = (0, true);
            entries += usize::from(definitions.is_empty());
            continue;
        }
        if token.0 == "def" {
            definitions.push(row);
        }
        row += weight(token, before_operand);
        before_operand =
            (matches!(token.1, Tok::Sym) && !token.0.starts_with('.')) || is_word(token.0);
        deepest = deepest.max(inside(token));
    }
    longest.max(row + deepest) + entries
}

/// In proportion to the stack that the parser needs for it.
const LEVEL: usize = 6;

fn weight(token: &Token<&str>, before_operand: bool) -> usize {
    match token.0 {
        "try" | "if" | "reduce" | "foreach" | "label" | "def" => LEVEL,
        "-" if before_operand => LEVEL,
        "as" => 4,
        _ => 1,
    }
}

/// After these words a `-` is a sign.
fn is_word(text: &str) -> bool {
    matches!(
        text,
        "try"
            | "catch"
            | "if"
            | "then"
            | "elif"
            | "else"
            | "reduce"
            | "foreach"
            | "as"
            | "and"
            | "or"
    )
}

fn inside(token: &Token<&str>) -> usize {
    match &token.1 {
        Tok::Block(tokens) => LEVEL + segments(tokens, token.0.starts_with('{')),
        Tok::Str(parts) => {
            let deepest = parts.iter().map(|part| match part {
                StrPart::Term(token) => inside(token),
                StrPart::Str(_) | StrPart::Char(_) => 0,
            });
            LEVEL + parts.len() + deepest.max().unwrap_or(0)
        }
        Tok::Word | Tok::Var | Tok::Fmt | Tok::Num | Tok::Sym => 0,
    }
}
