//! What is wrong with a blueprint, and where.

mod code;
mod render;

use consort_model::code::{Code as ProblemCode, Problem};

pub use code::{Code, Severity};
pub use render::{Render, render, render_all};

use crate::sources::Sources;
use crate::span::Span;

/// The most diagnostics that one load gives; what is beyond is counted only.
pub const MAX_DIAGNOSTICS: usize = 100;

/// A place and what to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty.
    pub text: String,
}

/// One mistake or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind.
    pub code: Code,
    /// One sentence of what is wrong, without the place.
    pub message: String,
    /// Where it is.
    pub primary: Label,
    /// Other places that belong to it.
    pub secondary: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic at a place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            primary: Label {
                span,
                text: String::new(),
            },
            secondary: Vec::new(),
            help: None,
        }
    }
    /// The same with words at the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }
    /// The same with a second place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        if span.is_known() {
            self.secondary.push(Label {
                span,
                text: text.into(),
            });
        }
        self
    }
    /// The same with what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
    /// The same with the nearest of the names that are valid, if one is near.
    #[must_use]
    pub fn nearest<'a>(self, word: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        match consort_model::text::nearest(word, names) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
    /// Which kind.
    pub const fn code(&self) -> Code {
        self.code
    }
    /// Error or warning.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// As a problem of the model, for the API.
    pub fn to_problem(&self, sources: &Sources) -> Problem {
        let mut problem = Problem::new(
            ProblemCode::BLUEPRINT_INVALID,
            format!("{} [{}]", self.message, self.code),
        );
        problem.remedy = self.help.clone();
        problem.place = self
            .primary
            .span
            .is_known()
            .then(|| sources.place(self.primary.span));
        problem
    }
}

/// Collects diagnostics; the same one at the same place counts once.
#[derive(Debug, Default)]
pub struct Sink {
    all: Vec<Diagnostic>,
    seen: std::collections::BTreeSet<(Code, Span, String)>,
    dropped: usize,
    errors: usize,
}

impl Sink {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let key = (
            diagnostic.code,
            diagnostic.primary.span,
            diagnostic.message.clone(),
        );
        if self.seen.contains(&key) {
            return;
        }
        let error = diagnostic.severity() == Severity::Error;
        self.errors += usize::from(error);
        // Errors are kept even when warnings were many.
        if self.all.len() >= MAX_DIAGNOSTICS && (!error || self.errors > MAX_DIAGNOSTICS) {
            self.dropped += 1;
            return;
        }
        self.seen.insert(key);
        self.all.push(diagnostic);
    }
    /// Whether a mistake was found.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }
    /// Whether a mistake was found after which the document is not whole, so that checks over all of it would
    /// report what is only missing because of that mistake.
    pub fn has_structural_errors(&self) -> bool {
        self.all.iter().any(|diagnostic| {
            diagnostic.severity() == Severity::Error && !diagnostic.code.is_local()
        })
    }
    /// How many mistakes were found.
    pub fn errors(&self) -> usize {
        self.errors
    }
    /// The diagnostics in the order of their places, and how many more there were.
    pub fn finish(mut self) -> (Vec<Diagnostic>, usize) {
        self.all
            .sort_by_key(|one| (one.severity(), one.primary.span));
        (self.all, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_used_once_and_explained() {
        let codes: std::collections::BTreeSet<_> =
            Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.title().ends_with('.') && code.explanation().ends_with('.'),
                "{code}"
            );
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
    }
}
