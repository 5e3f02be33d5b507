//! Tracking and limits.

use serde::{Deserialize, Serialize};

/// The instance's group of processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cgroup {
    /// The name below the root of each hierarchy, such as `consort/HOME/ID`: relative, at most 8 parts.
    pub name: String,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
}

/// What an instance may use; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Share of processors, in thousandths of one: 250 is a quarter. At least 10.
    pub cpu_millis: Option<u64>,
    /// Weight against others, as Compose's `cpu_shares` (1024 is usual).
    pub cpu_shares: Option<u64>,
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// Memory that it keeps under pressure, in bytes.
    pub memory_reservation: Option<u64>,
    /// Count of processes and threads.
    pub pids: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        let Self {
            cpu_millis,
            cpu_shares,
            memory,
            memory_reservation,
            pids,
        } = self;
        [cpu_millis, cpu_shares, memory, memory_reservation, pids]
            .iter()
            .all(|limit| limit.is_none())
    }
}
