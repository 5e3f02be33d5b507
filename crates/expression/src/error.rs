//! What can be wrong with an expression, when it is read and when it runs.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A text is not an expression, or names what is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// What is wrong, for a user.
    pub message: String,
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// How to mend it.
    pub hint: Option<String>,
}

impl CompileError {
    pub(crate) fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self {
            message: message.into(),
            span,
            hint: None,
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// What kind of failure an [`EvaluationError`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Raised by the expression: a value of the wrong type, `error(…)`, a missing file.
    Raised,
    /// A bound was exceeded.
    Limit {
        /// Which one: `input`, `depth`, `result`, `outputs`, `files`, `time` or `memory`.
        name: String,
    },
    /// A fact that the expression needs was not given, or the variables do not fit the scope.
    Facts,
    /// A defect of the interpreter.
    Internal,
}

/// An expression did not yield a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct EvaluationError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// What happened, for a user.
    pub message: String,
}

impl EvaluationError {
    /// A bound named `name` was exceeded.
    pub fn limit(name: &str, message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Limit {
                name: name.to_owned(),
            },
            message: message.into(),
        }
    }

    pub(crate) fn raised(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Raised,
            message: message.into(),
        }
    }

    pub(crate) fn facts(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Facts,
            message: message.into(),
        }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Internal,
            message: message.into(),
        }
    }
}
