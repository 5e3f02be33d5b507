//! Checks of tasks.

use consort_model::{Value, text};

use super::Check;
use super::expressions::{always, duration, expression, template};
use super::filters::filter;
use super::parts::{self, variable};
use crate::definition::task_pointer;

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
            parts::schema(check, schema, &format!("{pointer}/{part}/schema"));
        }
    }
    if let Some(metadata) = object.get("metadata") {
        parts::metadata(check, metadata, &format!("{pointer}/metadata"));
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
        "for" => repeat(check, task, pointer),
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
        "raise" => raise(
            check,
            task.pointer("/raise/error").unwrap_or(&Value::Null),
            &format!("{place}/error"),
        ),
        "wait" => duration(check, &task["wait"], &place),
        "emit" => match task.pointer("/emit/event/with") {
            Some(with) if with.get("type").is_some() => {
                template(check, with, &format!("{place}/event/with"))
            }
            _ => check.wrong(&place, "`event.with` with a `type` is missing"),
        },
        "listen" => listen(check, task, pointer),
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

fn repeat(check: &mut Check<'_>, task: &Value, pointer: &str) {
    match task.pointer("/for/in") {
        Some(items) => always(check, items, &format!("{pointer}/for/in")),
        None => check.wrong(&format!("{pointer}/for"), "`in` is missing"),
    }
    for key in ["each", "at"] {
        variable(
            check,
            task.pointer(&format!("/for/{key}")),
            &format!("{pointer}/for/{key}"),
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

/// An error that is raised: one of `use.errors`, or the thing itself.
pub(super) fn raise(check: &mut Check<'_>, error: &Value, pointer: &str) {
    check.named("errors", error, pointer);
    if error.is_null() {
        check.wrong(pointer, "`error` is missing");
    } else if error.is_object() && (error.get("type").is_none() || error.get("status").is_none()) {
        check.wrong(pointer, "an error needs `type` and `status`");
    }
    if error.is_object() {
        template(check, error, pointer);
    }
}

fn listen(check: &mut Check<'_>, task: &Value, pointer: &str) {
    if task.get("foreach").is_some() {
        check.missing(&format!("{pointer}/foreach"), "`foreach` of a listen task");
    }
    let to = task.pointer("/listen/to").unwrap_or(&Value::Null);
    let place = format!("{pointer}/listen/to");
    for other in ["all", "any"]
        .into_iter()
        .filter(|other| to.get(other).is_some())
    {
        check.missing(
            &format!("{place}/{other}"),
            &format!("listening to `{other}`"),
        );
    }
    match to.get("one") {
        Some(one) if one.get("with").is_some_and(Value::is_object) => {
            filter(check, one, &format!("{place}/one"))
        }
        None if ["all", "any"].iter().any(|other| to.get(other).is_some()) => {}
        _ => check.wrong(&format!("{pointer}/listen"), "`to.one.with` is missing"),
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
    variable(check, catch.get("as"), &format!("{place}/as"));
    let variable = catch.get("as").and_then(Value::as_str).unwrap_or("error");
    if let Some(retry) = catch.get("retry") {
        check.named("retries", retry, &format!("{place}/retry"));
        self::retry(check, retry, &format!("{place}/retry"), variable);
    }
    if let Some(tasks) = catch.get("do") {
        list(check, tasks, &format!("{place}/do"));
    }
    for key in ["when", "exceptWhen"] {
        if let Some(condition) = catch.get(key) {
            expression(check, condition, &format!("{place}/{key}"), &[variable]);
        }
    }
}

/// A policy of retries; the name of one has nothing to look at.
pub(super) fn retry(check: &mut Check<'_>, policy: &Value, pointer: &str, error: &str) {
    for part in [
        "delay",
        "jitter/from",
        "jitter/to",
        "limit/duration",
        "limit/attempt/duration",
    ] {
        if let Some(span) = policy.pointer(&format!("/{part}")) {
            duration(check, span, &format!("{pointer}/{part}"));
        }
    }
    for key in ["when", "exceptWhen"] {
        if let Some(condition) = policy.get(key) {
            expression(check, condition, &format!("{pointer}/{key}"), &[error]);
        }
    }
    if policy
        .pointer("/limit/attempt/count")
        .is_some_and(|count| count.as_u64().is_none())
    {
        check.wrong(
            &format!("{pointer}/limit/attempt/count"),
            "`count` must be a whole number",
        );
    }
    let kinds = ["constant", "linear", "exponential"];
    if let Some(backoff) = policy.get("backoff")
        && kinds
            .iter()
            .filter(|kind| backoff.get(kind).is_some())
            .count()
            != 1
    {
        check.wrong(
            &format!("{pointer}/backoff"),
            "`backoff` is one of constant, linear, exponential, as in `backoff: {linear: {}}`",
        );
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
