//! Checks documents: shapes, names, targets of jumps, expressions; and refuses by its name what is
//! not there yet.

mod expressions;
mod filters;
mod parts;
mod tasks;

pub(crate) use tasks::kind;

use consort_model::Value;

use crate::definition::Mistake;

/// Documents may be nested so deeply.
const DEPTH: usize = 100;

fn deeper(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| deeper(item, left - 1)),
        Value::Object(object) => left == 0 || object.values().any(|item| deeper(item, left - 1)),
        _ => false,
    }
}

/// What is checked, and what was found.
pub(super) struct Check<'a> {
    document: &'a Value,
    found: Vec<Mistake>,
}

impl Check<'_> {
    pub(super) fn wrong(&mut self, pointer: &str, message: impl Into<String>) {
        self.found.push(Mistake {
            pointer: pointer.to_owned(),
            message: message.into(),
            lint: false,
        });
    }
    pub(super) fn lint(&mut self, pointer: &str, message: impl Into<String>) {
        self.found.push(Mistake {
            pointer: pointer.to_owned(),
            message: message.into(),
            lint: true,
        });
    }
    pub(super) fn missing(&mut self, pointer: &str, what: &str) {
        self.wrong(pointer, format!("{what} is not there yet"));
    }
    /// A name of an entry of `use`, or the thing itself.
    pub(super) fn named(&mut self, kind: &str, value: &Value, pointer: &str) {
        if let Value::String(name) = value
            && self
                .document
                .get("use")
                .and_then(|uses| uses.get(kind))
                .and_then(|entries| entries.get(name))
                .is_none()
        {
            self.wrong(pointer, format!("there is no `{name}` in `use.{kind}`"));
        }
    }
}

/// Everything that is wrong with a document, or should be looked at.
pub(super) fn check(document: &Value) -> Vec<Mistake> {
    let mut check = Check {
        document,
        found: Vec::new(),
    };
    let Some(root) = document.as_object() else {
        check.wrong("", "a workflow is a mapping with `do`");
        return check.found;
    };
    if deeper(document, DEPTH) {
        check.wrong("", format!("the document is nested more than {DEPTH} deep"));
        return check.found;
    }
    const KNOWN: &[&str] = &[
        "document", "do", "input", "output", "use", "timeout", "schedule", "evaluate",
    ];
    for key in root
        .keys()
        .filter(|key| !key.starts_with("x-") && !KNOWN.contains(&key.as_str()))
    {
        check.lint(
            &format!("/{key}"),
            format!("`{key}` means nothing at the root of a workflow"),
        );
    }
    identity(&mut check, root.get("document").unwrap_or(&Value::Null));
    if document
        .pointer("/evaluate/language")
        .is_some_and(|language| language != "jq")
    {
        check.missing("/evaluate/language", "another language than jq");
    }
    if document
        .pointer("/evaluate/mode")
        .is_some_and(|mode| mode == "loose")
    {
        check.missing("/evaluate/mode", "loose mode");
    }
    for (key, what) in [
        ("extensions", "`use.extensions`"),
        ("catalogs", "`use.catalogs`"),
        ("functions", "`use.functions`"),
    ] {
        if document.pointer(&format!("/use/{key}")).is_some() {
            check.missing(&format!("/use/{key}"), what);
        }
    }
    for (kind, look) in LOOKS {
        for (name, entry) in document
            .pointer(&format!("/use/{kind}"))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            look(
                &mut check,
                entry,
                &format!("/use/{kind}/{}", name.replace('~', "~0").replace('/', "~1")),
            );
        }
    }
    if let Some(timeout) = root.get("timeout") {
        tasks::timeout(&mut check, timeout, "/timeout");
    }
    for part in ["input", "output"] {
        if let Some(schema) = document.pointer(&format!("/{part}/schema")) {
            parts::schema(&mut check, schema, &format!("/{part}/schema"));
        }
    }
    schedule(&mut check, root.get("schedule").unwrap_or(&Value::Null));
    match root.get("do") {
        Some(list) => tasks::list(&mut check, list, "/do"),
        None => check.wrong("", "`do` is missing"),
    }
    check.found
}

/// How the entries of `use` are checked.
type Look = fn(&mut Check<'_>, &Value, &str);
const LOOKS: [(&str, Look); 3] = [
    ("errors", tasks::raise),
    ("timeouts", tasks::timeout),
    ("retries", |check, policy, pointer| {
        tasks::retry(check, policy, pointer, "error")
    }),
];

fn schedule(check: &mut Check<'_>, schedule: &Value) {
    if let Some(one) = schedule.pointer("/on/one") {
        filters::filter(check, one, "/schedule/on/one");
    }
    for (index, one) in schedule
        .pointer("/on/any")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        filters::filter(check, one, &format!("/schedule/on/any/{index}"));
    }
    if let Some(read) = schedule.get("read")
        && !["data", "envelope", "raw"]
            .iter()
            .any(|known| read == known)
    {
        check.wrong("/schedule/read", "`read` is one of data, envelope, raw");
    }
}

fn identity(check: &mut Check<'_>, identity: &Value) {
    for key in ["dsl", "namespace", "name", "version"] {
        match identity.get(key) {
            Some(Value::String(_)) => {}
            Some(other) => check.wrong(
                &format!("/document/{key}"),
                format!("`{key}` must be text; write \"{other}\" in quotes"),
            ),
            None => check.wrong("/document", format!("`{key}` is missing")),
        }
    }
    if let Some(dsl) = identity.get("dsl").and_then(Value::as_str)
        && !dsl.starts_with("1.0.")
    {
        check.wrong(
            "/document/dsl",
            format!("version {dsl} of the DSL is not known; versions 1.0.x are"),
        );
    }
    for key in ["namespace", "name"] {
        if let Some(name) = identity.get(key).and_then(Value::as_str)
            && (name.is_empty()
                || name.len() > 63
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
        {
            check.wrong(
                &format!("/document/{key}"),
                format!("`{name}` must be 1 to 63 letters, digits and `-`"),
            );
        }
    }
}
