//! What an expression refers to: a path from the roots that expressions may use.

use std::fmt;

use consort_model::Kind;

/// One step of a reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathPart {
    /// Into an object.
    Key(String),
    /// Into a list; negative numbers count from its end.
    Index(i64),
    /// Somewhere that is only known when the expression is evaluated.
    Dynamic,
}

/// What a reference begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Root {
    /// Nodes of a kind: `.inputs`, `.resources`, …
    Kind(Kind),
    /// `.each`: key and value of a `for_each` instance.
    Each,
    /// `.deployment`.
    Deployment,
}

/// The kinds that expressions may refer to, in the order of the docs.
pub const KINDS: &[Kind] = &[
    Kind::Input,
    Kind::Local,
    Kind::Data,
    Kind::Resource,
    Kind::Service,
    Kind::Workload,
    Kind::Workflow,
    Kind::Secret,
];

impl Root {
    /// The root of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "each" => Some(Self::Each),
            "deployment" => Some(Self::Deployment),
            word => Kind::from_word(word)
                .filter(|kind| KINDS.contains(kind))
                .map(Self::Kind),
        }
    }
    /// Every word that a reference may begin with.
    pub fn words() -> impl Iterator<Item = &'static str> {
        KINDS
            .iter()
            .map(|kind| kind.word())
            .chain(["each", "deployment"])
    }
}

impl fmt::Display for PathPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) if is_identifier(key) => write!(f, ".{key}"),
            Self::Key(key) => write!(f, "[{}]", serde_json::Value::String(key.clone())),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Dynamic => f.write_str("[…]"),
        }
    }
}

/// A path as it is written in an expression.
pub fn shown(path: &[PathPart]) -> String {
    if path.is_empty() {
        return ".".into();
    }
    let text: String = path.iter().map(PathPart::to_string).collect();
    if text.starts_with('.') {
        text
    } else {
        format!(".{text}")
    }
}

fn is_identifier(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reads an expression that is nothing but a path, such as `.resources.orders["eu"].id`: by far the
/// most common ones, which need no interpreter. `None` for every other expression; what is read here
/// means the same in jq.
pub fn plain_path(text: &str) -> Option<Vec<PathPart>> {
    let mut rest = text.trim();
    let mut path = Vec::new();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[').or_else(|| rest.strip_prefix(".[")) {
            if path.is_empty() && !rest.starts_with('.') {
                return None;
            }
            let (part, left) = bracket(inside)?;
            path.push(part);
            rest = left;
        } else {
            let word = rest.strip_prefix('.')?;
            let end = word
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(word.len());
            if !is_identifier(&word[..end]) {
                return None;
            }
            path.push(PathPart::Key(word[..end].to_owned()));
            rest = &word[end..];
        }
    }
    (!path.is_empty()).then_some(path)
}

fn bracket(inside: &str) -> Option<(PathPart, &str)> {
    let end = inside.find(']')?;
    let number = &inside[..end];
    if !number.is_empty() && number.len() < 10 && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((PathPart::Index(number.parse().ok()?), &inside[end + 1..]));
    }
    let text = inside.strip_prefix('"')?;
    let end = text.find('"')?;
    let key = &text[..end];
    // Escapes and jq's string interpolation are left to the interpreter.
    if key.contains('\\') || key.chars().any(char::is_control) {
        return None;
    }
    let rest = text[end + 1..].strip_prefix(']')?;
    Some((PathPart::Key(key.to_owned()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_are_read_and_all_else_is_left_alone() {
        for text in [
            ".a",
            " .resources.orders[\"eu\"].id ",
            ".a[0].b",
            ".[\"x y\"].z",
            ".a.[\"b\"]",
        ] {
            assert!(plain_path(text).is_some(), "{text}");
        }
        for text in [
            ".",
            "..",
            ".a | .b",
            ".a.",
            "[0]",
            ".a[1:2]",
            ".a[]",
            ".a?",
            ".a[\"\\(.b)\"]",
            ".1",
            ".a[-1]",
            ".a + 1",
            "",
            ".a[.b]",
            "a",
            ".a b",
        ] {
            assert_eq!(plain_path(text), None, "{text}");
        }
        assert_eq!(
            plain_path(".a[\"b c\"][2]")
                .map(|path| shown(&path))
                .as_deref(),
            Some(".a[\"b c\"][2]")
        );
    }

    #[test]
    fn every_root_has_a_word() {
        assert!(Root::words().all(|word| Root::from_word(word).is_some()));
        assert_eq!(Root::from_word("volumes"), None);
    }
}
