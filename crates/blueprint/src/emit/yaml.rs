//! JSON values as YAML in block style. What it prints reads back as the same value, by YAML 1.1 and 1.2.

use std::fmt::Write as _;

use consort_model::Value as Json;

/// The value as a YAML document.
pub fn yaml(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::Object(object) if !object.is_empty() => mapping(&mut out, object, 0),
        Json::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        other => {
            scalar(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, level: usize) {
    out.extend(std::iter::repeat_n("  ", level));
}

fn mapping(out: &mut String, object: &consort_model::Object, level: usize) {
    for (index, (key, value)) in object.iter().enumerate() {
        // The first key of a mapping in a list stands behind its dash.
        if index > 0 || out.is_empty() || out.ends_with('\n') {
            indent(out, level);
        }
        text(out, key);
        out.push(':');
        match value {
            Json::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(out, inner, level + 1);
            }
            Json::Array(items) if !items.is_empty() => {
                out.push('\n');
                sequence(out, items, level + 1);
            }
            other => {
                out.push(' ');
                scalar(out, other, level);
                out.push('\n');
            }
        }
    }
}

fn sequence(out: &mut String, items: &[Json], level: usize) {
    for item in items {
        indent(out, level);
        out.push_str("- ");
        match item {
            Json::Object(inner) if !inner.is_empty() => mapping(out, inner, level + 1),
            Json::Array(inner) if !inner.is_empty() => {
                out.pop();
                out.push('\n');
                sequence(out, inner, level + 1);
            }
            other => {
                scalar(out, other, level);
                out.push('\n');
            }
        }
    }
}

fn scalar(out: &mut String, value: &Json, level: usize) {
    match value {
        Json::String(string) => match block(string) {
            Some(header) => {
                out.push_str(header);
                for line in string.strip_suffix('\n').unwrap_or(string).split('\n') {
                    out.push('\n');
                    if !line.is_empty() {
                        indent(out, level + 1);
                        out.push_str(line);
                    }
                }
            }
            None => text(out, string),
        },
        Json::Array(_) => out.push_str("[]"),
        Json::Object(_) => out.push_str("{}"),
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// The header of a literal block, where the text is lines that such a block can hold.
fn block(text: &str) -> Option<&'static str> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let plain_lines = body.split('\n').all(|line| {
        !line.ends_with([' ', '\t'])
            && line.chars().all(|c| {
                !c.is_control() && !matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}')
            })
    });
    let fits = body.contains('\n')
        && !body.starts_with([' ', '\n', '\t'])
        && !body.ends_with('\n')
        && plain_lines;
    fits.then_some(if text.ends_with('\n') { "|" } else { "|-" })
}

fn text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        // A JSON string is a double-quoted YAML scalar.
        let _ = write!(out, "{}", Json::String(text.to_owned()));
    }
}

/// Words that some reader of YAML takes for something else than text.
const WORDS: [&str; 14] = [
    "null", "true", "false", "yes", "no", "on", "off", "y", "n", "~", ".nan", ".inf", "-.inf",
    "+.inf",
];

fn is_plain(text: &str) -> bool {
    let starts =
        text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/' | '.'));
    starts
        && text.chars().all(|c| {
            c.is_alphanumeric()
                || matches!(c, '_' | '-' | '.' | '/' | ' ' | '+' | '@' | '=' | ':' | ',')
        })
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && !text.starts_with("...")
        && !(text.starts_with('.') && text.len() > 1 && text.as_bytes()[1].is_ascii_digit())
        && text != "="
        && text.chars().all(|c| c.is_ascii() || c.is_alphabetic())
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_read_back_as_they_were() {
        let value = json!({
            "a": {"b": [1, 2.5, null, true, {"c": "x", "d": ["y", ["z"]]}], "empty": {}, "none": []},
            "words": ["yes", "null", "1.5", "0x1f", "", " x", "a: b", "#c", "x #y", "- a", "2001-01-01", ".5", ".inf", "~", "a\tb", "ü", "1_000", "key:"],
            "block": "one\ntwo\n\nthree\n", "strip": "one\n  two", "odd": "one \ntwo", "lead": " one\ntwo", "many": "a\n\n", "on": "off",
            "expression": "${ .inputs.a }", "dollars": "$$x", "url": "http://x:80/a?b",
        });
        let text = yaml(&value);
        let back =
            crate::yaml::parse_one(&text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        assert_eq!(back.to_json(), value, "{text}");
    }
}
