//! How the instances of a service are replaced (Compose: `deploy.update_config`).

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// Which comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The new instance is ready before the old one goes.
    StartFirst,
    /// The old instance is gone before the new one starts.
    StopFirst,
}

/// What to do when too many new instances fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureAction {
    /// Stop and leave things as they are.
    #[default]
    Pause,
    /// Go on.
    Continue,
    /// Go back to the version before.
    Rollback,
}

/// `update_config` and `rollback_config`, as written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateConfig {
    /// Instances at a time; 0 is all at once.
    pub parallelism: Option<u32>,
    /// Between two batches.
    pub delay: Option<String>,
    /// On failure.
    pub failure_action: Option<FailureAction>,
    /// How long a new instance is watched after it became ready.
    pub monitor: Option<String>,
    /// The share of failures that is put up with.
    pub max_failure_ratio: Option<f64>,
    /// Which comes first.
    pub order: Option<Order>,
}

/// A complete policy: what a plan spells out as the mandate of a roll-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollOutPolicy {
    /// Instances at a time; 0 is all at once.
    pub parallelism: u32,
    /// Between two batches.
    pub delay: Span,
    /// On failure.
    pub failure_action: FailureAction,
    /// How long a new instance is watched after it became ready.
    pub monitor: Span,
    /// The share of failures that is put up with.
    pub max_failure_ratio: f64,
    /// Which comes first.
    pub order: Order,
    /// How long an instance may take to become ready.
    pub healthy_deadline: Span,
    /// How long connections may go on after an instance left the balancer.
    pub drain: Span,
}

impl UpdateConfig {
    /// The complete policy: what is written, else the defaults. `default_order` is what services of
    /// this shape use when nothing is written.
    ///
    /// # Errors
    /// A sentence, when a duration cannot be read.
    pub fn policy(&self, default_order: Order) -> Result<RollOutPolicy, String> {
        let span = |text: &Option<String>, default: Span| match text {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|error: crate::time::SpanError| error.to_string()),
        };
        Ok(RollOutPolicy {
            parallelism: self.parallelism.unwrap_or(1),
            delay: span(&self.delay, Span::ZERO)?,
            failure_action: self.failure_action.unwrap_or(FailureAction::Rollback),
            monitor: span(&self.monitor, Span::ZERO)?,
            max_failure_ratio: self.max_failure_ratio.unwrap_or(0.0),
            order: self.order.unwrap_or(default_order),
            healthy_deadline: Span::from_secs(300),
            drain: Span::from_secs(30),
        })
    }
}
