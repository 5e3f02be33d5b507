//! The typed check of inputs: what was given, against what the blueprint declares.

use std::collections::BTreeMap;

use consort_model::blueprint::{Blueprint, InputDecl, InputType};
use consort_model::secret::{CLOSE, OPEN};
use consort_model::text::nearest;
use consort_model::{Code, Problem, Value};

/// The canonical JSON of one input may be this long, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Values nest at most this deep.
const MAX_DEPTH: usize = 64;

/// The value of every declared input: given, or its default. Text is turned into the declared type
/// where it reads as one, since the command line and the environment hold text only.
///
/// # Errors
/// All that is wrong, at once: missing, unknown, of the wrong type, not one of `enum`.
pub fn check(
    blueprint: &Blueprint,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Vec<Problem>> {
    let mut problems: Vec<Problem> = given
        .keys()
        .filter(|name| !blueprint.inputs.contains_key(*name))
        .map(|name| unknown(blueprint, name))
        .collect();
    let mut values = BTreeMap::new();
    for (name, declared) in &blueprint.inputs {
        match value(name, declared, given.get(name)) {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(problem) => problems.push(Problem {
                place: Some(declared.place.clone()),
                ..problem.at(format!("inputs.{name}"))
            }),
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

fn unknown(blueprint: &Blueprint, name: &str) -> Problem {
    let problem = Problem::new(
        Code::INPUT_INVALID,
        format!("the blueprint declares no input `{name}`"),
    );
    match nearest(name, blueprint.inputs.keys().map(String::as_str)) {
        Some(near) => problem.remedy(format!("Did you mean `{near}`?")),
        None if blueprint.inputs.is_empty() => problem.remedy("It declares no inputs at all."),
        None => problem.remedy(format!(
            "It declares {}.",
            list(blueprint.inputs.keys().map(String::as_str))
        )),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn value(name: &str, declared: &InputDecl, given: Option<&Value>) -> Result<Value, Problem> {
    let Some(given) = given.or(declared.default.as_ref()) else {
        let variable = name.to_uppercase().replace('-', "_");
        return Err(
            Problem::new(Code::INPUT_INVALID, format!("input `{name}` has no value")).remedy(
                format!("Give it with `--input {name}=VALUE`, `--inputs FILE` or `CONSORT_INPUT_{variable}`."),
            ),
        );
    };
    let value = converted(declared.kind, given).ok_or_else(|| {
        Problem::new(
            Code::INPUT_INVALID,
            format!(
                "input `{name}` must be {}, and is {}",
                article(declared.kind),
                described(given, declared.sensitive)
            ),
        )
        .remedy(format!("Give {}.", article(declared.kind)))
    })?;
    bounded(name, &value)?;
    if declared.allowed.is_empty() || declared.allowed.contains(&value) {
        return Ok(value);
    }
    let allowed: Vec<String> = declared.allowed.iter().map(Value::to_string).collect();
    Err(Problem::new(
        Code::INPUT_INVALID,
        format!(
            "input `{name}` is {}, which is not allowed",
            described(&value, declared.sensitive)
        ),
    )
    .remedy(format!("Give one of {}.", allowed.join(", "))))
}

fn bounded(name: &str, value: &Value) -> Result<(), Problem> {
    let refuse =
        |message: &str| Problem::new(Code::INPUT_INVALID, format!("input `{name}` {message}"));
    if depth(value) > MAX_DEPTH {
        return Err(
            refuse("is nested too deeply").remedy(format!("Nest at most {MAX_DEPTH} levels."))
        );
    }
    let text = value.to_string();
    if text.len() > MAX_BYTES {
        return Err(refuse("is too large").remedy(
            "Put it into a file and read it with `file(\"…\")`: an input may have 1 MiB.",
        ));
    }
    if text.contains([OPEN, CLOSE])
        || text.contains("\"$unknown\"")
        || text.contains("\"$deferred\"")
    {
        return Err(refuse("holds text that is reserved for secrets and unknown values")
            .remedy("Take out the characters U+E0C5 and U+E0C6 and the keys `$unknown` and `$deferred`."));
    }
    Ok(())
}

/// How deep a value nests, without recursion, so that a deep one does no harm here.
fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        deepest = deepest.max(depth);
        if depth > MAX_DEPTH {
            break;
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(object) => open.extend(object.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    deepest
}

fn converted(kind: InputType, given: &Value) -> Option<Value> {
    let text = given.as_str();
    let parsed = || text.and_then(|text| serde_json::from_str::<Value>(text.trim()).ok());
    let read = |fits: fn(&Value) -> bool| match fits(given) {
        true => Some(given.clone()),
        false => parsed().filter(fits),
    };
    match kind {
        InputType::String => match given {
            Value::String(_) => Some(given.clone()),
            Value::Number(number) => Some(Value::String(number.to_string())),
            Value::Bool(truth) => Some(Value::String(truth.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        },
        InputType::Number => read(Value::is_number),
        InputType::Integer => read(is_integer).map(as_integer),
        InputType::Boolean => read(Value::is_boolean),
        InputType::Array => read(Value::is_array),
        InputType::Object => read(Value::is_object),
    }
}

fn is_integer(value: &Value) -> bool {
    value.is_i64()
        || value.is_u64()
        || value
            .as_f64()
            .is_some_and(|number| number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0)
}

fn as_integer(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if value.is_f64() => Value::from(number as i64),
        _ => value,
    }
}

const fn article(kind: InputType) -> &'static str {
    match kind {
        InputType::String => "text",
        InputType::Number => "a number",
        InputType::Integer => "a whole number",
        InputType::Boolean => "true or false",
        InputType::Array => "a list",
        InputType::Object => "a mapping",
    }
}

fn described(value: &Value, sensitive: bool) -> String {
    let kind = match value {
        Value::Null => return "null".into(),
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => return "a list".into(),
        Value::Object(_) => return "a mapping".into(),
    };
    let text = value.to_string();
    if sensitive || text.chars().count() > 60 {
        kind.into()
    } else {
        format!("`{text}`")
    }
}
