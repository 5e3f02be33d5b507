//! The CDNOW sample: one purchase per line, in five blank-separated columns
//! (customer in the master file, customer in the sample, date, number of CDs, value).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::lenient::parse_cents;

/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// One purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    /// The customer's number in the sample, from 1.
    pub customer: u32,
    /// The day.
    pub date: Date,
    /// How many CDs.
    pub quantity: u32,
    /// What they cost, in cents.
    pub cents: u64,
}

/// The data file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// It cannot be read.
    #[error("cannot read the purchases in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is not a purchase.
    #[error(
        "line {line} is not a purchase: {reason}; expected five columns like \"00004 0001 19970101  2   29.33\""
    )]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// The last day of the calibration period; what comes later is replayed by `orders`.
#[must_use]
pub fn calibration_end() -> Date {
    jiff::civil::date(1997, 9, 30)
}

/// Reads the sample file.
///
/// # Errors
/// [`SeedError`], if it cannot be read or a line is not a purchase.
pub fn read(path: &Path) -> Result<Vec<Purchase>, SeedError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_LIMIT).read_to_string(&mut text))
        .map_err(|source| SeedError::Read {
            path: path.to_owned(),
            source,
        })?;
    parse(&text)
}

/// Parses the lines of a sample file; empty lines are skipped.
///
/// # Errors
/// [`SeedError::Line`] for the first line that is not a purchase.
pub fn parse(text: &str) -> Result<Vec<Purchase>, SeedError> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            parse_line(line).map_err(|reason| SeedError::Line {
                line: index + 1,
                reason,
            })
        })
        .collect()
}

fn parse_line(line: &str) -> Result<Purchase, &'static str> {
    let mut columns = line.split_ascii_whitespace();
    let mut column = || columns.next().ok_or("a column is missing");
    let _master = column()?;
    let customer = column()?
        .parse()
        .map_err(|_| "the customer is not a number")?;
    let date = parse_date(column()?).ok_or("the date is not like 19970101")?;
    let quantity = column()?
        .parse()
        .map_err(|_| "the quantity is not a number")?;
    let cents = parse_cents(column()?).ok_or("the value is not like 29.33")?;
    match columns.next() {
        None => Ok(Purchase {
            customer,
            date,
            quantity,
            cents,
        }),
        Some(_) => Err("there are too many columns"),
    }
}

/// Reads `19970101` or `1997-01-01`.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let digits: String = text.split('-').collect();
    let grouped = text.len() == 8
        || (text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-');
    if !grouped || digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year = digits[..4].parse().ok()?;
    let month = digits[4..6].parse().ok()?;
    let day = digits[6..].parse().ok()?;
    Date::new(year, month, day).ok()
}
