//! Texts with a form of their own: durations, sizes, prices, schedules, paths.

use consort_model::time::Span;
use consort_model::units::{Bytes, MicroUsd, PricePerHour};

use super::common::INT_ONLY;
use super::{Kind, Shape};

pub(super) const DURATION: Shape =
    Shape::TextLike(is_duration, "a duration such as 90s, 1m30s or 4h");
pub(super) const SIZE: Shape = Shape::Either(&[
    Shape::TextLike(is_size, "a size such as 512M or 8G"),
    INT_ONLY,
]);
pub(super) const RATE: Shape = Shape::TextLike(is_rate, "a size per second such as 20MiB/s");
pub(super) const PRICE: Shape = Shape::TextLike(is_price, "a price per hour such as 0.10 USD/h");
pub(super) const MONEY: Shape = Shape::TextLike(is_money, "an amount such as 5 USD");
pub(super) const MONEY_PER_TIME: Shape = Shape::TextLike(
    is_money_per_time,
    "an amount per time such as 500 USD/month",
);
pub(super) const CRON: Shape = Shape::TextLike(
    is_cron,
    "a schedule of five fields: minute, hour, day, month, weekday, such as 0 2 * * *",
);
pub(super) const TIME_ZONE: Shape =
    Shape::TextLike(is_time_zone, "a time zone such as UTC or Europe/Berlin");
pub(super) const PERCENT: Shape = Shape::TextLike(is_percent, "a percentage such as 99.9%");
pub(super) const LATENCY: Shape =
    Shape::TextLike(is_latency, "a percentile and a duration such as p95 200ms");
pub(super) const HTTP_PATH: Shape =
    Shape::TextLike(is_http_path, "a path such as /orders or /orders/{id}");
/// A number above zero, also as text of a variable.
pub(super) const CPUS: Shape = Shape::Scalar(&[Kind::Number, Kind::Text], Some(super::Cast::Float));

fn is_duration(text: &str) -> bool {
    text.parse::<Span>().is_ok()
}

fn is_size(text: &str) -> bool {
    text.parse::<Bytes>().is_ok()
}

fn is_rate(text: &str) -> bool {
    text.strip_suffix("/s").is_some_and(|size| {
        size.trim_end()
            .parse::<Bytes>()
            .is_ok_and(|size| size.0 > 0)
    })
}

fn is_price(text: &str) -> bool {
    text.parse::<PricePerHour>().is_ok()
}

fn is_money(text: &str) -> bool {
    text.parse::<MicroUsd>().is_ok()
}

fn is_money_per_time(text: &str) -> bool {
    text.split_once('/').is_some_and(|(amount, time)| {
        is_money(amount.trim())
            && matches!(
                time.trim(),
                "h" | "hour" | "d" | "day" | "week" | "month" | "year"
            )
    })
}

fn is_percent(text: &str) -> bool {
    let number = text
        .strip_suffix('%')
        .and_then(|number| number.trim().parse::<f64>().ok());
    number.is_some_and(|number| (0.0..=100.0).contains(&number))
}

fn is_latency(text: &str) -> bool {
    let Some((percentile, time)) = text.trim().split_once(char::is_whitespace) else {
        return false;
    };
    let percentile = percentile
        .strip_prefix('p')
        .and_then(|number| number.parse::<f64>().ok());
    percentile.is_some_and(|number| number > 0.0 && number < 100.0)
        && time
            .trim()
            .parse::<Span>()
            .is_ok_and(|time| time > Span::ZERO)
}

fn is_http_path(text: &str) -> bool {
    let mut names = std::collections::BTreeSet::new();
    text.len() <= 1024
        && text.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|segment| {
                match segment.strip_prefix('{').map(|rest| rest.strip_suffix('}')) {
                    Some(Some(name)) => {
                        !name.is_empty()
                            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                            && names.insert(name)
                    }
                    Some(None) => false,
                    None => segment
                        .chars()
                        .all(|c| c.is_ascii_graphic() && !matches!(c, '{' | '}' | '?' | '#' | '%')),
                }
            })
        })
}

fn is_time_zone(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
    };
    text.len() <= 64 && text.split('/').all(part)
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Five fields of cron: `*`, numbers, names, ranges, lists and steps.
pub(crate) fn is_cron(text: &str) -> bool {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let rules: [(u32, u32, &[&str], u32); 5] = [
        (0, 59, &[], 0),
        (0, 23, &[], 0),
        (1, 31, &[], 0),
        (1, 12, MONTHS, 1),
        (0, 7, DAYS, 0),
    ];
    text.len() <= 256
        && fields.len() == rules.len()
        && fields
            .iter()
            .zip(rules)
            .all(|(field, rule)| field.split(',').all(|part| is_cron_part(part, rule)))
}

fn is_cron_part(part: &str, (least, most, names, first): (u32, u32, &[&str], u32)) -> bool {
    let number = |text: &str| -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        let named = names
            .iter()
            .position(|name| *name == lower)
            .and_then(|at| u32::try_from(at).ok())
            .map(|at| at + first);
        named
            .or_else(|| {
                text.bytes()
                    .all(|byte| byte.is_ascii_digit())
                    .then(|| text.parse().ok())
                    .flatten()
            })
            .filter(|number| (least..=most).contains(number))
    };
    let (range, step) = part
        .split_once('/')
        .map_or((part, None), |(range, step)| (range, Some(step)));
    let step_fits = step.is_none_or(|step| {
        step.parse::<u32>()
            .is_ok_and(|step| step > 0 && step <= most.max(1))
    });
    let range_fits = match range.split_once('-') {
        _ if range == "*" => true,
        Some((from, to)) => {
            matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to)
        }
        None => number(range).is_some(),
    };
    step_fits && range_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_have_five_fields_in_their_ranges() {
        for text in ["0 2 * * *", "*/5 0-6,22 1,15 jan-mar MON", "59 23 31 12 7"] {
            assert!(is_cron(text), "{text}");
        }
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "@daily",
            "+1 * * * *",
        ] {
            assert!(!is_cron(text), "{text}");
        }
    }

    #[test]
    fn figures_need_their_units() {
        assert!(is_rate("20MiB/s") && !is_rate("20MiB") && !is_rate("0/s"));
        assert!(
            is_money_per_time("500 USD/month")
                && !is_money_per_time("500 USD")
                && !is_money_per_time("5 EUR/month")
        );
        assert!(is_percent("99.9%") && !is_percent("99.9") && !is_percent("101%"));
        assert!(
            is_latency("p95 200ms")
                && !is_latency("200ms")
                && !is_latency("p0 1s")
                && !is_latency("p95 0s")
        );
        assert!(is_http_path("/customers/{id}") && is_http_path("/"));
        for text in ["customers", "/a/{}", "/a/{b", "/{a}/{a}", "/a b", "/a?b"] {
            assert!(!is_http_path(text), "{text}");
        }
    }
}
