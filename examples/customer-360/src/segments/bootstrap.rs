//! The bootstrap: how much the fit varies if other customers had been drawn.

use serde::{Deserialize, Serialize};

use super::fit::{Fit, refit};
use super::model::{Group, Parameters};
use super::random::SplitMix;

/// Which part of the work a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Number of the shard, from 1.
    pub shard: u32,
    /// How many shards there are.
    pub of: u32,
    /// Samples in this shard.
    pub samples: u32,
    /// The seed of all samples.
    pub seed: u64,
}

/// The refitted samples of a shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Which shard it is.
    #[serde(flatten)]
    pub share: Share,
    /// The fit that was varied, so that shards of different fits are not mixed.
    pub base: Fit,
    /// The parameters of each sample that could be fitted.
    pub fits: Vec<Parameters>,
    /// Samples that could not be fitted.
    pub failed: u32,
}

/// Draws and refits the samples of a shard.
#[must_use]
pub fn bootstrap(groups: &[Group], base: Fit, share: Share) -> Shard {
    let mut owners = Vec::new();
    for (index, group) in (0_u32..).zip(groups) {
        owners.extend(std::iter::repeat_n(index, group.count as usize));
    }
    let mut fits = Vec::new();
    for sample in 0..share.samples {
        // Each sample has a stream of its own, whatever the shards' sizes are.
        let stream = u64::from(share.shard) << 32 | u64::from(sample);
        let weights = draw(&owners, groups.len(), SplitMix::new(share.seed, stream));
        fits.extend(refit(groups, &weights, &base.parameters).map(|fit| fit.parameters));
    }
    let failed = share.samples - fits.len() as u32;
    Shard {
        share,
        base,
        fits,
        failed,
    }
}

/// How many customers of each group are in a sample drawn with replacement.
fn draw(owners: &[u32], groups: usize, mut random: SplitMix) -> Vec<u32> {
    let mut weights = vec![0; groups];
    for _ in owners {
        let owner = owners[random.below(owners.len() as u32) as usize];
        weights[owner as usize] += 1;
    }
    weights
}
