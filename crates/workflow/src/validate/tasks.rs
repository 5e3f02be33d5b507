//! Checks of tasks.

use consort_expression::{Scope, compile, strict_expression};
use consort_model::{Value, text};

use super::Check;
use crate::definition::task_pointer;
use crate::expression::ARGUMENTS;

/// Keys that any task may have.
const COMMON: &[&str] = &[
    "if", "input", "output", "export", "timeout", "then", "metadata",
];
/// Kinds of tasks, each with the keys beside the common ones.
const KINDS: &[(&str, &[&str])] = &[
    ("call", &["call", "with"]),
    ("for", &["for", "while", "do"]),
    ("try", &["try", "catch"]),
    ("do", &["do"]),
    ("emit", &["emit"]),
    ("fork", &["fork"]),
    ("listen", &["listen", "foreach"]),
    ("raise", &["raise"]),
    ("run", &["run"]),
    ("set", &["set"]),
    ("switch", &["switch"]),
    ("wait", &["wait"]),
];

/// The kind of a task.
pub(crate) fn kind(task: &Value) -> Option<&'static str> {
    KINDS
        .iter()
        .map(|(kind, _)| *kind)
        .find(|kind| task.get(*kind).is_some())
}

pub(super) fn list(check: &mut Check<'_>, list: &Value, pointer: &str) {
    let Some(items) = list.as_array() else {
        check.wrong(pointer, "a list of tasks was expected: `- name: {…}`");
        return;
    };
    let mut names: Vec<&str> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = format!("{pointer}/{index}");
        let Some((name, task)) = item
            .as_object()
            .filter(|map| map.len() == 1)
            .and_then(|map| map.iter().next())
        else {
            check.wrong(&place, "a task is a mapping with one key, its name");
            continue;
        };
        if names.contains(&name.as_str()) {
            check.wrong(
                &place,
                format!("there is a task `{name}` in this list already"),
            );
        }
        if ["continue", "exit", "end"].contains(&name.as_str()) {
            check.wrong(
                &place,
                format!("`{name}` is a flow directive and cannot name a task"),
            );
        }
        names.push(name);
        self::task(check, task, &task_pointer(pointer, index, name));
    }
    for (index, item) in items.iter().enumerate() {
        let Some((name, task)) = item.as_object().and_then(|map| map.iter().next()) else {
            continue;
        };
        let place = task_pointer(pointer, index, name);
        directive(check, task.get("then"), &names, &format!("{place}/then"));
        directive(
            check,
            task.pointer("/catch/then"),
            &names,
            &format!("{place}/catch/then"),
        );
        for (case, item) in task
            .get("switch")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            let body = item.as_object().and_then(|map| map.values().next());
            directive(
                check,
                body.and_then(|body| body.get("then")),
                &names,
                &format!("{place}/switch/{case}"),
            );
        }
    }
}

fn directive(check: &mut Check<'_>, then: Option<&Value>, names: &[&str], pointer: &str) {
    let Some(then) = then else { return };
    let Some(target) = then.as_str() else {
        check.wrong(
            pointer,
            "`then` must be continue, exit, end or the name of a task in the same list",
        );
        return;
    };
    if !["continue", "exit", "end"].contains(&target) && !names.contains(&target) {
        let near = text::nearest(target, names.iter().copied())
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        check.wrong(
            pointer,
            format!("there is no task `{target}` in the same list{near}"),
        );
    }
}

fn task(check: &mut Check<'_>, task: &Value, pointer: &str) {
    let Some(object) = task.as_object() else {
        check.wrong(pointer, "a task is a mapping");
        return;
    };
    let Some(kind) = kind(task) else {
        let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        check.wrong(
            pointer,
            format!(
                "it is not known what this task does; it needs one of {}",
                kinds.join(", ")
            ),
        );
        return;
    };
    let own = KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(&[] as &[&str], |(_, keys)| keys);
    for key in object
        .keys()
        .filter(|key| !own.contains(&key.as_str()) && !COMMON.contains(&key.as_str()))
    {
        let near = text::nearest(key, own.iter().chain(COMMON).copied())
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        check.wrong(
            &format!("{pointer}/{key}"),
            format!("a `{kind}` task has no `{key}`{near}"),
        );
    }
    if let Some(timeout) = object.get("timeout") {
        self::timeout(check, timeout, &format!("{pointer}/timeout"));
    }
    for part in ["input", "output", "export"] {
        if let Some(schema) = task.pointer(&format!("/{part}/schema")) {
            self::schema(check, schema, &format!("{pointer}/{part}/schema"));
        }
    }
    if let Some(metadata) = object.get("metadata") {
        self::metadata(check, metadata, &format!("{pointer}/metadata"));
    }
    for path in ["if", "input/from", "output/as", "export/as"] {
        if let Some(field) = task.pointer(&format!("/{path}")) {
            always(check, field, &format!("{pointer}/{path}"));
        }
    }
    body(check, kind, task, pointer);
}

fn body(check: &mut Check<'_>, kind: &str, task: &Value, pointer: &str) {
    let place = format!("{pointer}/{kind}");
    match kind {
        "do" => list(check, &task["do"], &place),
        "set" => template(check, &task["set"], &place),
        "for" => {
            match task.pointer("/for/in") {
                Some(items) => always(check, items, &format!("{place}/in")),
                None => check.wrong(&place, "`in` is missing"),
            }
            for key in ["each", "at"] {
                variable(
                    check,
                    task.pointer(&format!("/for/{key}")),
                    &format!("{place}/{key}"),
                );
            }
            if let Some(condition) = task.get("while") {
                always(check, condition, &format!("{pointer}/while"));
            }
            match task.get("do") {
                Some(tasks) => list(check, tasks, &format!("{pointer}/do")),
                None => check.wrong(pointer, "`do` is missing"),
            }
        }
        "fork" => match task.pointer("/fork/branches") {
            Some(branches) => {
                list(check, branches, &format!("{place}/branches"));
                no_jumps(check, branches, &format!("{place}/branches"));
            }
            None => check.wrong(&place, "`branches` is missing"),
        },
        "try" => {
            list(check, &task["try"], &place);
            catch(check, task.get("catch"), pointer);
        }
        "switch" => switch(check, &task["switch"], &place),
        "raise" => {
            let error = task.pointer("/raise/error").unwrap_or(&Value::Null);
            check.named("errors", error, &format!("{place}/error"));
            if error.is_null() {
                check.wrong(&place, "`error` is missing");
            } else if error.is_object()
                && (error.get("type").is_none() || error.get("status").is_none())
            {
                check.wrong(
                    &format!("{place}/error"),
                    "an error needs `type` and `status`",
                );
            }
        }
        "wait" => duration(check, &task["wait"], &place),
        "emit" => match task.pointer("/emit/event/with") {
            Some(with) if with.get("type").is_some() => {
                template(check, with, &format!("{place}/event/with"))
            }
            _ => check.wrong(&place, "`event.with` with a `type` is missing"),
        },
        "listen" => {
            if task.get("foreach").is_some() {
                check.missing(&format!("{pointer}/foreach"), "`foreach` of a listen task");
            }
            for other in ["all", "any"] {
                if task.pointer(&format!("/listen/to/{other}")).is_some() {
                    check.missing(
                        &format!("{place}/to/{other}"),
                        &format!("listening to `{other}`"),
                    );
                }
            }
            if task.pointer("/listen/to/one/with").is_none()
                && task.pointer("/listen/to/all").is_none()
                && task.pointer("/listen/to/any").is_none()
            {
                check.wrong(&place, "`to.one.with` is missing");
            }
            if let Some(one) = task.pointer("/listen/to/one") {
                filter(check, one, &format!("{place}/to/one"));
            }
        }
        "call" => call(check, task, pointer),
        _ => {
            let what = task[kind]
                .as_object()
                .and_then(|map| map.keys().next().cloned())
                .unwrap_or_default();
            check.missing(&place, &format!("`{kind}: {what}`"));
        }
    }
}

fn call(check: &mut Check<'_>, task: &Value, pointer: &str) {
    match task["call"].as_str() {
        Some("http") => {
            let with = task.get("with").unwrap_or(&Value::Null);
            for key in ["method", "endpoint"] {
                if with.get(key).is_none() {
                    check.wrong(&format!("{pointer}/with"), format!("`{key}` is missing"));
                }
            }
            template(check, with, &format!("{pointer}/with"));
            if let Some(policy) = with.pointer("/endpoint/authentication") {
                authentication(
                    check,
                    policy,
                    &format!("{pointer}/with/endpoint/authentication"),
                );
            }
        }
        Some(other) => check.missing(&format!("{pointer}/call"), &format!("`call: {other}`")),
        None => check.wrong(&format!("{pointer}/call"), "`call` names a protocol"),
    }
}

fn authentication(check: &mut Check<'_>, policy: &Value, pointer: &str) {
    let used = policy.get("use").unwrap_or(policy);
    check.named("authentications", used, pointer);
    let resolved = match used {
        Value::String(name) => check
            .document
            .pointer("/use/authentications")
            .and_then(|all| all.get(name)),
        other => Some(other),
    };
    if resolved.is_some_and(|policy| policy.pointer("/basic/use").is_some()) {
        check.missing(pointer, "authentication by `basic` out of one secret");
    }
    for kind in ["digest", "oauth2", "oidc"] {
        if resolved.is_some_and(|policy| policy.get(kind).is_some()) {
            check.missing(pointer, &format!("authentication by `{kind}`"));
        }
    }
}

fn catch(check: &mut Check<'_>, catch: Option<&Value>, pointer: &str) {
    let Some(catch) = catch else {
        check.wrong(pointer, "`catch` is missing");
        return;
    };
    let place = format!("{pointer}/catch");
    if let Some(retry) = catch.get("retry") {
        check.named("retries", retry, &format!("{place}/retry"));
    }
    if let Some(tasks) = catch.get("do") {
        list(check, tasks, &format!("{place}/do"));
    }
    variable(check, catch.get("as"), &format!("{place}/as"));
    let variable = catch.get("as").and_then(Value::as_str).unwrap_or("error");
    for key in ["when", "exceptWhen"] {
        if let Some(condition) = catch.get(key) {
            expression(check, condition, &format!("{place}/{key}"), &[variable]);
        }
    }
}

fn switch(check: &mut Check<'_>, cases: &Value, pointer: &str) {
    let Some(items) = cases.as_array().filter(|items| !items.is_empty()) else {
        check.wrong(pointer, "`switch` needs at least one case");
        return;
    };
    let mut defaults = 0;
    for (index, item) in items.iter().enumerate() {
        let Some(body) = item
            .as_object()
            .filter(|map| map.len() == 1)
            .and_then(|map| map.values().next())
        else {
            check.wrong(
                &format!("{pointer}/{index}"),
                "a case is a mapping with one key, its name",
            );
            continue;
        };
        if body.get("then").is_none() {
            check.wrong(&format!("{pointer}/{index}"), "a case needs `then`");
        }
        match body.get("when") {
            Some(condition) => always(check, condition, &format!("{pointer}/{index}")),
            None => defaults += 1,
        }
    }
    if defaults > 1 {
        check.wrong(pointer, "only one case can be without `when`");
    }
}

pub(super) fn timeout(check: &mut Check<'_>, timeout: &Value, pointer: &str) {
    check.named("timeouts", timeout, pointer);
    if let Some(after) = timeout.get("after") {
        duration(check, after, &format!("{pointer}/after"));
    }
}

fn duration(check: &mut Check<'_>, value: &Value, pointer: &str) {
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

fn always(check: &mut Check<'_>, field: &Value, pointer: &str) {
    match field {
        Value::String(text) => {
            compiles(check, strict_expression(text).unwrap_or(text), pointer, &[])
        }
        other => template(check, other, pointer),
    }
}

fn expression(check: &mut Check<'_>, field: &Value, pointer: &str, more: &[&str]) {
    if let Some(text) = field.as_str() {
        compiles(
            check,
            strict_expression(text).unwrap_or(text),
            pointer,
            more,
        );
    }
}

fn template(check: &mut Check<'_>, value: &Value, pointer: &str) {
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

/// One event filter.
pub(crate) fn filter(check: &mut Check<'_>, one: &Value, pointer: &str) {
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

fn in_filter(check: &mut Check<'_>, text: &str, pointer: &str) {
    if let Err(message) = crate::event::check(text) {
        check.wrong(pointer, format!("expression `{text}`: {message}; to compare with data of the run use `correlate` with `expect`"));
    }
}

/// A branch is one task: it cannot go on at another one.
fn no_jumps(check: &mut Check<'_>, branches: &Value, pointer: &str) {
    for (index, item) in branches.as_array().into_iter().flatten().enumerate() {
        let Some((name, task)) = item.as_object().and_then(|map| map.iter().next()) else {
            continue;
        };
        let then = task
            .get("then")
            .and_then(Value::as_str)
            .unwrap_or("continue");
        if !["continue", "exit", "end"].contains(&then) {
            let place = format!("{}/then", task_pointer(pointer, index, name));
            check.wrong(
                &place,
                format!("a branch cannot go on with `{then}`, which is another branch"),
            );
        }
    }
}

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

fn variable(check: &mut Check<'_>, name: Option<&Value>, pointer: &str) {
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
fn metadata(check: &mut Check<'_>, metadata: &Value, pointer: &str) {
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
