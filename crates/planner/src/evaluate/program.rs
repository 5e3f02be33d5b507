//! Compiled expressions, each distinct text once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use consort_expression::{Evaluation, Facts, Files, HelperJob, Scope};
use consort_model::template::{Deferred, Place};
use consort_model::{Code, Problem, Template, Value};

use super::reference::{PathPart, plain_path};

/// A compiled expression.
#[derive(Debug)]
pub enum Program {
    /// Nothing but a path.
    Path(Vec<PathPart>),
    /// Anything else.
    Jq {
        /// The program.
        program: Box<consort_expression::Program>,
        /// What it refers to.
        references: Vec<Vec<PathPart>>,
    },
}

/// What a program yields.
pub(crate) enum Yield {
    Value(Value),
    Job(Box<HelperJob>),
}

impl Program {
    /// Compiles the text of one expression.
    ///
    /// # Errors
    /// When it is no expression, or uses what expressions must not use.
    pub fn compile(text: &str, place: &Place) -> Result<Self, Problem> {
        if let Some(path) = plain_path(text) {
            return Ok(Self::Path(path));
        }
        let scope = Scope {
            variables: Vec::new(),
            clock: false,
            files: true,
        };
        let program = consort_expression::compile(text, &scope).map_err(|error| Problem {
            place: Some(place.clone()),
            remedy: error.hint.clone(),
            ..Problem::new(
                Code::EXPRESSION_FAILED,
                format!(
                    "`${{ {} }}` is not a valid expression: {}",
                    text.trim(),
                    error.message
                ),
            )
        })?;
        let references = program
            .references()
            .iter()
            .map(|reference| reference.path.iter().map(part).collect())
            .collect();
        Ok(Self::Jq {
            program: Box::new(program),
            references,
        })
    }

    /// The paths that it refers to.
    pub fn references(&self) -> &[Vec<PathPart>] {
        match self {
            Self::Path(path) => std::slice::from_ref(path),
            Self::Jq { references, .. } => references,
        }
    }

    pub(crate) fn run(
        program: &consort_expression::Program,
        input: &Value,
        files: Option<&dyn Files>,
    ) -> Result<Yield, Problem> {
        let facts = Facts {
            now_ms: None,
            files,
        };
        match program.evaluate(input, &[], &facts) {
            Ok(Evaluation::Value(value)) => Ok(Yield::Value(value)),
            Ok(Evaluation::NeedsHelper(job)) => Ok(Yield::Job(Box::new(job))),
            Err(error) => Err(Problem::new(
                Code::EXPRESSION_FAILED,
                format!("`${{ {} }}` failed", program.text().trim()),
            )
            .caused_by(&error)),
        }
    }
}

fn part(part: &consort_expression::PathPart) -> PathPart {
    match part {
        consort_expression::PathPart::Key(key) => PathPart::Key(key.clone()),
        consort_expression::PathPart::Index(index) => PathPart::Index(*index),
        consort_expression::PathPart::Dynamic => PathPart::Dynamic,
    }
}

/// Compiled expressions by their text.
#[derive(Debug, Default, Clone)]
pub struct Programs {
    by_text: HashMap<String, Arc<Program>>,
}

impl Programs {
    /// Compiles every expression of a template, and says what is wrong with those that cannot be.
    pub fn add(&mut self, template: &Template) -> Vec<Problem> {
        let mut problems = Vec::new();
        template.visit_deferred(&mut |deferred: &Deferred| {
            for text in deferred.expressions() {
                if self.by_text.contains_key(text) {
                    continue;
                }
                match Program::compile(text, &deferred.place) {
                    Ok(program) => {
                        self.by_text.insert(text.to_owned(), Arc::new(program));
                    }
                    Err(problem) => problems.push(problem),
                }
            }
        });
        problems
    }

    /// The program of this text, compiled now if it was not added before.
    ///
    /// # Errors
    /// See [`Program::compile`].
    pub fn get(&self, text: &str, place: &Place) -> Result<Cow<'_, Arc<Program>>, Problem> {
        match self.by_text.get(text) {
            Some(program) => Ok(Cow::Borrowed(program)),
            None => Ok(Cow::Owned(Arc::new(Program::compile(text, place)?))),
        }
    }

    /// The program of this text, if it was added.
    pub fn known(&self, text: &str) -> Option<&Arc<Program>> {
        self.by_text.get(text)
    }
}
