//! What has happened so far: the online loop plans again with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::spec::Micros;

/// A node that was leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveLease {
    /// The index of its node type.
    #[serde(rename = "type")]
    pub kind: u32,
    /// When it was requested.
    pub start: Micros,
    /// When it was given back; `None` while it is held.
    pub end: Option<Micros>,
}

/// A task that was begun and did not fail. It stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The index of the lease in [`Progress::leases`].
    pub lease: u32,
    /// When it started.
    pub start: Micros,
    /// When it ended; `None` while it runs.
    pub end: Option<Micros>,
}

/// What has happened so far. A task that failed and shall run again is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The present.
    pub now: Micros,
    /// Every lease so far; they keep their index in the new plan.
    pub leases: Vec<LiveLease>,
    /// The tasks that were begun, by index.
    pub tasks: BTreeMap<u32, Begun>,
}

impl Progress {
    /// When a running task is taken to end: by its estimate, and when that is over, a tenth of it
    /// from now.
    #[must_use]
    pub fn expected_end(&self, begun: &Begun, estimate: Micros) -> Micros {
        begun.end.unwrap_or_else(|| {
            let by_estimate = begun.start.saturating_add(estimate);
            if by_estimate > self.now {
                by_estimate
            } else {
                self.now.saturating_add((estimate / 10).max(1))
            }
        })
    }
}
