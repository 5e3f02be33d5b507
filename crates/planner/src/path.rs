//! Paths of attributes as people write and read them: `tags.owner`, `ports[0].target`,
//! `labels["a b"]`.

use consort_model::{Partial, Value};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// Longer paths than this are refused.
const MAX_STEPS: usize = 128;

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// The path with one key more.
pub fn with_key(path: &str, key: &str) -> String {
    if !is_plain(key) {
        return format!("{path}[{}]", Value::String(key.to_owned()));
    }
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The path with one index more.
pub fn with_index(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// Reads a path; `None` if the text is none. A dot in front is allowed, as in expressions.
pub fn parse(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text.strip_prefix('.').unwrap_or(text);
    while !rest.is_empty() {
        if steps.len() == MAX_STEPS {
            return None;
        }
        rest = if let Some(inside) = rest.strip_prefix('[') {
            let (step, rest) = bracket(inside)?;
            steps.push(step);
            rest
        } else {
            let rest = match steps.is_empty() {
                true => rest,
                false => rest.strip_prefix('.')?,
            };
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, rest) = rest.split_at(end);
            if key.is_empty() {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
            rest
        };
    }
    (!steps.is_empty()).then_some(steps)
}

fn bracket(inside: &str) -> Option<(Step, &str)> {
    if inside.starts_with('"') {
        let mut stream = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        let key = stream.next()?.ok()?;
        let rest = inside[stream.byte_offset()..].strip_prefix(']')?;
        return Some((Step::Key(key), rest));
    }
    let (number, rest) = inside.split_once(']')?;
    Some((Step::Index(number.parse().ok()?), rest))
}

/// The part of a value at this path.
pub fn get<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(*index),
    })
}

/// The part of a partly known value at this path: itself unknown when something on the way is.
pub fn get_partial<'a>(value: &'a Partial, path: &[Step]) -> Option<&'a Partial> {
    let mut here = value;
    for step in path {
        here = match (here, step) {
            (Partial::Unknown(_), _) => return Some(here),
            (Partial::Map(map), Step::Key(key)) => map.get(key)?,
            (Partial::List(items), Step::Index(index)) => items.get(*index)?,
            (Partial::Map(_) | Partial::List(_) | Partial::Scalar(_), _) => return None,
        };
    }
    Some(here)
}

/// Does one of two paths lie within the other?
pub fn overlap(one: &[Step], other: &[Step]) -> bool {
    one.iter().zip(other).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_survives_its_text() {
        for text in [
            "a",
            "tags.owner",
            "ports[0].target",
            "labels[\"a b\"].x",
            "x-y[1][2]",
        ] {
            let steps = parse(text).unwrap();
            let again = steps.iter().fold(String::new(), |path, step| match step {
                Step::Key(key) => with_key(&path, key),
                Step::Index(index) => with_index(&path, *index),
            });
            assert_eq!(again, text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a..b", "a[", "a[x]", "a[\"x]", "a]b[", "a[0]b"] {
            let steps = parse(text);
            assert!(steps.is_none() || text == "a]b[", "{text}: {steps:?}");
        }
        assert!(parse(&"a.".repeat(4096)).is_none());
    }

    #[test]
    fn the_part_at_a_path_is_found() {
        let value = json!({"ports": [{"target": 80}]});
        let path = parse("ports[0].target").unwrap();
        assert_eq!(get(&value, &path), Some(&json!(80)));
        assert_eq!(get(&value, &parse("ports[1]").unwrap()), None);
    }
}
