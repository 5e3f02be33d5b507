//! Checks of expressions and templates.

use consort_expression::{Scope, compile, strict_expression};
use consort_model::Value;

use super::Check;
use crate::expression::ARGUMENTS;

pub(super) fn duration(check: &mut Check<'_>, value: &Value, pointer: &str) {
    if value
        .as_str()
        .is_some_and(|text| strict_expression(text).is_some())
    {
        return;
    }
    if let Err(message) = crate::duration::read(value) {
        check.wrong(pointer, message);
    }
}

pub(super) fn always(check: &mut Check<'_>, field: &Value, pointer: &str) {
    match field {
        Value::String(text) => {
            compiles(check, strict_expression(text).unwrap_or(text), pointer, &[])
        }
        other => template(check, other, pointer),
    }
}

pub(super) fn expression(check: &mut Check<'_>, field: &Value, pointer: &str, more: &[&str]) {
    if let Some(text) = field.as_str() {
        compiles(
            check,
            strict_expression(text).unwrap_or(text),
            pointer,
            more,
        );
    }
}

pub(super) fn template(check: &mut Check<'_>, value: &Value, pointer: &str) {
    match value {
        Value::String(text) => match strict_expression(text) {
            Some(inner) => compiles(check, inner, pointer, &[]),
            None if text.contains("${") => {
                check.lint(pointer, "this is text, not an expression: only a string that is `${ … }` as a whole is one; write `${ \"text \\(.x)\" }`");
            }
            None => {}
        },
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| template(check, item, &format!("{pointer}/{index}"))),
        Value::Object(object) => object
            .iter()
            .for_each(|(key, item)| template(check, item, &format!("{pointer}/{key}"))),
        _ => {}
    }
}

/// Names of loops and errors are known only where they are bound: an unknown variable is tried with
/// its own name, so that only what can never mean anything is refused here.
fn compiles(check: &mut Check<'_>, text: &str, pointer: &str, more: &[&str]) {
    let mut variables: Vec<String> = ARGUMENTS
        .iter()
        .chain(more)
        .map(|name| (*name).to_owned())
        .collect();
    for name in named_variables(text) {
        if !variables.contains(&name) {
            variables.push(name);
        }
    }
    if let Err(error) = compile(
        text,
        &Scope {
            variables,
            clock: true,
            files: false,
        },
    ) {
        check.wrong(pointer, format!("expression `{text}`: {error}"));
    }
}

fn named_variables(text: &str) -> Vec<String> {
    text.split('$')
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| !name.is_empty() && !name.starts_with("__") && name != "ENV")
        .collect()
}
