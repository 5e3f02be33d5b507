//! What can go wrong in a driver.

use consort_model::{Code, Problem};

/// May the effect have happened all the same?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguity {
    /// Surely not: a definite answer said so.
    Definite,
    /// It is not known: a time-out, a broken connection.
    Ambiguous,
}

/// Why a driver could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DriverError {
    /// What kind of problem.
    pub code: Code,
    /// One sentence.
    pub message: String,
    /// What to do, if more than the code's page says.
    pub remedy: Option<String>,
    /// May the effect have happened?
    pub ambiguity: Ambiguity,
    /// Is it worth trying again soon, unchanged?
    pub retryable: bool,
    /// What it came from.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl DriverError {
    /// A definite failure that is not worth trying again unchanged.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: None,
            ambiguity: Ambiguity::Definite,
            retryable: false,
            source: None,
        }
    }
    /// The same, with what it came from.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
    /// The same, with what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
    /// The same; the effect may have happened.
    #[must_use]
    pub const fn ambiguous(mut self) -> Self {
        self.ambiguity = Ambiguity::Ambiguous;
        self
    }
    /// The same; worth trying again soon.
    #[must_use]
    pub const fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
    /// The problem, with its causes, as people and programs see it.
    pub fn problem(&self) -> Problem {
        let mut problem = Problem::new(self.code.clone(), self.message.clone());
        problem.remedy.clone_from(&self.remedy);
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            problem.causes.push(error.to_string());
            next = error.source();
        }
        problem
    }
}
