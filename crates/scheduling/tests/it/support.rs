//! Questions to ask, and the published graphs where they are at hand.

use std::path::PathBuf;

use consort_scheduling::load::{Dag, LoadOptions, dax};
use consort_scheduling::{
    Billing, Edge, LeaseSpan, NodeType, Objective, Problem, RunTime, Schedule, Spec, Task, validate,
};

pub(crate) const SECOND: u64 = 1_000_000;
pub(crate) const HOUR: u64 = 3600 * SECOND;

/// A file of the published suites; `None`, and a word on stderr, where they are not at hand.
pub(crate) fn suite_file(path: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/suites");
    let root = PathBuf::from(option_env!("CONSORT_SUITES").unwrap_or(beside));
    let file = root.join("dags").join(path);
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        eprintln!(
            "skipped: no {} (set CONSORT_SUITES to the suites)",
            file.display()
        );
    }
    text
}

/// A published graph, read as the published comparisons read it.
pub(crate) fn published(name: &str) -> Option<Dag> {
    let options = LoadOptions {
        compatible: true,
        one_file_per_edge: true,
    };
    let text = suite_file(&format!("dax/{name}.xml"))?;
    Some(dax(&text, options).expect("a published graph loads"))
}

/// A task of this estimate that can use one processor.
pub(crate) fn task(name: &str, seconds: u64) -> Task {
    Task {
        name: name.into(),
        run_time: RunTime::Estimate(seconds * SECOND),
        cpus_milli: 1000,
        memory_bytes: 0,
    }
}

pub(crate) fn edge(from: u32, to: u32, bytes: u64) -> Edge {
    Edge { from, to, bytes }
}

pub(crate) fn share(name: &str, cpus_milli: u32, price: u64) -> NodeType {
    NodeType {
        name: name.into(),
        cpus_milli,
        memory_bytes: 8 << 30,
        speed_milli: 1000,
        price_micro_usd_per_hour: price,
        startup_us: 0,
        capacity: None,
    }
}

/// Three shares of one machine with two processors, at convex prices, by the second.
pub(crate) fn machine_shares(tasks: Vec<Task>, edges: Vec<Edge>, objective: Objective) -> Spec {
    Spec {
        tasks,
        edges,
        types: vec![
            share("quarter", 250, 10_000),
            share("half", 500, 24_000),
            share("full", 1000, 60_000),
        ],
        billing: Billing::per_second(0),
        bandwidth: None,
        max_cpus_milli: Some(2000),
        objective,
    }
}

/// Fit, six parallel tasks, merge, publish: the shape of the example.
pub(crate) fn segments(objective: Objective) -> Spec {
    let mut tasks = vec![task("fit", 8)];
    let mut edges = Vec::new();
    for shard in 0..6 {
        tasks.push(task(&format!("bootstrap-{shard}"), 12));
        edges.push(edge(0, shard + 1, 0));
        edges.push(edge(shard + 1, 7, 0));
    }
    tasks.push(task("merge", 2));
    tasks.push(task("publish", 1));
    edges.push(edge(7, 8, 0));
    machine_shares(tasks, edges, objective)
}

/// The example of the IC-PCP paper. One byte takes one microsecond, which stands for one unit.
pub(crate) fn ic_pcp_example(span: LeaseSpan) -> Spec {
    const TIMES: [[u64; 3]; 9] = [
        [2, 5, 8],
        [5, 12, 16],
        [3, 5, 9],
        [4, 6, 10],
        [3, 8, 11],
        [4, 8, 11],
        [5, 8, 11],
        [3, 6, 8],
        [5, 8, 14],
    ];
    const EDGES: [(u32, u32, u64); 8] = [
        (1, 4, 1),
        (4, 7, 1),
        (4, 8, 1),
        (2, 5, 2),
        (2, 6, 2),
        (3, 6, 2),
        (5, 8, 4),
        (6, 9, 3),
    ];
    let task = |(at, times): (usize, &[u64; 3])| Task {
        name: format!("t{}", at + 1),
        run_time: RunTime::PerType(times.to_vec()),
        cpus_milli: 1000,
        memory_bytes: 0,
    };
    // A price per 10 units is 360,000,000 times as much per hour.
    let kind = |(name, price): (&str, u64)| NodeType {
        price_micro_usd_per_hour: price * 360_000_000,
        memory_bytes: 0,
        ..share(name, 1000, 0)
    };
    Spec {
        tasks: TIMES.iter().enumerate().map(task).collect(),
        edges: EDGES.map(|(a, b, time)| edge(a - 1, b - 1, time)).into(),
        types: [("S1", 5), ("S2", 2), ("S3", 1)].map(kind).into(),
        billing: Billing {
            interval_us: 10,
            minimum_us: 0,
            epsilon_us: 0,
            span,
        },
        bandwidth: Some(SECOND),
        max_cpus_milli: None,
        objective: Objective::Deadline(30),
    }
}

/// Fails with all violations.
pub(crate) fn assert_valid(problem: &Problem, objective: Objective, plan: &Schedule) {
    if let Err(violations) = validate(problem.spec(), objective, plan) {
        let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
        panic!("{}\n{plan:#?}", texts.join("\n"));
    }
}

/// Any objective: for plans of which only the rest is checked.
pub(crate) const ANY: Objective = Objective::Deadline(u64::MAX);
