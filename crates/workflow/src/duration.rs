//! Durations of the DSL: an object of parts, or ISO 8601. Years and months are refused: they are not
//! of constant length.

use consort_model::Value;
use consort_model::time::Span;

const PARTS: [(&str, u64); 5] = [
    ("days", 86_400_000),
    ("hours", 3_600_000),
    ("minutes", 60_000),
    ("seconds", 1_000),
    ("milliseconds", 1),
];

/// Reads a duration.
pub(crate) fn read(value: &Value) -> Result<Span, String> {
    match value {
        Value::Object(parts) => {
            let mut millis: u64 = 0;
            for (name, amount) in parts {
                let (_, factor) = PARTS
                    .iter()
                    .find(|(part, _)| part == name)
                    .ok_or_else(|| format!("`{name}` is no part of a duration; parts are days, hours, minutes, seconds, milliseconds"))?;
                let amount = amount.as_u64().ok_or_else(|| format!("`{name}` must be a whole number"))?;
                millis = millis.saturating_add(amount.saturating_mul(*factor));
            }
            if parts.is_empty() { Err("a duration needs at least one part".into()) } else { Ok(Span::from_millis(millis)) }
        }
        Value::String(text) => iso(text).ok_or_else(|| {
            format!("`{text}` is not a duration of constant length; write for example `PT30S`, `P1DT2H` or {{seconds: 30}}")
        }),
        other => Err(format!("{other} is not a duration")),
    }
}

fn iso(text: &str) -> Option<Span> {
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let dated = sum(date, &[('W', 7.0 * 86_400e3), ('D', 86_400e3)])?;
    let timed = sum(time, &[('H', 3_600e3), ('M', 60e3), ('S', 1e3)])?;
    Some(Span::from_millis((dated + timed).round() as u64))
}

fn sum(text: &str, units: &[(char, f64)]) -> Option<f64> {
    let (mut total, mut rest, mut units) = (0.0, text, units.iter());
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = rest[end..].chars().next()?;
        total += number * units.find(|(name, _)| *name == unit)?.1;
        rest = &rest[end + 1..];
    }
    (total.is_finite() && total < 9e15).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_of_both_forms() {
        for (value, millis) in [
            (json!({"seconds": 1, "milliseconds": 500}), 1_500),
            (json!("PT30S"), 30_000),
            (json!("P1DT2H"), 93_600_000),
            (json!("P2W"), 1_209_600_000),
            (json!("PT0.5S"), 500),
        ] {
            assert_eq!(read(&value), Ok(Span::from_millis(millis)), "{value}");
        }
        for value in [
            json!("P1Y"),
            json!("P1M"),
            json!("PT"),
            json!("P"),
            json!("30s"),
            json!({}),
            json!({"years": 1}),
            json!(5),
            json!("PT1S1M"),
        ] {
            assert!(read(&value).is_err(), "{value}");
        }
    }
}
