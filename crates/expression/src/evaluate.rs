//! Evaluation in this process, and the way to the helper.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jaq_core::Filter;
use jaq_json::Val;
use serde_json::Value;

use crate::analysis::projection::Projection;
use crate::analysis::references::PathPart;
use crate::error::EvaluationError;
use crate::helper::HelperJob;
use crate::interpreter::{Interpreter, Run, read_text};
use crate::limits::{Limits, MAX_FAST_INPUT, MAX_INPUT, MAX_MESSAGE, MAX_OUTPUTS, MAX_RESULT};
use crate::program::{Fast, How, Program, Root};
use crate::value::{Entry, Exit, Measure};

/// Files that expressions may read: those of the bundle. What a path means is up to the caller.
pub trait Files {
    /// The contents of a file.
    ///
    /// # Errors
    /// Why it cannot be read, for a user, without the path.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// What an expression may know besides its input.
#[derive(Clone, Copy, Default)]
pub struct Facts<'a> {
    /// Milliseconds since 1970 for `now`.
    pub now_ms: Option<i64>,
    /// Files for `file` and `template`.
    pub files: Option<&'a dyn Files>,
}

impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("now_ms", &self.now_ms)
            .field("files", &self.files.is_some())
            .finish()
    }
}

/// What an evaluation comes to.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Evaluation {
    /// The value, with canonical numbers.
    Value(Value),
    /// The helper must evaluate this.
    NeedsHelper(HelperJob),
}

pub(crate) fn evaluate(
    program: &Program,
    input: &Value,
    variables: &[Value],
    facts: &Facts<'_>,
) -> Result<Evaluation, EvaluationError> {
    let expected = program.scope().variables.len();
    if variables.len() != expected {
        return Err(EvaluationError::facts(format!(
            "expected {expected} variables, got {}",
            variables.len()
        )));
    }
    match &program.run {
        How::Helper(_) => job(program, input, variables, facts, BTreeMap::new()),
        How::Path(root, path, fast) => {
            let start = match root {
                Root::Input => input,
                Root::Variable(position) => &variables[*position],
            };
            match follow(start, path) {
                Some(value) => whole(value).map(Evaluation::Value),
                // The filter says what is wrong.
                None => here(program, fast, input, variables, facts),
            }
        }
        How::Fast(fast) => here(program, fast, input, variables, facts),
    }
}

/// Follows a path as jq does; `None` where jq raises an error.
fn follow<'a>(mut at: &'a Value, path: &[PathPart]) -> Option<&'a Value> {
    for part in path {
        at = match (at, part) {
            (Value::Null, _) => &Value::Null,
            (Value::Object(entries), PathPart::Key(key)) => {
                entries.get(key).unwrap_or(&Value::Null)
            }
            (Value::Array(items), PathPart::Index(index)) => {
                let index = if *index < 0 {
                    index.checked_add_unsigned(items.len() as u64)?
                } else {
                    *index
                };
                usize::try_from(index)
                    .ok()
                    .and_then(|index| items.get(index))
                    .unwrap_or(&Value::Null)
            }
            _ => return None,
        };
    }
    Some(at)
}

/// A copy of a part of the input, as a result.
fn whole(value: &Value) -> Result<Value, EvaluationError> {
    let limits = Limits::default();
    let mut entry = Entry::new(MAX_RESULT, &limits);
    entry
        .part(value, Projection::all(), 0)
        .map_err(|error| match error.kind {
            crate::ErrorKind::Limit { name } if name == "input" => EvaluationError::limit(
                "result",
                format!("the result has more than {MAX_RESULT} bytes"),
            ),
            _ => error,
        })
}

fn here(
    program: &Program,
    fast: &Fast,
    input: &Value,
    variables: &[Value],
    facts: &Facts<'_>,
) -> Result<Evaluation, EvaluationError> {
    let limits = Limits::default();
    let mut entry = Entry::new(MAX_FAST_INPUT, &limits);
    let Some((start, values)) = enter(program, &mut entry, input, variables)? else {
        return job(program, input, variables, facts, BTreeMap::new());
    };
    let Some(budget) = file_budget(program, fast, entry.measure) else {
        return job(program, input, variables, facts, BTreeMap::new());
    };
    let run = Run::new(facts, false, budget);
    let result = outputs(&run, &fast.filter, start, values, limits);
    if run.needs_helper.get() {
        let files = run.files.into_inner();
        return job(program, input, variables, facts, files);
    }
    result.map(Evaluation::Value)
}

/// The input and variables for jaq, or nothing if they are too large for this process.
fn enter(
    program: &Program,
    entry: &mut Entry,
    input: &Value,
    variables: &[Value],
) -> Result<Option<(Val, Vec<Val>)>, EvaluationError> {
    let mut all = || {
        let start = entry.val(input, &program.input_parts, 0)?;
        let values = variables.iter().zip(&program.variable_parts);
        let values = values.map(|(value, keep)| entry.val(value, keep, 0));
        Ok((start, values.collect::<Result<Vec<_>, _>>()?))
    };
    match all() {
        Ok(values) => Ok(Some(values)),
        Err(EvaluationError {
            kind: crate::ErrorKind::Limit { name },
            ..
        }) if name == "input" => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many bytes files may add so that nothing the program makes exceeds a result; `None` if it is
/// too large without them.
fn file_budget(program: &Program, fast: &Fast, measure: Measure) -> Option<usize> {
    let growth = fast.growth;
    let items = if growth.splits {
        measure.bytes
    } else {
        measure.nodes.saturating_mul(4)
    };
    let repetitions = if growth.repeats {
        items.saturating_add(1)
    } else {
        1
    };
    let made = repetitions.saturating_mul(program.text().len());
    let weight = usize::try_from(growth.weight).unwrap_or(usize::MAX).max(1);
    (MAX_RESULT / weight).checked_sub(measure.bytes.saturating_add(made))
}

/// Runs a filter and gathers its outputs, within the limits.
pub(crate) fn outputs(
    run: &Run<'_>,
    filter: &Filter<Interpreter>,
    input: Val,
    variables: Vec<Val>,
    limits: Limits,
) -> Result<Value, EvaluationError> {
    // A defect of the interpreter must not end the process.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        gather(run, filter, input, variables, limits)
    }));
    caught.unwrap_or_else(|_| {
        Err(EvaluationError::internal(
            "the expression interpreter failed on this input",
        ))
    })
}

fn gather(
    run: &Run<'_>,
    filter: &Filter<Interpreter>,
    input: Val,
    variables: Vec<Val>,
    limits: Limits,
) -> Result<Value, EvaluationError> {
    let mut exit = Exit::new(limits);
    let mut values = Vec::new();
    for output in run.start(filter, input, variables) {
        let output = output.map_err(|error| raised(run, error))?;
        if values.len() >= limits.outputs.min(MAX_OUTPUTS) {
            return Err(EvaluationError::limit(
                "outputs",
                format!("the expression yields more than {} values", limits.outputs),
            ));
        }
        match exit.json(&output, 0) {
            Ok(value) => values.push(value),
            Err(error) => {
                // It may be too deep to be dropped.
                std::mem::forget(output);
                return Err(error);
            }
        }
    }
    match values.len() {
        0 => Ok(Value::Null),
        1 => Ok(values.remove(0)),
        _ if exit.deepest() >= limits.depth => Err(EvaluationError::limit(
            "depth",
            format!("the result is nested more than {} deep", limits.depth),
        )),
        _ => Ok(Value::Array(values)),
    }
}

fn raised(run: &Run<'_>, error: jaq_json::Error) -> EvaluationError {
    if let Some(name) = run.limit.get() {
        return EvaluationError::limit(name, format!("the expression exceeded the limit `{name}`"));
    }
    if let Some(missing) = run.missing.get() {
        return EvaluationError::facts(missing);
    }
    EvaluationError::raised(message(&error))
}

/// The message of a raised error, cut to a bounded length without writing all of it.
pub(crate) fn message(error: &jaq_json::Error) -> String {
    use fmt::Write;
    let mut out = Cut {
        text: String::new(),
        left: MAX_MESSAGE,
    };
    let complete = write!(out, "{error}").is_ok();
    let mut text = out.text;
    if complete {
        // An error that is a string is shown as the text that it is.
        if let Ok(Value::String(inner)) = serde_json::from_str(&text) {
            return inner;
        }
    } else {
        text.push('…');
    }
    text
}

struct Cut {
    text: String,
    left: usize,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for c in piece.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(c);
        }
        Ok(())
    }
}

/// All that the helper needs to evaluate the program.
fn job(
    program: &Program,
    input: &Value,
    variables: &[Value],
    facts: &Facts<'_>,
    mut files: BTreeMap<String, Result<String, String>>,
) -> Result<Evaluation, EvaluationError> {
    let limits = Limits::default();
    let mut entry = Entry::new(MAX_INPUT, &limits);
    let input = entry.part(input, &program.input_parts, 0)?;
    let values = variables.iter().zip(&program.variable_parts);
    let values = values
        .map(|(value, keep)| entry.part(value, keep, 0))
        .collect::<Result<_, _>>()?;
    if let Some(available) = facts.files {
        for path in &program.literal_files {
            if !files.contains_key(path) {
                files.insert(path.clone(), read_text(available, path));
            }
        }
    }
    let bytes = files
        .values()
        .map(|read| read.as_ref().map_or(0, String::len))
        .fold(0, usize::saturating_add);
    if bytes > crate::limits::MAX_FILES {
        return Err(EvaluationError::limit(
            "files",
            format!(
                "the files of the expression have more than {} bytes",
                crate::limits::MAX_FILES
            ),
        ));
    }
    Ok(Evaluation::NeedsHelper(HelperJob {
        text: program.text().to_owned(),
        scope: program.scope().clone(),
        input,
        variables: values,
        now_ms: facts.now_ms,
        files: if facts.files.is_some() {
            Some(files)
        } else {
            None
        },
        limits,
    }))
}
