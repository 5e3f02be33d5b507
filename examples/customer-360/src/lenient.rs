//! Numbers that may come as text, as they do from XML.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(serde_json::Number),
    Text(String),
}

impl NumberOrText {
    fn text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        }
    }
}

/// A whole number, as a number or as text.
///
/// # Errors
/// If it is neither.
pub fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let text = NumberOrText::deserialize(deserializer)?.text();
    text.parse()
        .map_err(|error| D::Error::custom(format!("{text:?} is not a whole number: {error}")))
}

/// An amount of money in dollars, as a number or as text, in cents.
///
/// # Errors
/// If it is neither, negative, or finer than a cent.
pub fn cents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = NumberOrText::deserialize(deserializer)?.text();
    parse_cents(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "{text:?} is not an amount in dollars with at most two decimals"
        ))
    })
}

/// Reads `29.33` as 2933; nothing for what is not such an amount.
#[must_use]
pub fn parse_cents(text: &str) -> Option<u64> {
    let (dollars, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction = fraction.trim_end_matches('0');
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if dollars.is_empty() || !digits(dollars) || fraction.len() > 2 || !digits(fraction) {
        return None;
    }
    let cents: u64 = format!("{fraction:0<2}").parse().ok()?;
    dollars
        .parse::<u64>()
        .ok()?
        .checked_mul(100)?
        .checked_add(cents)
}

/// Cents as dollars, for JSON.
#[must_use]
pub fn dollars(cents: u64) -> f64 {
    cents as f64 / 100.0
}
