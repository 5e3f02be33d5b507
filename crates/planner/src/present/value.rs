//! Values on one line: secrets masked, control characters shown, long ones cut.

use consort_model::secret::masked;
use consort_model::text::printable;
use consort_model::{Partial, Value};

/// A value on one line of at most `width` characters.
pub(super) fn partial(value: &Partial, sensitive: bool, width: usize) -> String {
    match value {
        Partial::Unknown(why) => why.to_string(),
        _ if sensitive && *value != Partial::NULL && !is_masked_anyway(value) => "(secret)".into(),
        value => cut(&text(value), width),
    }
}

/// The same for a value that is known.
pub(super) fn known(value: &Value, sensitive: bool, width: usize) -> String {
    partial(&Partial::from(value.clone()), sensitive, width)
}

/// A token says which secret it is, and nothing else.
fn is_masked_anyway(value: &Partial) -> bool {
    crate::diff::partial_holds_token(value)
}

fn text(value: &Partial) -> String {
    match value {
        Partial::Unknown(why) => why.to_string(),
        Partial::Scalar(Value::String(text)) => quoted(text),
        Partial::Scalar(scalar) => scalar.to_string(),
        Partial::List(items) => format!(
            "[{}]",
            items.iter().map(text).collect::<Vec<_>>().join(", ")
        ),
        Partial::Map(map) => {
            let parts: Vec<String> = map
                .iter()
                .map(|(key, part)| format!("{}: {}", printable(key, false), text(part)))
                .collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let masked = masked(text);
    let shown = printable(&masked, false);
    if shown == masked && !shown.contains('"') {
        format!("\"{shown}\"")
    } else {
        printable(&Value::String(masked).to_string(), false)
    }
}

pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width.max(12) {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.max(12) - 1).collect();
    format!("{kept}…")
}
