//! What a scalar is: go-yaml's rules, which decide what Compose files mean, and YAML 1.2's core rules,
//! which workflow definitions use.

use super::events::Tag;
use crate::node::Value;

/// A plain scalar by the rules of go-yaml v3: YAML 1.1 octal and underscores, YAML 1.2 booleans.
pub(super) fn compose(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let first = text.as_bytes().first().copied().unwrap_or(0);
    if first == b'.' {
        return if is_float(text) {
            parse_float(text)
        } else {
            Value::String(text.to_owned())
        };
    }
    if !(first.is_ascii_digit() || first == b'+' || first == b'-') {
        return Value::String(text.to_owned());
    }
    if is_timestamp(text) {
        return Value::Timestamp(text.to_owned());
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(value) = go_integer(&plain) {
        return Value::Int(value);
    }
    if is_float(&plain) {
        return parse_float(&plain);
    }
    Value::String(text.to_owned())
}

/// A plain scalar by the core schema of YAML 1.2.
pub(super) fn core(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        _ => core_number(text).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

fn core_number(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix("0o") {
        return in_range(i128::from_str_radix(unsigned(digits)?, 8).ok()?).map(Value::Int);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return in_range(i128::from_str_radix(unsigned(digits)?, 16).ok()?).map(Value::Int);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(
            text.parse()
                .ok()
                .and_then(in_range)
                .map_or_else(|| parse_float(text), Value::Int),
        );
    }
    is_float(text).then(|| parse_float(text))
}

/// A scalar with an explicit core tag; `None` when text and tag do not fit.
pub(super) fn tagged(text: &str, plain: bool, tag: &Tag) -> Option<Value> {
    let Tag::Core(name) = tag else {
        // go-yaml takes scalars with tags that it does not know as text.
        return Some(Value::String(text.to_owned()));
    };
    let resolved = compose(text);
    match (name.as_str(), resolved) {
        ("str" | "binary", _) => Some(Value::String(text.to_owned())),
        ("null", value @ Value::Null)
        | ("bool", value @ Value::Bool(_))
        | ("int", value @ Value::Int(_))
        | ("float", value @ Value::Float(_))
        | ("timestamp", value @ Value::Timestamp(_)) => Some(value),
        ("float", Value::Int(value)) => Some(Value::Float(value as f64)),
        ("merge", _) if plain => Some(Value::String(text.to_owned())),
        _ => None,
    }
}

fn unsigned(digits: &str) -> Option<&str> {
    (!digits.is_empty() && !digits.starts_with(['+', '-'])).then_some(digits)
}

/// Whole numbers of 64 bits, with or without sign; larger ones are floats.
fn in_range(value: i128) -> Option<i128> {
    (i128::from(i64::MIN)..=i128::from(u64::MAX))
        .contains(&value)
        .then_some(value)
}

/// Go's `ParseInt(text, 0, 64)`: prefixes 0x, 0o, 0b, and 0 for octal.
fn go_integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.get(..2).unwrap_or("").to_ascii_lowercase();
    let (radix, digits) = match lower.as_str() {
        "0x" => (16, &digits[2..]),
        "0o" => (8, &digits[2..]),
        "0b" => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    let value = i128::from_str_radix(unsigned(digits)?, radix).ok()?;
    in_range(if negative { -value } else { value })
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let whole = digits(rest);
    rest = &rest[whole..];
    if let Some(tail) = rest.strip_prefix('.') {
        let part = digits(tail);
        if whole == 0 && part == 0 {
            return false;
        }
        rest = &tail[part..];
    } else if whole == 0 {
        return false;
    }
    if let Some(tail) = rest.strip_prefix(['e', 'E']) {
        let tail = tail.strip_prefix(['+', '-']).unwrap_or(tail);
        let exponent = digits(tail);
        return exponent > 0 && tail.len() == exponent;
    }
    rest.is_empty()
}

fn parse_float(text: &str) -> Value {
    match text.parse::<f64>() {
        // Go refuses numbers that do not fit, and go-yaml then takes them as text.
        Ok(value) if value.is_finite() => Value::Float(value),
        _ => Value::String(text.to_owned()),
    }
}

/// The forms of go-yaml: `2024-1-2`, with `T`, `t` or space a time, and a zone after `T`.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let split = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, time) = text.split_at(split);
    is_date(date) && (time.is_empty() || is_time(&time[1..], !time.starts_with(' ')))
}

fn is_date(date: &str) -> bool {
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (small(year, 4), small(month, 2), small(day, 2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_time(time: &str, zone_needed: bool) -> bool {
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let zone_fits = match zone {
        "" => !zone_needed,
        "Z" => zone_needed,
        other => {
            zone_needed
                && other[1..].split_once(':').is_some_and(|(h, m)| {
                    small(h, 2).is_some_and(|h| h < 24) && small(m, 2).is_some_and(|m| m < 60)
                })
        }
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else {
        return false;
    };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    zone_fits
        && small(hour, 2).is_some_and(|value| value < 24)
        && small(minute, 2).is_some_and(|value| value < 60)
        && small(second, 2).is_some_and(|value| value < 60)
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn small(text: &str, width: usize) -> Option<u32> {
    let fits = (1..=width).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_go_yaml_says() {
        let table: &[(&str, Value)] = &[
            ("010", Value::Int(8)),
            ("0o17", Value::Int(15)),
            ("0x1F", Value::Int(31)),
            ("0b11", Value::Int(3)),
            ("1_000", Value::Int(1000)),
            ("+5", Value::Int(5)),
            ("-7", Value::Int(-7)),
            ("08", Value::Float(8.0)),
            ("1e3", Value::Float(1000.0)),
            ("1.10", Value::Float(1.1)),
            (".5", Value::Float(0.5)),
            ("18446744073709551615", Value::Int(u64::MAX.into())),
            ("on", Value::String("on".into())),
            ("12:30:45", Value::String("12:30:45".into())),
            ("22:22", Value::String("22:22".into())),
            ("2024-01-01", Value::Timestamp("2024-01-01".into())),
            ("2024-13-01", Value::String("2024-13-01".into())),
            (
                "2001-12-14t21:59:43.10-05:00",
                Value::Timestamp("2001-12-14t21:59:43.10-05:00".into()),
            ),
            ("~", Value::Null),
            ("1.2.3", Value::String("1.2.3".into())),
            ("-", Value::String("-".into())),
            ("0x", Value::String("0x".into())),
            ("1e", Value::String("1e".into())),
            ("é", Value::String("é".into())),
        ];
        for (text, value) in table {
            assert_eq!(&compose(text), value, "{text}");
        }
    }

    #[test]
    fn the_core_schema_has_no_octal_without_o_and_no_underscores() {
        assert_eq!(core("010"), Value::Int(10));
        assert_eq!(core("0o17"), Value::Int(15));
        assert_eq!(core("1_000"), Value::String("1_000".into()));
        assert_eq!(core("2024-01-01"), Value::String("2024-01-01".into()));
        assert_eq!(core("on"), Value::String("on".into()));
    }
}
