//! The other way: what the whitelist does not allow runs in a process of its own, which may be killed.
//!
//! The one who starts that process sets its limits ([`Limits::deadline_ms`], [`Limits::memory_bytes`],
//! no core files, no environment), writes one [`HelperJob`] per line as JSON, and reads one
//! [`HelperAnswer`] per line. A process that dies or stays silent has exceeded a limit: start another.
//!
//! A hostile program may overflow the stack of this process or exhaust its memory. That is what the
//! process is for; nothing here must run where that matters.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analysis::names;
use crate::analysis::projection::Projection;
use crate::error::EvaluationError;
use crate::evaluate::{Facts, Files, outputs};
use crate::interpreter::Run;
use crate::limits::{Limits, MAX_INPUT, MAX_JOB_LINE};
use crate::program::compile_filter;
use crate::scope::Scope;
use crate::syntax;
use crate::value::Entry;

/// One evaluation, with all that it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HelperJob {
    /// The expression.
    pub text: String,
    /// Its scope.
    pub scope: Scope,
    /// The parts of the input that it reads.
    pub input: Value,
    /// The parts of the variables that it reads, in the order of the scope.
    pub variables: Vec<Value>,
    /// The time for `now`, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now_ms: Option<i64>,
    /// Texts of the files that it may read, or why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, Result<String, String>>>,
    /// Its bounds.
    pub limits: Limits,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HelperAnswer {
    /// The value, with canonical numbers.
    Value(Value),
    /// It failed.
    Error(EvaluationError),
}

impl HelperAnswer {
    /// The value, or the error.
    ///
    /// # Errors
    /// If the job failed.
    pub fn into_result(self) -> Result<Value, EvaluationError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Error(error) => Err(error),
        }
    }

    /// The answer to give when the process was killed at its deadline.
    pub fn timed_out(limits: &Limits) -> Self {
        let message = format!("the expression took more than {} ms", limits.deadline_ms);
        Self::Error(EvaluationError::limit("time", message))
    }

    /// The answer to give when the process ended by itself: it ran out of memory or stack.
    pub fn died() -> Self {
        Self::Error(EvaluationError::limit(
            "memory",
            "the expression used more memory or stack than it may",
        ))
    }
}

/// The files that came with a job.
struct Sent<'a>(&'a BTreeMap<String, Result<String, String>>);

impl Files for Sent<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self.0.get(path) {
            Some(Ok(text)) => Ok(text.clone().into_bytes()),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err(
                "an expression that is not simple can read only files whose path is written out"
                    .to_owned(),
            ),
        }
    }
}

/// Evaluates a job. It may not come back: run it only in a process that may be killed.
pub fn run_job(job: &HelperJob) -> HelperAnswer {
    match run(job) {
        Ok(value) => HelperAnswer::Value(value),
        Err(error) => HelperAnswer::Error(error),
    }
}

fn run(job: &HelperJob) -> Result<Value, EvaluationError> {
    if job.variables.len() != job.scope.variables.len() {
        return Err(EvaluationError::facts("the variables do not fit the scope"));
    }
    let not_compiled = |error: crate::CompileError| EvaluationError::raised(error.message);
    let parsed = syntax::parse(&job.text).map_err(not_compiled)?;
    names::check(&job.text, &parsed.term, &job.scope).map_err(not_compiled)?;
    let filter = compile_filter(&job.text, parsed.term, &job.scope, false).map_err(not_compiled)?;
    let mut entry = Entry::new(MAX_INPUT, &job.limits);
    let input = entry.val(&job.input, Projection::all(), 0)?;
    let variables = job
        .variables
        .iter()
        .map(|value| entry.val(value, Projection::all(), 0));
    let variables = variables.collect::<Result<Vec<_>, _>>()?;
    let sent = job.files.as_ref().map(Sent);
    let facts = Facts {
        now_ms: job.now_ms,
        files: sent.as_ref().map(|sent| sent as &dyn Files),
    };
    outputs(
        &Run::new(&facts, true, 0),
        &filter,
        input,
        variables,
        job.limits,
    )
}

/// Answers jobs, one JSON line for each, until the input ends. It sets no limits on the process.
///
/// # Errors
/// When reading or writing fails, or a line is no job: the two sides no longer understand each other.
pub fn serve(input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut input = input;
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_JOB_LINE as u64 + 1;
        let read = input.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.len() > MAX_JOB_LINE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a job is too large",
            ));
        }
        let job: HelperJob = serde_json::from_slice(&line)?;
        serde_json::to_writer(&mut output, &run_job(&job))?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
}
