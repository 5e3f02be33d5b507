//! How deep recursive code would go on a token tree, before any such code runs on it.

use jaq_core::load::lex::{StrPart, Tok, Token};

/// Most tokens in a row along one way into the brackets, prefix operators and keywords counted more.
/// The token tree is at most [`crate::limits::MAX_NESTING`] deep, so this may recurse.
pub(crate) fn chain(tokens: &[Token<&str>]) -> usize {
    segments(tokens, false)
}

/// Parts between `,` in objects and `;` in arguments do not nest in each other; what they build does.
fn segments(tokens: &[Token<&str>], object: bool) -> usize {
    let mut longest = 0;
    let mut entries = 0;
    let mut row = 0;
    let mut deepest = 0;
    let mut before_operand = true;
    for token in tokens {
        if token.0 == ";" || (object && token.0 == ",") {
            longest = longest.max(row + deepest);
            (row, deepest, before_operand) = (0, 0, true);
            entries += 1;
            continue;
        }
        row += weight(token, before_operand);
        before_operand = matches!(token.1, Tok::Sym) && !token.0.starts_with('.') || keyword(token.0);
        deepest = deepest.max(inside(token));
    }
    longest.max(row + deepest) + entries
}

fn weight(token: &Token<&str>, before_operand: bool) -> usize {
    if keyword(token.0) || (token.0 == "-" && before_operand) { 4 } else { 1 }
}

fn keyword(text: &str) -> bool {
    matches!(text, "try" | "if" | "elif" | "reduce" | "foreach" | "label" | "def" | "as")
}

fn inside(token: &Token<&str>) -> usize {
    match &token.1 {
        Tok::Block(tokens) => 4 + segments(tokens, token.0.starts_with('{')),
        Tok::Str(parts) => {
            let deepest = parts.iter().map(|part| match part {
                StrPart::Term(token) => inside(token),
                StrPart::Str(_) | StrPart::Char(_) => 0,
            });
            parts.len() + deepest.max().unwrap_or(0)
        }
        Tok::Word | Tok::Var | Tok::Fmt | Tok::Num | Tok::Sym => 0,
    }
}
