//! The name of the project.

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::span::Span;

/// A name as Compose makes it from any text: small letters, digits, `_` and `-`, not starting with one of
/// the last two. Empty when nothing is left.
pub fn normalise(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
        .collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

/// The name that was asked for on the command line or by `COMPOSE_PROJECT_NAME`, which must be right as it is.
pub fn given(name: &str, from: &str, sink: &mut Sink) -> String {
    if normalise(name) != name || name.is_empty() {
        let mut diagnostic = Diagnostic::new(
            Code::BadProjectName,
            Span::NONE,
            format!("`{name}` ({from}) is not a project name"),
        );
        let suggestion = normalise(name);
        if !suggestion.is_empty() {
            diagnostic = diagnostic.help(format!("`{suggestion}` would be one"));
        }
        sink.push(diagnostic);
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_from_any_text() {
        for (text, name) in [
            ("My App!", "myapp"),
            ("_-x", "x"),
            ("a_b-1", "a_b-1"),
            ("äöü", ""),
            ("1st", "1st"),
        ] {
            assert_eq!(normalise(text), name);
        }
        let mut sink = Sink::default();
        assert_eq!(given("shop", "-p", &mut sink), "shop");
        assert!(!sink.has_errors());
        given("Shop", "-p", &mut sink);
        assert!(sink.has_errors());
    }
}
