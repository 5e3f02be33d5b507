//! Node types and billing of the literature, as one configuration of the general model.

use crate::billing::{Billing, LeaseSpan};
use crate::load::Dag;
use crate::spec::{NodeType, Objective, RunTime, Spec, Task};

/// Speeds in thousandths and prices in millionths of a dollar per hour of the nine types of Wu et
/// al., used by most published figures.
const WU9: [(u32, u64); 9] = [
    (1000, 120_000),
    (1500, 195_000),
    (2000, 280_000),
    (2500, 375_000),
    (3000, 480_000),
    (3500, 595_000),
    (4000, 720_000),
    (4500, 855_000),
    (5000, 1_000_000),
];

/// The nine types: one task at a time, no lag, as many as wanted.
#[must_use]
pub fn wu9() -> Vec<NodeType> {
    let kind = |(speed_milli, price_micro_usd_per_hour)| NodeType {
        name: format!("speed-{}", f64::from(speed_milli) / 1000.0),
        cpus_milli: 1000,
        memory_bytes: 0,
        speed_milli,
        price_micro_usd_per_hour,
        startup_us: 0,
        capacity: None,
    };
    WU9.map(kind).into()
}

/// A published graph in the model of the published figures: the nine types, one task at a time per
/// node, whole intervals of this length, 20 MiB/s.
#[must_use]
pub fn literature(dag: &Dag, interval_us: u64, objective: Objective) -> Spec {
    let task = |task: &crate::load::DagTask| Task {
        name: task.name.clone(),
        run_time: RunTime::Estimate(task.work_us),
        cpus_milli: 1000,
        memory_bytes: 0,
    };
    Spec {
        tasks: dag.tasks.iter().map(task).collect(),
        edges: dag.edges.clone(),
        types: wu9(),
        billing: Billing {
            interval_us,
            minimum_us: 0,
            // Run times are rounded up to whole microseconds: up to one for each task of a lease.
            epsilon_us: 1000,
            span: LeaseSpan::EndTransfers,
        },
        bandwidth: Some(20 << 20),
        max_cpus_milli: None,
        objective,
    }
}
