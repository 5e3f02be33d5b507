//! Checks of event filters.

use consort_expression::strict_expression;
use consort_model::Value;

use super::Check;
use super::expressions::template;

/// One event filter.
pub(super) fn filter(check: &mut Check<'_>, one: &Value, pointer: &str) {
    let attributes = one.get("with").and_then(Value::as_object);
    for (key, wanted) in attributes.into_iter().flatten() {
        let place = format!("{pointer}/with/{key}");
        match wanted.as_str().map(|text| (text, strict_expression(text))) {
            Some((_, Some(inner))) => in_filter(check, inner, &place),
            Some((text, None)) if key != "data" && regex::Regex::new(text).is_err() => {
                check.lint(
                    &place,
                    format!("`{text}` is no regular expression; it is compared as text only"),
                );
            }
            _ => {}
        }
    }
    if attributes
        .and_then(|with| with.get("data"))
        .is_some_and(has_expressions)
    {
        check.wrong(
            &format!("{pointer}/with/data"),
            "an expression on the data must be the whole of `data`, as in `data: ${ .order > 5 }`",
        );
    }
    let rules = one.get("correlate").and_then(Value::as_object);
    for (name, rule) in rules.into_iter().flatten() {
        let place = format!("{pointer}/correlate/{name}");
        match rule.get("from").and_then(Value::as_str) {
            Some(from) => in_filter(
                check,
                strict_expression(from).unwrap_or(from),
                &format!("{place}/from"),
            ),
            None => check.wrong(&place, "`from` is missing"),
        }
        if let Some(expect) = rule.get("expect") {
            template(check, expect, &format!("{place}/expect"));
        }
    }
}

/// Inside a list or an object.
fn has_expressions(value: &Value) -> bool {
    let any = |item: &Value| {
        item.as_str()
            .is_some_and(|text| strict_expression(text).is_some())
            || has_expressions(item)
    };
    match value {
        Value::Array(items) => items.iter().any(any),
        Value::Object(object) => object.values().any(any),
        _ => false,
    }
}

fn in_filter(check: &mut Check<'_>, text: &str, pointer: &str) {
    if let Err(message) = crate::event::check(text) {
        check.wrong(pointer, format!("expression `{text}`: {message}; to compare with data of the run use `correlate` with `expect`"));
    }
}
