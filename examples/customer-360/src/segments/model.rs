//! The BG/NBD model: its likelihood, and what it says of one customer.

use serde::{Deserialize, Serialize};

use super::history::History;
use super::special::{hypergeometric, ln_add, ln_gamma};

/// The four parameters of the model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Shape of the purchase rates over customers.
    pub r: f64,
    /// Scale of the purchase rates, in weeks.
    pub alpha: f64,
    /// First parameter of the drop-out probabilities.
    pub a: f64,
    /// Second parameter of the drop-out probabilities.
    pub b: f64,
}

impl Parameters {
    /// The parameters as logarithms, in which any point is valid.
    #[must_use]
    pub fn to_logs(self) -> [f64; 4] {
        let Self { r, alpha, a, b } = self;
        [r.ln(), alpha.ln(), a.ln(), b.ln()]
    }

    /// The parameters with these logarithms.
    #[must_use]
    pub fn from_logs([r, alpha, a, b]: [f64; 4]) -> Self {
        Self {
            r: r.exp(),
            alpha: alpha.exp(),
            a: a.exp(),
            b: b.exp(),
        }
    }
}

/// Customers with the same history, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The history; its customer is one of the group.
    #[serde(flatten)]
    pub history: History,
    /// How many customers have it.
    pub count: u32,
}

/// Customers by history: the likelihood needs each history once.
#[must_use]
pub fn group(histories: &[History]) -> Vec<Group> {
    let mut sorted = histories.to_vec();
    sorted.sort_by(|a, b| {
        a.x.cmp(&b.x)
            .then(a.t_x.total_cmp(&b.t_x))
            .then(a.age.total_cmp(&b.age))
            .then(a.customer_id.cmp(&b.customer_id))
    });
    sorted
        .chunk_by(|a, b| a.x == b.x && a.t_x == b.t_x && a.age == b.age)
        .map(|same| Group {
            history: same[0],
            count: same.len() as u32,
        })
        .collect()
}

/// The log-likelihood of groups with these weights (usually their counts).
///
/// The four terms A1 to A4 of Hardie's note on computing it, which neither over- nor
/// underflow. Groups must be ordered by `x`: what depends on `x` only is reused.
#[must_use]
pub fn log_likelihood(
    parameters: &Parameters,
    weighted: impl Iterator<Item = (History, f64)>,
) -> f64 {
    let Parameters { r, alpha, a, b } = *parameters;
    let of_rate = r * alpha.ln() - ln_gamma(r);
    let of_drop_out = ln_gamma(a + b) - ln_gamma(b);
    let mut reused: Option<(u32, f64, f64)> = None;
    let mut sum = 0.0;
    for (history, weight) in weighted.filter(|(_, weight)| *weight > 0.0) {
        let x = f64::from(history.x);
        let (common, dropped) = match reused {
            Some((of, common, dropped)) if of == history.x => (common, dropped),
            Some(_) | None => {
                let common =
                    ln_gamma(r + x) + of_rate + of_drop_out + ln_gamma(b + x) - ln_gamma(a + b + x);
                let dropped = if history.x > 0 {
                    a.ln() - (b + x - 1.0).ln()
                } else {
                    f64::NEG_INFINITY
                };
                reused = Some((history.x, common, dropped));
                (common, dropped)
            }
        };
        let alive = -(r + x) * (alpha + history.age).ln();
        let term = if history.x > 0 {
            ln_add(alive, dropped - (r + x) * (alpha + history.t_x).ln())
        } else {
            alive
        };
        sum += weight * (common + term);
    }
    sum
}

/// The probability that a customer with this history still buys.
///
/// In this model, who never bought again has had no occasion to drop out.
#[must_use]
pub fn probability_alive(parameters: &Parameters, history: &History) -> f64 {
    1.0 / (1.0 + odds_of_dropped(parameters, history))
}

fn odds_of_dropped(parameters: &Parameters, history: &History) -> f64 {
    if history.x == 0 {
        return 0.0;
    }
    let Parameters { r, alpha, a, b } = *parameters;
    let x = f64::from(history.x);
    let ratio = (alpha + history.age) / (alpha + history.t_x);
    (a / (b + x - 1.0)) * ((r + x) * ratio.ln()).exp()
}

/// The number of purchases expected of a customer in the next `weeks` (equation 10).
#[must_use]
pub fn expected_purchases(parameters: &Parameters, history: &History, weeks: f64) -> f64 {
    let Parameters { r, alpha, a, b } = *parameters;
    // The formula has a gap at a = 1; the function is smooth there.
    let a = if (a - 1.0).abs() < 1e-6 {
        1.0 + 1e-6
    } else {
        a
    };
    let x = f64::from(history.x);
    let reach = alpha + history.age + weeks;
    let series = hypergeometric(r + x, b + x, a + b + x - 1.0, weeks / reach);
    let shrink = ((r + x) * ((alpha + history.age) / reach).ln()).exp();
    let of_living = (a + b + x - 1.0) / (a - 1.0) * (1.0 - shrink * series);
    of_living / (1.0 + odds_of_dropped(parameters, history))
}
