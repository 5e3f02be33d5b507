//! Purchase histories as the model needs them: `x` repeat purchases, the last of
//! them after `t_x` weeks, seen for `T` weeks since the first purchase.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::cdnow::Purchase;

/// The history of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Number of the customer.
    pub customer_id: u32,
    /// Days with a purchase after the first one.
    pub x: u32,
    /// Weeks from the first to the last purchase; 0 where `x` is 0.
    pub t_x: f64,
    /// Weeks from the first purchase to the end of the period.
    #[serde(rename = "T")]
    pub age: f64,
}

/// Builds histories from purchases that come ordered by customer and date.
#[derive(Debug)]
pub struct HistoryBuilder {
    until: Date,
    done: Vec<History>,
    current: Option<Current>,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    customer: u32,
    first: Date,
    last: Date,
    repeats: u32,
}

impl HistoryBuilder {
    /// Histories of the period that ends with this day.
    #[must_use]
    pub fn new(until: Date) -> Self {
        Self {
            until,
            done: Vec::new(),
            current: None,
        }
    }

    /// Adds a purchase. Those of one day count as one, as in the published analysis.
    pub fn add(&mut self, customer: u32, date: Date) {
        match &mut self.current {
            Some(current) if current.customer == customer => {
                if date != current.last {
                    current.repeats += 1;
                    current.last = date;
                }
            }
            Some(_) | None => {
                self.close();
                self.current = Some(Current {
                    customer,
                    first: date,
                    last: date,
                    repeats: 0,
                });
            }
        }
    }

    fn close(&mut self) {
        if let Some(Current {
            customer,
            first,
            last,
            repeats,
        }) = self.current.take()
        {
            self.done.push(History {
                customer_id: customer,
                x: repeats,
                t_x: weeks(first, last),
                age: weeks(first, self.until),
            });
        }
    }

    /// The histories, by customer.
    #[must_use]
    pub fn finish(mut self) -> Vec<History> {
        self.close();
        self.done
    }
}

fn weeks(from: Date, to: Date) -> f64 {
    to.duration_since(from).as_hours() as f64 / (24.0 * 7.0)
}

/// The histories of all customers of a file until a day.
#[must_use]
pub fn histories(purchases: &[Purchase], until: Date) -> Vec<History> {
    let mut days: BTreeMap<u32, Vec<Date>> = BTreeMap::new();
    for purchase in purchases.iter().filter(|purchase| purchase.date <= until) {
        days.entry(purchase.customer)
            .or_default()
            .push(purchase.date);
    }
    let mut builder = HistoryBuilder::new(until);
    for (customer, mut days) in days {
        days.sort_unstable();
        for day in days {
            builder.add(customer, day);
        }
    }
    builder.finish()
}
