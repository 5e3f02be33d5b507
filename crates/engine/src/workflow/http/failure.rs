//! A call without an answer.

use std::error::Error;

use consort_workflow::HttpAnswer;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    message: String,
    ambiguous: bool,
    status: u16,
}

impl Failure {
    /// The request was not sent, and will never be as it is.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ambiguous: false,
            status: 500,
        }
    }
    /// There was no connection: nothing was sent.
    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ambiguous: false,
            status: 503,
        }
    }
    /// It was sent, and may have had its effect.
    pub(super) fn lost(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ambiguous: true,
            status: 500,
        }
    }
    /// It was sent, and took too long.
    pub(super) fn late(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ambiguous: true,
            status: 504,
        }
    }
    /// May it have had its effect?
    pub(super) const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }
    /// As it is recorded.
    pub(super) fn answer(self) -> HttpAnswer {
        HttpAnswer::Failed {
            message: self.message,
            ambiguous: self.ambiguous,
            status: self.status,
        }
    }
}

/// An error with all that it came from, in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}
