//! What the fitted model says of each customer.

use serde::{Deserialize, Serialize};

use crate::crm::database::Assignment;

use super::history::History;
use super::model::{Parameters, expected_purchases, probability_alive};

/// Weeks that are looked ahead: as long as the calibration period.
pub const WEEKS_AHEAD: f64 = 39.0;
/// From this probability of being alive on, a customer who came back is loyal.
const LOYAL_FROM: f64 = 0.5;

/// A kind of customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Bought once and has not come back.
    New,
    /// Came back and most likely still buys.
    Loyal,
    /// Came back, but most likely has stopped.
    AtRisk,
}

impl Segment {
    /// The segment as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Loyal => "loyal",
            Self::AtRisk => "at_risk",
        }
    }

    /// The segment of a customer with this history.
    #[must_use]
    pub fn of(history: &History, alive: f64) -> Self {
        match history.x {
            0 => Self::New,
            _ if alive >= LOYAL_FROM => Self::Loyal,
            _ => Self::AtRisk,
        }
    }
}

/// What is to be published of a customer.
#[must_use]
pub fn outlook(parameters: &Parameters, history: &History) -> Assignment {
    let alive = probability_alive(parameters, history);
    Assignment {
        customer_id: history.customer_id,
        segment: Segment::of(history, alive).name().to_owned(),
        expected_purchases: round(expected_purchases(parameters, history, WEEKS_AHEAD)),
        probability_alive: round(alive),
    }
}

/// Six decimals are more than the model knows.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
