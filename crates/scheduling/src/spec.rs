//! What is asked: tasks, the files between them, the node types for sale, and one objective.

use consort_model::units::MicroUsd;
use serde::{Deserialize, Serialize};

use crate::billing::Billing;

/// Microseconds; points in time count from the start of the workload.
pub type Micros = u64;

/// How long a task runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunTime {
    /// On a node of speed 1 that has all the processors the task can use.
    Estimate(Micros),
    /// Measured, one per node type in the order of [`Spec::types`].
    PerType(Vec<Micros>),
}

/// One batch task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name, for messages.
    pub name: String,
    /// How long it runs. Zero is planned as one microsecond.
    pub run_time: RunTime,
    /// The processors that it can use, in thousandths. On a node with fewer it takes longer; on one
    /// with more the rest is free for other tasks.
    pub cpus_milli: u32,
    /// The memory that it must have. A node type with less cannot run it.
    pub memory_bytes: u64,
}

/// One task needs another, and what it reads of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The index of the task that comes first.
    pub from: u32,
    /// The index of the task that needs it.
    pub to: u32,
    /// What is moved when both run on different nodes.
    pub bytes: u64,
}

/// A kind of node that can be leased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeType {
    /// Its name, for messages.
    pub name: String,
    /// Processors, in thousandths.
    pub cpus_milli: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// Speed in thousandths: 1500 runs a task in two thirds of its estimate.
    pub speed_milli: u32,
    /// Millionths of a dollar per hour.
    pub price_micro_usd_per_hour: u64,
    /// From the request to the first task. It is billed.
    pub startup_us: Micros,
    /// How many may be leased at the same time; `None` is as many as wanted.
    pub capacity: Option<u32>,
}

/// The goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Finish within this time at the least cost.
    Deadline(Micros),
    /// Spend at most this many millionths of a dollar and finish as early as that allows.
    Budget(u64),
}

impl std::fmt::Display for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Deadline(time) => write!(f, "a deadline of {}", Seconds(time)),
            Self::Budget(amount) => write!(f, "a budget of {}", MicroUsd(amount)),
        }
    }
}

/// Prints microseconds as seconds, without trailing zeros.
pub(crate) struct Seconds(pub(crate) Micros);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        write!(f, "{} s", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The whole question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The tasks; all else refers to them by index.
    pub tasks: Vec<Task>,
    /// Who needs whom. Several edges between the same two tasks add up.
    pub edges: Vec<Edge>,
    /// The node types for sale.
    pub types: Vec<NodeType>,
    /// How leases are paid for.
    pub billing: Billing,
    /// Bytes per second between two nodes; `None` when data need not be moved.
    pub bandwidth: Option<u64>,
    /// The most processors leased at the same time over all node types, in thousandths; `None` is
    /// as many as wanted. On one machine: what it has.
    pub max_cpus_milli: Option<u64>,
    /// The goal.
    pub objective: Objective,
}
