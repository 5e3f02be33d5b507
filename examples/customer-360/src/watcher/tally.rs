//! What arrived, and whether it arrived as promised.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::mailbox::message::Stored;

/// Counts what arrives.
#[derive(Debug, Default)]
pub struct Tally {
    ids: BTreeSet<String>,
    customers: BTreeMap<u32, Last>,
    milliseconds: Vec<f64>,
    duplicates: u64,
    order_violations: u64,
    overtaken: u64,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    offset: u64,
    at: Option<Timestamp>,
}

/// A message with the time of its arrival.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arrival {
    /// Its place in the mailbox.
    pub offset: u64,
    /// Its id.
    pub id: String,
    /// The customer to whom it goes.
    pub customer_id: u32,
    /// When it arrived.
    pub arrived: String,
    /// Time from event to arrival, in milliseconds, where the message tells the former.
    pub milliseconds: Option<f64>,
    /// Whether its id arrived before.
    pub duplicate: bool,
}

/// What is printed at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Messages, each id once.
    pub count: u64,
    /// Customers to whom they went.
    pub customers: usize,
    /// Messages that arrived again.
    pub duplicates: u64,
    /// Messages of a customer that arrived after one with a higher offset.
    pub order_violations: u64,
    /// Messages of a customer that arrived after one of a later event: the workflow
    /// runs of two events are concurrent, so this is no fault of the way to the user.
    pub overtaken: u64,
    /// Times that the stream was resumed.
    pub reconnects: u64,
    /// Median from event to user, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99th percentile from event to user, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Longest time from event to user, in milliseconds.
    pub max_ms: Option<f64>,
    /// Whether all that was waited for arrived in time.
    pub complete: bool,
}

impl Summary {
    /// Whether everything is as promised.
    #[must_use]
    pub fn good(&self) -> bool {
        self.complete && self.duplicates == 0 && self.order_violations == 0
    }
}

impl Tally {
    /// Counts a message that arrived now.
    pub fn observe(&mut self, stored: &Stored, now: Timestamp) -> Arrival {
        let at: Option<Timestamp> = stored.message.at.as_ref().and_then(|at| at.parse().ok());
        let milliseconds = at.map(|at| now.duration_since(at).as_secs_f64() * 1000.0);
        let duplicate = !self.ids.insert(stored.message.id.clone());
        if duplicate {
            self.duplicates += 1;
        } else {
            self.milliseconds.extend(milliseconds);
            self.check_order(stored, at);
        }
        Arrival {
            offset: stored.offset,
            id: stored.message.id.clone(),
            customer_id: stored.message.customer_id,
            arrived: now.to_string(),
            milliseconds,
            duplicate,
        }
    }

    fn check_order(&mut self, stored: &Stored, at: Option<Timestamp>) {
        let this = Last {
            offset: stored.offset,
            at,
        };
        if let Some(last) = self.customers.insert(stored.message.customer_id, this) {
            self.order_violations += u64::from(last.offset >= this.offset);
            self.overtaken += u64::from(last.at > this.at && this.at.is_some());
        }
    }

    /// Messages so far, each id once.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The summary.
    #[must_use]
    pub fn summary(&self, reconnects: u64, complete: bool) -> Summary {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        Summary {
            count: self.count(),
            customers: self.customers.len(),
            duplicates: self.duplicates,
            order_violations: self.order_violations,
            overtaken: self.overtaken,
            reconnects,
            p50_ms: percentile(&sorted, 0.50),
            p99_ms: percentile(&sorted, 0.99),
            max_ms: sorted.last().copied(),
            complete,
        }
    }
}

/// The smallest value that is not below this share of all (nearest rank).
#[must_use]
pub fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}
