//! `template(path; vars)`: a file with expressions in it.

use jaq_json::{Error, Val};

use super::scan::{Part, scan};
use crate::interpreter::Data;
use crate::limits::MAX_RESULT;
use crate::program::{Class, How, Program, compile, compile_filter};
use crate::scope::Scope;
use crate::syntax;
use crate::value;

/// The text with every `${ … }` replaced by its value on `variables`. Scalars become text; `$${ ` stands
/// for `${ `. Templates read no files and know no time.
pub(crate) fn render(
    path: &str,
    text: &str,
    variables: &Val,
    data: &Data<'_>,
) -> Result<String, Error> {
    let place = |at: usize| {
        let line = 1 + text[..at].bytes().filter(|byte| *byte == b'\n').count();
        format!("template `{path}`, line {line}")
    };
    let parts =
        scan(text).map_err(|error| Error::str(format_args!("{}: {error}", place(error.at))))?;
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(range) => push_text(&mut out, &text[range]),
            Part::Expression { inner, .. } => {
                let value =
                    evaluate(&text[inner.clone()], variables, data).map_err(
                        |problem| match problem {
                            Problem::Passed(error) => error,
                            Problem::Here(message) => {
                                Error::str(format_args!("{}: {message}", place(inner.start)))
                            }
                        },
                    )?;
                out.push_str(&value);
            }
        }
        if out.len() > MAX_RESULT {
            return Err(data.exceeded("result"));
        }
    }
    data.charge(out.len())?;
    Ok(out)
}

/// `$${` and white space is an escape; all other dollars are the file's own.
fn push_text(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find("$${") {
        let escaped = rest[at + 3..].starts_with([' ', '\t', '\n', '\r']);
        out.push_str(&rest[..at]);
        out.push_str(if escaped { "${" } else { "$${" });
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
}

enum Problem {
    /// Goes on as it is: a limit, or the need of a helper.
    Passed(Error),
    /// To be told with the place.
    Here(String),
}

fn evaluate(text: &str, variables: &Val, data: &Data<'_>) -> Result<String, Problem> {
    let scope = Scope::default();
    let program = compile(text, &scope).map_err(|error| Problem::Here(error.message))?;
    let value = if data.run().helper {
        let parsed = syntax::parse(text).map_err(|error| Problem::Here(error.message))?;
        let filter = compile_filter(text, parsed.term, &scope, false)
            .map_err(|error| Problem::Here(error.message))?;
        one_output(&filter, variables, data)?
    } else {
        let (How::Path(_, _, fast) | How::Fast(fast)) = &program.run else {
            return Err(Problem::Passed(data.need_helper(&reason(&program))));
        };
        one_output(&fast.filter, variables, data)?
    };
    scalar(&value)
}

fn reason(program: &Program) -> String {
    match program.class() {
        Class::NeedsHelper(reason) => reason,
        Class::Fast => String::new(),
    }
}

fn one_output(
    filter: &jaq_core::Filter<crate::interpreter::Interpreter>,
    variables: &Val,
    data: &Data<'_>,
) -> Result<Val, Problem> {
    let run = data.run();
    let mut outputs = run.start(filter, variables.clone(), Vec::new());
    let first = outputs.next().unwrap_or(Ok(Val::Null));
    let more = outputs.next().is_some();
    drop(outputs);
    match first {
        _ if run.needs_helper.get() => Err(Problem::Passed(data.need_helper("a template"))),
        Err(error) => Err(Problem::Here(crate::evaluate::message(&error))),
        Ok(_) if more => Err(Problem::Here(
            "an expression yields several values inside text".to_owned(),
        )),
        Ok(value) => Ok(value),
    }
}

fn scalar(value: &Val) -> Result<String, Problem> {
    match value {
        Val::TStr(bytes) | Val::BStr(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Val::Null | Val::Bool(_) => Ok(value.to_string()),
        Val::Num(_) => Ok(value::canonical_val(value.clone()).to_string()),
        Val::Arr(_) => Err(Problem::Here(
            "an expression yields an array inside text; use `join` or `tojson`".to_owned(),
        )),
        Val::Obj(_) => Err(Problem::Here(
            "an expression yields an object inside text; use `tojson`".to_owned(),
        )),
    }
}
