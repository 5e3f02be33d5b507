//! The one billing function: what a lease costs.

use serde::{Deserialize, Serialize};

use crate::spec::Micros;

const MICROS_PER_HOUR: u128 = 3_600_000_000;

/// How leases are paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billing {
    /// A lease is paid in whole intervals of this length. At least 1.
    pub interval_us: Micros,
    /// The least time that is charged.
    pub minimum_us: Micros,
    /// This much beyond a whole interval is not charged: it absorbs the rounding of run times to
    /// whole microseconds where figures are compared with others. Zero for real bills.
    pub epsilon_us: Micros,
    /// Which time a lease covers.
    pub span: LeaseSpan,
}

/// Which time a lease covers, besides the start-up of its node and all its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseSpan {
    /// Nothing more: transfers are free (the IC-PCP paper).
    Busy,
    /// The largest transfer into its first task and out of its last task (Wu et al.).
    EndTransfers,
    /// Every transfer that it receives or sends.
    AllTransfers,
}

impl Billing {
    /// By the second, at least this long, no transfers: the form of a pool without bandwidth.
    #[must_use]
    pub fn per_second(minimum_us: Micros) -> Self {
        Self {
            interval_us: 1_000_000,
            minimum_us,
            epsilon_us: 0,
            span: LeaseSpan::AllTransfers,
        }
    }

    /// The time that is charged for a lease of this length. At least one interval.
    #[must_use]
    pub fn charged(&self, lease: Micros) -> Micros {
        let interval = self.interval_us.max(1);
        let counted = lease.saturating_sub(self.epsilon_us).max(self.minimum_us);
        counted.div_ceil(interval).max(1).saturating_mul(interval)
    }

    /// The cost of a lease of this length at this price per hour, in millionths of a dollar,
    /// rounded up.
    #[must_use]
    pub fn cost(&self, lease: Micros, price_micro_usd_per_hour: u64) -> u64 {
        let product = u128::from(self.charged(lease)) * u128::from(price_micro_usd_per_hour);
        u64::try_from(product.div_ceil(MICROS_PER_HOUR)).unwrap_or(u64::MAX)
    }

    /// How much longer a lease of this length may get at no cost.
    #[must_use]
    pub fn paid_rest(&self, lease: Micros) -> Micros {
        self.charged(lease)
            .saturating_add(self.epsilon_us)
            .saturating_sub(lease)
    }
}
