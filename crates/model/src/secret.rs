//! Secrets by handle. A secret value never stands in a plan, a record, a log or a specification;
//! a *token* does: the handle between two private-use characters, inside ordinary text. Text that
//! holds tokens can be cut, joined and compared like any other, and the token turns into the value
//! only in the hands of the one who needs it. A rotation is a new version, so a visible change.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Value;

/// Opens a token. Text from outside that holds this character is refused at load.
pub const OPEN: char = '\u{E0C5}';
/// Closes a token.
pub const CLOSE: char = '\u{E0C6}';

/// Names one version of a secret value: `resources.db_password.value@3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretHandle {
    /// What the value is: usually an address and an attribute.
    pub name: String,
    /// Counts from 1; a rotation is the next one.
    pub version: u32,
}

impl SecretHandle {
    /// The token that stands for the value in text.
    pub fn token(&self) -> String {
        format!("{OPEN}{self}{CLOSE}")
    }
}

impl fmt::Display for SecretHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Why a text is not a handle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a secret handle of the form `name@version`")]
pub struct HandleError(pub String);

impl FromStr for SecretHandle {
    type Err = HandleError;
    fn from_str(text: &str) -> Result<Self, HandleError> {
        text.rsplit_once('@')
            .and_then(|(name, version)| Some((name, version.parse().ok()?)))
            .filter(|(name, version)| !name.is_empty() && *version > 0)
            .map(|(name, version)| Self {
                name: name.to_owned(),
                version,
            })
            .ok_or_else(|| HandleError(text.to_owned()))
    }
}

/// A piece of text: plain, or one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text as it is.
    Text(&'a str),
    /// The place of a secret value.
    Secret(SecretHandle),
}

/// Splits text at its tokens. What looks like a token and is none stays text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let inside = &rest[start + OPEN.len_utf8()..];
        let Some(length) = inside.find(CLOSE) else {
            break;
        };
        let after = &inside[length + CLOSE.len_utf8()..];
        if let Ok(handle) = inside[..length].parse() {
            if start > 0 {
                found.push(Piece::Text(&rest[..start]));
            }
            found.push(Piece::Secret(handle));
        } else {
            found.push(Piece::Text(&rest[..rest.len() - after.len()]));
        }
        rest = after;
    }
    if !rest.is_empty() || found.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

/// The handles in all strings of a value, in order, without doubles.
pub fn handles(value: &Value) -> Vec<SecretHandle> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<SecretHandle>) {
    match value {
        Value::String(text) if text.contains(OPEN) => {
            for piece in pieces(text) {
                if let Piece::Secret(handle) = piece
                    && !found.contains(&handle)
                {
                    found.push(handle);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(object) => object.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// The text with `(secret NAME@VERSION)` in the place of every token: for people.
pub fn masked(text: &str) -> String {
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Secret(handle) => format!("(secret {handle})"),
        })
        .collect()
}

/// The value with `resolve(handle)` in the place of every token.
///
/// # Errors
/// The first error of `resolve`.
pub fn reveal<E>(
    value: &Value,
    resolve: &mut dyn FnMut(&SecretHandle) -> Result<String, E>,
) -> Result<Value, E> {
    Ok(match value {
        Value::String(text) if text.contains(OPEN) => {
            let mut out = String::new();
            for piece in pieces(text) {
                match piece {
                    Piece::Text(text) => out.push_str(text),
                    Piece::Secret(handle) => out.push_str(&resolve(&handle)?),
                }
            }
            Value::String(out)
        }
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| reveal(item, resolve))
                .collect::<Result<_, E>>()?,
        ),
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, item)| Ok((key.clone(), reveal(item, resolve)?)))
                .collect::<Result<_, E>>()?,
        ),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn handle() -> SecretHandle {
        SecretHandle {
            name: "resources.db.value".into(),
            version: 2,
        }
    }

    #[test]
    fn a_token_is_found_masked_and_revealed_inside_text() {
        let text = format!("postgres://u:{}@db", handle().token());
        assert_eq!(
            masked(&text),
            "postgres://u:(secret resources.db.value@2)@db"
        );
        let value = json!({"a": [text]});
        assert_eq!(handles(&value), [handle()]);
        let shown: Result<_, ()> = reveal(&value, &mut |_| Ok("pw".into()));
        assert_eq!(shown, Ok(json!({"a": ["postgres://u:pw@db"]})));
    }

    #[test]
    fn what_is_no_token_stays_text() {
        for text in [
            "",
            "plain",
            "\u{E0C5}broken",
            "\u{E0C5}no version\u{E0C6}",
            "\u{E0C6}",
        ] {
            let joined: String = pieces(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.to_owned(),
                    Piece::Secret(_) => "?".into(),
                })
                .collect();
            assert_eq!(joined, text);
        }
    }
}
