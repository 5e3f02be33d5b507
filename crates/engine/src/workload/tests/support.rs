//! A small workload over three node types.

use std::sync::Arc;

use consort_model::units::MilliCpus;
use consort_model::{Address, Kind, Problem, Value};
use serde_json::{Map, json};

use crate::workload::definition::Definition;
use crate::workload::{read, start};

pub(super) fn address() -> Address {
    Address::new(Kind::Workload, "nightly")
}

pub(super) fn pool() -> Value {
    json!({"types": [
        {"name": "quarter", "cpus": 0.25, "memory": "256M", "price": "0.02 USD/h", "startup": "0s", "speed": 1},
        {"name": "half", "cpus": 0.5, "memory": "512M", "price": "0.05 USD/h", "startup": "0s", "speed": 1},
        {"name": "whole", "cpus": 1, "memory": "1G", "price": "0.12 USD/h", "startup": "0s", "speed": 1},
    ], "billing": {"interval": "1s", "minimum": "0s"}, "max_cpus": 2})
}

/// One task: its name, what it needs, its estimate in seconds, its retries.
pub(super) type Shape<'t> = (&'t str, Vec<String>, u64, u32);

pub(super) fn workload(deadline: &str, tasks: &[Shape<'_>]) -> Value {
    let tasks: Map<String, Value> = tasks
        .iter()
        .map(|(name, needs, seconds, retries)| {
            let body = json!({"process": {"command": ["./work", name]}, "needs": needs,
                "estimate": format!("{seconds}s"), "cpus": 1, "retries": retries});
            ((*name).to_owned(), body)
        })
        .collect();
    json!({"pool": "slots", "objective": {"deadline": deadline, "minimize": "cost"},
        "process": {"artifacts": ["work"]}, "tasks": tasks})
}

/// The definition of one run of it.
pub(super) fn define(body: &Value) -> Result<Arc<Definition>, Problem> {
    let address = address();
    let pool = (&Address::new(Kind::Pool, "slots"), &pool());
    let objective = read::objective(&address, body, None)?;
    let spec = read::spec(&address, body, pool, objective, MilliCpus(2000))?;
    let schedule = start::plan(&address, &spec, 2_000)?;
    Ok(Arc::new(Definition {
        deployment: "test".into(),
        objective: read::in_words(objective),
        spec,
        schedule,
        tasks: read::tasks(&address, body, None)?,
        address,
        pooled: true,
        enforced: Ok(()),
    }))
}

/// fit → three shards → merge → publish.
pub(super) fn segments(retries: u32) -> Vec<Shape<'static>> {
    let after = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    vec![
        ("fit", after(&[]), 4, retries),
        ("shard-1", after(&["fit"]), 6, retries),
        ("shard-2", after(&["fit"]), 6, retries),
        ("shard-3", after(&["fit"]), 6, retries),
        (
            "merge",
            after(&["shard-1", "shard-2", "shard-3"]),
            2,
            retries,
        ),
        ("publish", after(&["merge"]), 1, retries),
    ]
}
