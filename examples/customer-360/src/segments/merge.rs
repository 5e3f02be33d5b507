//! Merging the shards: confidence intervals, and the outlook of every customer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::crm::database::Assignment;

use super::bootstrap::Shard;
use super::fit::Fit;
use super::history::History;
use super::model::{Group, Parameters, expected_purchases};
use super::outlook::{WEEKS_AHEAD, outlook};

/// Samples of which the total of expected purchases is computed, at most.
const TOTAL_SAMPLES: usize = 500;

/// The shards do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A shard is missing.
    #[error("shard {missing} of {of} is missing; run bootstrap --shard {missing} --of {of}")]
    Missing {
        /// Its number.
        missing: u32,
        /// How many there are.
        of: u32,
    },
    /// A shard was made from another fit, seed or number of shards.
    #[error("shard {shard} was made from another fit, seed or number of shards; run it again")]
    Foreign {
        /// Its number.
        shard: u32,
    },
    /// Hardly any sample could be fitted.
    #[error("only {fits} samples could be fitted, 2 are needed; ask for more with --samples")]
    TooFew {
        /// How many could.
        fits: usize,
    },
}

/// An estimate and its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// The 2.5th percentile of the samples.
    pub low: f64,
    /// The 97.5th percentile of the samples.
    pub high: f64,
}

/// All that the workload found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segments {
    /// The fit.
    pub fit: Fit,
    /// Samples behind the intervals.
    pub samples: usize,
    /// Samples that could not be fitted.
    pub failed: u32,
    /// The parameters.
    pub intervals: BTreeMap<String, Interval>,
    /// Purchases of all customers in the weeks ahead.
    pub expected_total: Interval,
    /// Customers by segment.
    pub counts: BTreeMap<String, u32>,
    /// The outlook of each customer.
    pub segments: Vec<Assignment>,
}

/// Merges shards that belong to `fit` and are complete.
///
/// # Errors
/// [`MergeError`].
pub fn merge(
    fit: &Fit,
    shards: &[Shard],
    histories: &[History],
    groups: &[Group],
) -> Result<Segments, MergeError> {
    check(fit, shards)?;
    let fits: Vec<Parameters> = shards
        .iter()
        .flat_map(|shard| shard.fits.iter().copied())
        .collect();
    if fits.len() < 2 {
        return Err(MergeError::TooFew { fits: fits.len() });
    }
    let interval =
        |of: fn(&Parameters) -> f64| interval(of(&fit.parameters), fits.iter().map(of).collect());
    let intervals = BTreeMap::from([
        ("r".to_owned(), interval(|p| p.r)),
        ("alpha".to_owned(), interval(|p| p.alpha)),
        ("a".to_owned(), interval(|p| p.a)),
        ("b".to_owned(), interval(|p| p.b)),
    ]);
    let segments: Vec<_> = histories
        .iter()
        .map(|history| outlook(&fit.parameters, history))
        .collect();
    let mut counts = BTreeMap::new();
    for assignment in &segments {
        *counts.entry(assignment.segment.clone()).or_insert(0) += 1;
    }
    Ok(Segments {
        fit: *fit,
        samples: fits.len(),
        failed: shards.iter().map(|shard| shard.failed).sum(),
        intervals,
        expected_total: expected_total(&fit.parameters, &fits, groups),
        counts,
        segments,
    })
}

fn check(fit: &Fit, shards: &[Shard]) -> Result<(), MergeError> {
    let of = shards.first().map_or(1, |shard| shard.share.of);
    let seed = shards.first().map(|shard| shard.share.seed);
    let foreign = shards
        .iter()
        .find(|shard| shard.base != *fit || shard.share.of != of || Some(shard.share.seed) != seed);
    if let Some(shard) = foreign {
        return Err(MergeError::Foreign {
            shard: shard.share.shard,
        });
    }
    let present: BTreeSet<u32> = shards.iter().map(|shard| shard.share.shard).collect();
    match (1..=of).find(|number| !present.contains(number)) {
        Some(missing) => Err(MergeError::Missing { missing, of }),
        None => Ok(()),
    }
}

fn expected_total(estimate: &Parameters, fits: &[Parameters], groups: &[Group]) -> Interval {
    let total = |parameters: &Parameters| -> f64 {
        let of_group = |group: &Group| {
            f64::from(group.count) * expected_purchases(parameters, &group.history, WEEKS_AHEAD)
        };
        groups.iter().map(of_group).sum()
    };
    interval(
        total(estimate),
        fits.iter().take(TOTAL_SAMPLES).map(total).collect(),
    )
}

fn interval(estimate: f64, mut samples: Vec<f64>) -> Interval {
    samples.sort_by(f64::total_cmp);
    let percentile = |share: f64| {
        let place = share * samples.len().saturating_sub(1) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        samples[below] + (samples[above] - samples[below]) * place.fract()
    };
    Interval {
        estimate,
        low: percentile(0.025),
        high: percentile(0.975),
    }
}
