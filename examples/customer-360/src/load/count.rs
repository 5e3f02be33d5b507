//! Counting requests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::watcher::tally::percentile;

/// Latencies that are kept; more are counted but not in the percentiles.
const KEPT: usize = 5_000_000;
/// Failures that are described.
const DESCRIBED: usize = 10;

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nobody listens.
    Refused,
    /// No connection for another reason.
    Unreachable,
    /// The connection broke before an answer began.
    Reset,
    /// It took too long.
    TimedOut,
    /// The answer broke off.
    CutShort,
    /// The answer has a status from 500 on.
    #[serde(rename = "status_5xx")]
    ServerError,
    /// The answer has another status that is no success.
    #[serde(rename = "status_other")]
    OtherStatus,
}

/// A request that failed.
#[derive(Debug)]
pub struct Failed {
    /// In which way.
    pub class: Class,
    /// What happened, for people.
    pub detail: String,
}

/// A request that was answered.
#[derive(Debug)]
pub struct Answered {
    /// How long it took.
    pub time: Duration,
    /// The version that the answer names, if it names one.
    pub version: Option<String>,
}

/// What is printed at the end.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Requests sent.
    pub sent: u64,
    /// Requests answered with success.
    pub ok: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Failures by class.
    pub failures: BTreeMap<Class, u64>,
    /// The first failures.
    pub examples: Vec<String>,
    /// Answers by the version that they name.
    pub versions: BTreeMap<String, u64>,
    /// Median time of an answer, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the time of an answer, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Longest time of an answer, in milliseconds.
    pub max_ms: Option<f64>,
    /// How long it went on, in seconds.
    pub seconds: f64,
}

/// Counts requests as they end.
#[derive(Debug, Default)]
pub struct Count {
    summary: Summary,
    milliseconds: Vec<f64>,
}

impl Count {
    /// Counts a request.
    pub fn add(&mut self, result: Result<Answered, Failed>) {
        let summary = &mut self.summary;
        summary.sent += 1;
        match result {
            Ok(Answered { time, version }) => {
                summary.ok += 1;
                if let Some(version) = version {
                    *summary.versions.entry(version).or_insert(0) += 1;
                }
                if self.milliseconds.len() < KEPT {
                    self.milliseconds.push(time.as_secs_f64() * 1000.0);
                }
            }
            Err(Failed { class, detail }) => {
                summary.failed += 1;
                *summary.failures.entry(class).or_insert(0) += 1;
                if summary.examples.len() < DESCRIBED {
                    summary
                        .examples
                        .push(format!("{}: {detail}", jiff::Timestamp::now()));
                }
            }
        }
    }

    /// The summary, after so long a time.
    #[must_use]
    pub fn summary(mut self, time: Duration) -> Summary {
        self.milliseconds.sort_by(f64::total_cmp);
        let sorted = self.milliseconds;
        Summary {
            p50_ms: percentile(&sorted, 0.50),
            p99_ms: percentile(&sorted, 0.99),
            max_ms: sorted.last().copied(),
            seconds: time.as_secs_f64(),
            ..self.summary
        }
    }
}
