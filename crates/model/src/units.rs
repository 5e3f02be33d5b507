//! Sizes, processors and money: the short forms people write, and the integers that we keep.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A unit that could not be read: what was given and what it should look like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct UnitError {
    /// What was given.
    pub text: String,
    /// What was expected, with an example.
    pub expected: &'static str,
}

/// A number of bytes. Suffixes are binary, as in Compose: `1.5g` is 1610612736.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            text: text.into(),
            expected: "a size; write for example `512m`, `1.5g` or `8G`",
        };
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(lower.len());
        let number: f64 = lower[..digits].parse().map_err(|_| error())?;
        let shift = match lower[digits..].trim_start() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(error()),
        };
        let bytes = number * (1_u64 << shift) as f64;
        if bytes.is_finite() && bytes < 9.2e18 {
            Ok(Self(bytes as u64))
        } else {
            Err(error())
        }
    }
}

/// Prints with a binary suffix where that is exact enough to read: `512 MiB`.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"];
        let mut value = self.0 as f64;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        if value.fract() == 0.0 {
            write!(f, "{value} {}", units[unit])
        } else {
            write!(f, "{value:.1} {}", units[unit])
        }
    }
}

/// Thousandths of a processor. `0.25` CPUs are 250.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MilliCpus(pub u32);

impl MilliCpus {
    /// Reads a number of processors such as `0.25`.
    ///
    /// # Errors
    /// When it is not a number from 0.001 to 1,000,000.
    pub fn from_cpus(cpus: f64) -> Result<Self, UnitError> {
        let milli = (cpus * 1000.0).round();
        if (1.0..=1e9).contains(&milli) {
            Ok(Self(milli as u32))
        } else {
            Err(UnitError {
                text: cpus.to_string(),
                expected: "a number of processors; write for example `0.25` or `2`",
            })
        }
    }
}

impl fmt::Display for MilliCpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}

/// Millionths of a US dollar. The only currency so far: a price in another one is refused, never
/// converted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        let short = text.trim_end_matches('0');
        let point = short.find('.').unwrap_or(short.len());
        let keep = short.len().max(point + 3);
        write!(f, "{} USD", &text[..keep])
    }
}

impl FromStr for MicroUsd {
    type Err = UnitError;
    /// Reads `5 USD`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            text: text.into(),
            expected: "an amount of money; write for example `5 USD`",
        };
        let number = text.trim().strip_suffix("USD").ok_or_else(error)?;
        let amount: f64 = number.trim().parse().map_err(|_| error())?;
        let micro = (amount * 1e6).round();
        if (0.0..1e18).contains(&micro) {
            Ok(Self(micro as u64))
        } else {
            Err(error())
        }
    }
}

/// A price per hour, as `0.10 USD/h`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PricePerHour(pub MicroUsd);

impl FromStr for PricePerHour {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            text: text.into(),
            expected: "a price; write for example `0.10 USD/h`",
        };
        let amount = text.trim().strip_suffix("/h").ok_or_else(error)?;
        amount.parse().map(Self).map_err(|_| error())
    }
}

impl fmt::Display for PricePerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/h", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary() {
        assert_eq!("1.5g".parse(), Ok(Bytes(1_610_612_736)));
        assert_eq!("64".parse(), Ok(Bytes(64)));
        assert_eq!("8G".parse(), Ok(Bytes(8 << 30)));
        assert_eq!(Bytes(512 << 20).to_string(), "512 MiB");
        assert!("1x".parse::<Bytes>().is_err() && "".parse::<Bytes>().is_err());
    }

    #[test]
    fn prices_keep_micro_dollars() {
        assert_eq!("0.10 USD/h".parse(), Ok(PricePerHour(MicroUsd(100_000))));
        assert_eq!(MicroUsd(1_500_000).to_string(), "1.50 USD");
        assert_eq!(MicroUsd(7).to_string(), "0.000007 USD");
        assert!("1 EUR/h".parse::<PricePerHour>().is_err());
    }
}
