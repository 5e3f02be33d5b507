//! What all tests share.

use std::collections::BTreeMap;

use consort_expression::{
    Evaluation, EvaluationError, Facts, Files, HelperJob, Limits, Program, Scope, compile, helper,
};
use serde_json::Value;

/// Files in memory.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<&'static str, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| "it is not part of the bundle".to_owned())
    }
}

/// A scope with everything.
pub(crate) fn scope(variables: &[&str]) -> Scope {
    Scope {
        variables: variables.iter().map(|name| (*name).to_owned()).collect(),
        clock: true,
        files: true,
    }
}

pub(crate) fn program(text: &str) -> Program {
    compile(text, &scope(&["x", "context"])).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// A job for the helper with the whole of the input.
pub(crate) fn job(text: &str, input: &Value, variables: &[Value]) -> HelperJob {
    HelperJob {
        text: text.to_owned(),
        scope: scope(&["x", "context"]),
        input: input.clone(),
        variables: variables.to_vec(),
        now_ms: Some(1_700_000_000_123),
        files: None,
        limits: Limits::default(),
    }
}

/// Evaluates here, or as the helper would.
pub(crate) fn value(text: &str, input: &Value) -> Result<Value, EvaluationError> {
    let variables = [Value::from("X"), serde_json::json!({"a": {"b": 1}})];
    let facts = Facts {
        now_ms: Some(1_700_000_000_123),
        files: None,
    };
    match program(text).evaluate(input, &variables, &facts)? {
        Evaluation::Value(value) => Ok(value),
        Evaluation::NeedsHelper(job) => helper::run_job(&job).into_result(),
    }
}

/// JSON in tests.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
