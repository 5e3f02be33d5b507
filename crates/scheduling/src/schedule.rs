//! The answer: which task runs when on which leased node, and what it costs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::spec::{Micros, Spec};

/// One leased node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The index of its node type.
    #[serde(rename = "type")]
    pub kind: u32,
    /// When it is requested.
    pub start: Micros,
    /// When it is given back.
    pub end: Micros,
    /// Millionths of a dollar.
    pub cost: u64,
}

/// Where and when one task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The index of the task.
    pub task: u32,
    /// The index of the lease.
    pub instance: u32,
    /// When it starts.
    pub start: Micros,
    /// When it ends.
    pub end: Micros,
}

/// A complete plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The leases.
    pub instances: Vec<Lease>,
    /// One per task, in the order of the tasks.
    pub placements: Vec<Placement>,
    /// When the last task ends.
    pub makespan: Micros,
    /// Millionths of a dollar over all leases.
    pub cost: u64,
}

impl Schedule {
    /// How many leases there are of each node type that is used, by name.
    #[must_use]
    pub fn fleet<'s>(&self, spec: &'s Spec) -> BTreeMap<&'s str, u32> {
        let mut fleet = BTreeMap::new();
        for lease in &self.instances {
            if let Some(kind) = spec.types.get(lease.kind as usize) {
                *fleet.entry(kind.name.as_str()).or_insert(0) += 1;
            }
        }
        fleet
    }

    /// Whether this plan is at least as good in both respects.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.makespan <= other.makespan && self.cost <= other.cost
    }
}
