//! Evaluates the expressions of a document: strings that are one as a whole, and those fields that
//! always are. A template is walked once; its results never are.

use std::collections::BTreeMap;

use consort_expression::{
    Evaluation, Facts, HelperAnswer, HelperJob, ProgramCache, Scope, strict_expression,
};
use consort_model::{Digest, Timestamp, Value, secret};

use crate::error::{Fault, types};

/// The arguments that are bound everywhere, null where they mean nothing.
pub(crate) const ARGUMENTS: [&str; 9] = [
    "context",
    "input",
    "output",
    "secrets",
    "secret",
    "authorization",
    "task",
    "workflow",
    "runtime",
];

/// So many compiled expressions are kept.
const CACHE: usize = 4_096;

/// Why there is no value.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Fault(Fault),
    /// A helper process must answer first.
    Needs(Box<HelperJob>),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Compiled expressions.
#[derive(Debug)]
pub(crate) struct Evaluator {
    cache: ProgramCache,
}

/// What an expression sees.
pub(crate) struct Sight<'a> {
    scope: Scope,
    /// In the order of the scope.
    values: Vec<Value>,
    /// The time of the step.
    now: Timestamp,
    /// What helpers have answered.
    answers: &'a BTreeMap<String, HelperAnswer>,
}

impl<'a> Sight<'a> {
    pub(crate) fn new(
        names: Vec<String>,
        values: Vec<Value>,
        now: Timestamp,
        answers: &'a BTreeMap<String, HelperAnswer>,
    ) -> Self {
        Self {
            scope: Scope {
                variables: names,
                clock: true,
                files: false,
            },
            values,
            now,
            answers,
        }
    }
    /// The same with one variable more; it hides one of the same name.
    pub(crate) fn bind(&mut self, name: &str, value: Value) {
        match self.scope.variables.iter().position(|known| known == name) {
            Some(place) => self.values[place] = value,
            None => {
                self.scope.variables.push(name.to_owned());
                self.values.push(value);
            }
        }
    }
    /// Another value for a variable that is bound.
    pub(crate) fn set(&mut self, name: &str, value: &Value) {
        if let Some(place) = self.scope.variables.iter().position(|known| known == name) {
            self.values[place] = value.clone();
        }
    }
}

impl Evaluator {
    pub(crate) fn new() -> Self {
        Self {
            cache: ProgramCache::new(CACHE),
        }
    }

    /// A template: every string that is an expression as a whole becomes its value.
    pub(crate) fn template(
        &self,
        template: &Value,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<Value, Stop> {
        Ok(match template {
            Value::String(text) => match strict_expression(text) {
                Some(expression) => self.evaluate(expression, input, sight)?,
                None => template.clone(),
            },
            Value::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.template(item, input, sight))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(object) => Value::Object(
                object
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), self.template(item, input, sight)?)))
                    .collect::<Result<_, Stop>>()?,
            ),
            scalar => scalar.clone(),
        })
    }

    /// A field that is always an expression in its string form, with or without `${ }`.
    pub(crate) fn always(
        &self,
        field: &Value,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<Value, Stop> {
        match field {
            Value::String(text) => {
                self.evaluate(strict_expression(text).unwrap_or(text), input, sight)
            }
            other => self.template(other, input, sight),
        }
    }

    /// A condition, by jq's truth: null and false are false.
    pub(crate) fn holds(
        &self,
        field: &Value,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<bool, Stop> {
        let value = match field {
            Value::Bool(known) => return Ok(*known),
            other => self.always(other, input, sight)?,
        };
        Ok(!matches!(value, Value::Null | Value::Bool(false)))
    }

    fn evaluate(&self, text: &str, input: &Value, sight: &Sight<'_>) -> Result<Value, Stop> {
        let failed = |message: String| Stop::Fault(Fault::standard(types::EXPRESSION, message));
        let program = self
            .cache
            .get(text, &sight.scope)
            .map_err(|error| failed(format!("`{text}`: {error}")))?;
        let secrets = program
            .variable_references()
            .iter()
            .any(|reference| reference.name == "secrets" || reference.name == "secret");
        if secrets && !program.is_transparent() {
            let message = format!(
                "`{text}` needs the content of a secret; a secret can be selected and joined with text, no more"
            );
            return Err(Stop::Fault(Fault::standard(types::CONFIGURATION, message)));
        }
        let facts = Facts {
            now_ms: Some(sight.now.millis()),
            files: None,
        };
        match program.evaluate(input, &sight.values, &facts) {
            Ok(Evaluation::Value(value)) => Ok(value),
            Ok(Evaluation::NeedsHelper(job)) => match sight.answers.get(&job_name(&job)) {
                Some(HelperAnswer::Value(value)) => Ok(value.clone()),
                Some(HelperAnswer::Error(error)) => Err(failed(format!("`{text}`: {error}"))),
                None => Err(Stop::Needs(Box::new(job))),
            },
            Err(error) => Err(failed(format!("`{text}`: {error}"))),
        }
    }
}

/// The name of a job among the answers.
pub(crate) fn job_name(job: &HelperJob) -> String {
    Digest::of_serialized(job)
        .map(|digest| digest.to_string())
        .unwrap_or_default()
}

/// Does a value hold a secret?
pub(crate) fn is_tainted(value: &Value) -> bool {
    !secret::handles(value).is_empty()
}
