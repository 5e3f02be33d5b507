//! Checks of schemas, names of variables and metadata.

use consort_model::Value;

use super::Check;
use super::expressions::template;

pub(super) fn schema(check: &mut Check<'_>, schema: &Value, pointer: &str) {
    if schema.get("resource").is_some() {
        check.missing(&format!("{pointer}/resource"), "a schema by reference");
        return;
    }
    let format = schema
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or("json");
    if format != "json" && !format.starts_with("json:") {
        check.missing(
            &format!("{pointer}/format"),
            &format!("the schema format `{format}`"),
        );
    } else if let Err(message) = crate::machine::compile_schema(schema) {
        check.wrong(pointer, message);
    }
}

pub(super) fn variable(check: &mut Check<'_>, name: Option<&Value>, pointer: &str) {
    let good = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    if let Some(name) = name
        && !name
            .as_str()
            .is_some_and(|name| !name.is_empty() && good(name))
    {
        check.wrong(
            pointer,
            format!("{name} is no name of a variable; use letters, digits and `_`"),
        );
    }
}

/// What we understand in `metadata`, and what we know of and do not do yet.
pub(super) fn metadata(check: &mut Check<'_>, metadata: &Value, pointer: &str) {
    if let Some(decode) = metadata.get("decode").filter(|decode| *decode != "xml") {
        check.wrong(
            &format!("{pointer}/decode"),
            format!("{decode} cannot be decoded; `xml` can"),
        );
    }
    match metadata
        .get("onAmbiguous")
        .map(|policy| policy.as_str().unwrap_or_default())
    {
        None | Some("retry" | "fault") => {}
        Some("suspend") => {
            check.missing(&format!("{pointer}/onAmbiguous"), "`onAmbiguous: suspend`")
        }
        Some(_) => check.wrong(
            &format!("{pointer}/onAmbiguous"),
            "`onAmbiguous` is one of retry, fault",
        ),
    }
    if let Some(idempotency) = metadata.get("idempotency") {
        match idempotency.get("key") {
            Some(key) => template(check, key, &format!("{pointer}/idempotency/key")),
            None => check.wrong(&format!("{pointer}/idempotency"), "`key` is missing"),
        }
    }
    for key in [
        "fork",
        "loop",
        "parallel",
        "concurrency",
        "compensate",
        "cache",
        "allowSecrets",
        "parentClose",
    ] {
        if metadata.get(key).is_some() {
            check.lint(
                &format!("{pointer}/{key}"),
                format!("`metadata.{key}` is not acted upon yet"),
            );
        }
    }
}
