//! Values as the file keeps them, within limits: what is written can be read back.

use consort_journal::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::corrupt;

/// Deeper JSON is refused: readers of JSON stop at 128 levels.
pub(crate) const MAX_DEPTH: usize = 100;
/// Larger records are refused: large values belong into blobs.
pub(crate) const MAX_RECORD: usize = 1 << 20;
/// Larger values of any other kind are refused.
pub(crate) const MAX_TEXT: usize = 64 << 20;
/// Longer names (keys, scopes, principals, sources) are refused.
pub(crate) const MAX_NAME: usize = 4096;

fn refuse<T>(problem: String) -> Result<T, StoreError> {
    Err(StoreError::Encoding { problem })
}

/// A value as compact JSON.
pub(crate) fn text<T: Serialize>(what: &str, value: &T, most: usize) -> Result<String, StoreError> {
    let text = match serde_json::to_string(value) {
        Ok(text) => text,
        Err(error) => return refuse(format!("{what}: {error}")),
    };
    if text.len() > most {
        let length = text.len();
        return refuse(format!(
            "{what} has {length} bytes, the limit is {most}; put large values into blobs"
        ));
    }
    if depth(&text) > MAX_DEPTH {
        return refuse(format!("{what} is nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(text)
}

/// How deep arrays and objects are nested in a text that is valid JSON.
fn depth(text: &str) -> usize {
    let (mut now, mut most, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Reads back what [`text`] wrote.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(format!("{what} cannot be read: {error}")))
}

/// A name within its limit.
pub(crate) fn name<'a>(what: &str, name: &'a str) -> Result<&'a str, StoreError> {
    match name.len() {
        0..=MAX_NAME => Ok(name),
        length => refuse(format!(
            "{what} has {length} bytes, the limit is {MAX_NAME}"
        )),
    }
}

/// A count as SQLite keeps it.
pub(crate) fn int(what: &str, number: u64) -> Result<i64, StoreError> {
    match i64::try_from(number) {
        Ok(number) => Ok(number),
        Err(_) => refuse(format!("{what} is {number}, which is too large")),
    }
}

/// A count as SQLite kept it.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A sum over the parts of a row: the first 64 bits of BLAKE3, each part with its length before it.
/// SQLite does not notice a bit that has turned in an old page; this does.
pub(crate) fn sum(parts: &[&[u8]]) -> i64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher
            .update(&(part.len() as u64).to_le_bytes())
            .update(part);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    i64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn brackets_in_strings_are_not_depth() {
        assert_eq!(
            depth(&json!({"[[[\"{\\": ["]]]", {"a": 1}]}).to_string()),
            3
        );
    }

    #[test]
    fn a_value_over_a_limit_is_refused() {
        let deep = (0..=MAX_DEPTH).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(text("it", &deep, MAX_TEXT).is_err());
        assert!(text("it", &"x".repeat(20), 20).is_err());
        assert!(name("it", &"x".repeat(MAX_NAME + 1)).is_err());
        assert!(int("it", u64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn text_is_read_back(words in prop::collection::vec(".*", 0..4)) {
            let value = json!({"words": words});
            let text = text("it", &value, MAX_TEXT).unwrap();
            prop_assert_eq!(parse::<Value>("it", &text).unwrap(), value);
        }

        #[test]
        fn a_sum_tells_parts_apart(a in ".{0,8}", b in ".{1,8}") {
            let joined = format!("{a}{b}");
            let one = sum(&[joined.as_bytes()]);
            prop_assert_ne!(one, sum(&[a.as_bytes(), b.as_bytes()]));
            prop_assert_ne!(sum(&[joined.as_bytes(), b""]), one);
        }
    }
}
