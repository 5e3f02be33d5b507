//! Numbers, sizes and durations as Compose reads and prints them.

/// A float as Go prints it with `%v`: shortest digits, an exponent below 1e-4 and from 1e21 on.
pub fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Why a size or duration could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a size.
    #[error("`{0}` is not a size: a number with an optional unit b, k, m, g, t or p, as in 512m")]
    Size(String),
    /// Not a duration.
    #[error("`{0}` is not a duration: numbers with units w, d, h, m, s, ms, us or ns, as in 1m30s")]
    Duration(String),
}

/// Bytes of a size such as `1.5g`, `64 MiB`, `1024`. All units are binary.
///
/// # Errors
/// When it is not a size, or larger than 64 bits.
pub fn bytes(text: &str) -> Result<i64, QuantityError> {
    let wrong = || QuantityError::Size(text.to_owned());
    let split = text
        .rfind(|c: char| c.is_ascii_digit() || c == '.')
        .map_or(0, |at| at + 1);
    let (number, suffix) = text.split_at(split);
    let number: f64 = if number.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        number.parse().map_err(|_| wrong())?
    } else {
        return Err(wrong());
    };
    let suffix = suffix
        .strip_prefix(' ')
        .unwrap_or(suffix)
        .to_ascii_lowercase();
    let power = match suffix.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return Err(wrong()),
    };
    let size = number * 1024f64.powi(power);
    // 2^63 itself does not fit.
    if size.is_finite() && size < 9_223_372_036_854_775_808.0 {
        Ok(size as i64)
    } else {
        Err(wrong())
    }
}

/// Nanoseconds of a duration such as `1m30s`, `1.5h`, `2d`.
///
/// # Errors
/// When it is not a duration, or does not fit 64 bits of nanoseconds.
pub fn nanoseconds(text: &str) -> Result<i64, QuantityError> {
    let wrong = || QuantityError::Duration(text.to_owned());
    let (sign, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = 0i128;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            _ => return Err(wrong()),
        };
        let value: f64 = number.parse().map_err(|_| wrong())?;
        total = total
            .checked_add((value * unit as f64) as i128)
            .ok_or_else(wrong)?;
        rest = tail;
    }
    i64::try_from(if sign < 0.0 { -total } else { total }).map_err(|_| wrong())
}

/// A duration as Go prints it: `1h0m0s`, `20s`, `1.5s`, `300ms`, `0s`.
pub fn duration_text(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    if total < 1_000_000_000 {
        let (divisor, unit) = match total {
            0 => return "0s".to_owned(),
            1..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!(
            "{sign}{}{unit}",
            fraction(total / divisor, total % divisor, divisor)
        );
    }
    let seconds = total / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = fraction(seconds % 60, total % 1_000_000_000, 1_000_000_000);
    if hours > 0 {
        format!("{sign}{hours}h{minutes}m{rest}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m{rest}s")
    } else {
        format!("{sign}{rest}s")
    }
}

fn fraction(whole: u64, part: u64, of: u64) -> String {
    if part == 0 {
        return whole.to_string();
    }
    let width = of.ilog10() as usize;
    let digits = format!("{part:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        for (value, text) in [
            (1.1, "1.1"),
            (1000.0, "1000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (8.0, "8"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(float_text(value), text);
        }
    }

    #[test]
    fn sizes_are_binary() {
        for (text, value) in [
            ("1.5g", 1_610_612_736),
            ("64M", 67_108_864),
            ("1024", 1024),
            ("2kb", 2048),
            ("10 MiB", 10_485_760),
        ] {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
        for text in ["", "g", "1x", "-1", "1e300p", "NaN", "inf"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (text, printed) in [
            ("20s", "20s"),
            ("60s", "1m0s"),
            ("1h", "1h0m0s"),
            ("1m30s", "1m30s"),
            ("1.5s", "1.5s"),
            ("300ms", "300ms"),
            ("1d", "24h0m0s"),
            ("1500us", "1.5ms"),
            ("0", "0s"),
            ("-5s", "-5s"),
        ] {
            assert_eq!(
                nanoseconds(text).map(duration_text),
                Ok(printed.to_owned()),
                "{text}"
            );
        }
        for text in ["", "5", "s", "1y", "1.2.3s", "99999999999w", "+"] {
            assert!(nanoseconds(text).is_err(), "{text}");
        }
    }
}
