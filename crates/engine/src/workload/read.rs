//! Reads a registered workload or job, with all expressions evaluated, into what is planned and run.

use std::collections::BTreeMap;
use std::str::FromStr;

use consort_model::service::ServiceSpec;
use consort_model::time::Span;
use consort_model::units::{Bytes, MicroUsd, MilliCpus, PricePerHour};
use consort_model::{Address, Code, Digest, Object, Problem, Value};
use consort_scheduling::{
    Billing, Edge, Lease, LeaseSpan, NodeType, Objective, Placement, RunTime, Schedule, Spec, Task,
};

use super::definition::TaskDefinition;

/// The longest that a try may take when nothing is written.
const TIME_LIMIT: Span = Span::from_secs(24 * 3600);
/// Keys of a task that its program does not see.
const NOT_OF_THE_PROGRAM: [&str; 6] = ["needs", "estimate", "cpus", "memory", "retries", "timeout"];

/// What a part of a definition is about, for messages.
struct Part<'v> {
    address: &'v Address,
    path: String,
    value: &'v Value,
}

impl<'v> Part<'v> {
    fn get(&self, key: &str) -> Option<&'v Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, problem: impl std::fmt::Display) -> Problem {
        let dot = if self.path.is_empty() { "" } else { "." };
        let message = format!("`{}{dot}{key}`: {problem}", self.path);
        Problem::new(Code::BLUEPRINT_INVALID, message).at(self.address)
    }

    fn parsed<T: FromStr>(&self, key: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        self.get(key)
            .map(|value| text(value).parse().map_err(|error| self.wrong(key, error)))
            .transpose()
    }

    fn required<T: FromStr>(&self, key: &str) -> Result<T, Problem>
    where
        T::Err: std::fmt::Display,
    {
        self.parsed(key)?
            .ok_or_else(|| self.wrong(key, "is not given"))
    }

    /// A number of thousandths: processors, or a speed.
    fn milli(&self, key: &str) -> Result<Option<u32>, Problem> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let number: f64 = text(value)
            .parse()
            .map_err(|error| self.wrong(key, error))?;
        MilliCpus::from_cpus(number)
            .map(|cpus| Some(cpus.0))
            .map_err(|error| self.wrong(key, error))
    }

    fn count(&self, key: &str) -> Result<Option<u32>, Problem> {
        self.parsed::<u32>(key)
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The pool that a workload names.
pub(super) fn pool_name(workload: &Value) -> Option<&str> {
    workload.get("pool").and_then(Value::as_str)
}

/// The objective of a workload, with another deadline if one was asked for.
pub(super) fn objective(
    address: &Address,
    workload: &Value,
    deadline: Option<&str>,
) -> Result<Objective, Problem> {
    if let Some(text) = deadline {
        let span: Span = text
            .parse()
            .map_err(|error: consort_model::time::SpanError| {
                Problem::new(Code::REQUEST_INVALID, "the deadline cannot be read")
                    .at(address)
                    .caused_by(&error)
            })?;
        return Ok(Objective::Deadline(span.micros()));
    }
    let empty = Value::Null;
    let part = Part {
        address,
        path: "objective".into(),
        value: workload.get("objective").unwrap_or(&empty),
    };
    match (
        part.parsed::<Span>("deadline")?,
        part.parsed::<MicroUsd>("budget")?,
    ) {
        (Some(deadline), None) => Ok(Objective::Deadline(deadline.micros())),
        (None, Some(budget)) => Ok(Objective::Budget(budget.0)),
        _ => Err(part.wrong("deadline", "give either a deadline or a budget")),
    }
}

/// An objective in words.
pub(super) fn in_words(objective: Objective) -> String {
    match objective {
        Objective::Deadline(time) => {
            format!("within {} at the least cost", Span::from_micros(time))
        }
        Objective::Budget(money) => {
            format!("for at most {}, as early as possible", MicroUsd(money))
        }
    }
}

/// The question to plan for: tasks, node types, billing. `capacity` is what the machine has in all.
pub(super) fn spec(
    address: &Address,
    workload: &Value,
    pool: (&Address, &Value),
    objective: Objective,
    capacity: MilliCpus,
) -> Result<Spec, Problem> {
    let (tasks, edges) = graph(address, workload)?;
    let part = Part {
        address: pool.0,
        path: String::new(),
        value: pool.1,
    };
    let empty = Value::Null;
    let billing = Part {
        address: pool.0,
        path: "billing".into(),
        value: pool.1.get("billing").unwrap_or(&empty),
    };
    let bandwidth = match part.get("bandwidth").map(text) {
        None => None,
        Some(rate) => {
            let amount = rate.trim().trim_end_matches("/s");
            let bytes: Bytes = amount
                .parse()
                .map_err(|error| part.wrong("bandwidth", error))?;
            Some(bytes.0)
        }
    };
    let most = part.milli("max_cpus")?.unwrap_or(u32::MAX);
    Ok(Spec {
        tasks,
        edges,
        types: node_types(pool)?,
        billing: Billing {
            interval_us: billing
                .parsed::<Span>("interval")?
                .map_or(1_000_000, Span::micros),
            minimum_us: billing.parsed::<Span>("minimum")?.map_or(0, Span::micros),
            epsilon_us: 0,
            span: LeaseSpan::AllTransfers,
        },
        bandwidth,
        max_cpus_milli: Some(u64::from(most.min(capacity.0))),
        objective,
    })
}

fn node_types((address, pool): (&Address, &Value)) -> Result<Vec<NodeType>, Problem> {
    let types = pool.get("types").and_then(Value::as_array);
    let node_type = |(index, value): (usize, &Value)| {
        let part = Part {
            address,
            path: format!("types[{index}]"),
            value,
        };
        Ok(NodeType {
            name: part.required("name")?,
            cpus_milli: part
                .milli("cpus")?
                .ok_or_else(|| part.wrong("cpus", "is not given"))?,
            memory_bytes: part.required::<Bytes>("memory")?.0,
            speed_milli: part.milli("speed")?.unwrap_or(1000),
            price_micro_usd_per_hour: part.required::<PricePerHour>("price")?.0.0,
            startup_us: part.parsed::<Span>("startup")?.map_or(0, Span::micros),
            capacity: part.count("capacity")?,
        })
    };
    types
        .into_iter()
        .flatten()
        .enumerate()
        .map(node_type)
        .collect()
}

/// The tasks by their needs.
fn graph(address: &Address, workload: &Value) -> Result<(Vec<Task>, Vec<Edge>), Problem> {
    let empty = Object::new();
    let bodies = workload
        .get("tasks")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let index: BTreeMap<&str, u32> = bodies.keys().map(String::as_str).zip(0..).collect();
    let mut tasks = Vec::with_capacity(bodies.len());
    let mut edges = Vec::new();
    for (to, (name, body)) in (0..).zip(bodies) {
        let part = Part {
            address,
            path: format!("tasks.{name}"),
            value: body,
        };
        tasks.push(Task {
            name: name.clone(),
            run_time: RunTime::Estimate(part.required::<Span>("estimate")?.micros()),
            cpus_milli: part.milli("cpus")?.unwrap_or(1000),
            memory_bytes: part.parsed::<Bytes>("memory")?.map_or(0, |bytes| bytes.0),
        });
        let needs = part.get("needs").and_then(Value::as_array);
        for need in needs.into_iter().flatten().filter_map(Value::as_str) {
            let from = index
                .get(need)
                .copied()
                .ok_or_else(|| part.wrong("needs", format!("there is no task `{need}`")))?;
            edges.push(Edge { from, to, bytes: 0 });
        }
    }
    Ok((tasks, edges))
}

/// What each task of a workload runs.
pub(super) fn tasks(
    address: &Address,
    workload: &Value,
    program: Option<Digest>,
) -> Result<Vec<TaskDefinition>, Problem> {
    let empty = Object::new();
    let bodies = workload
        .get("tasks")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let shared = workload.get("process").and_then(Value::as_object);
    bodies
        .iter()
        .map(|(name, body)| {
            let mut settings = body.as_object().cloned().unwrap_or_default();
            for key in NOT_OF_THE_PROGRAM {
                settings.shift_remove(key);
            }
            // The program is the workload's; what it runs is the task's.
            if let Some(shared) = shared.filter(|_| !settings.contains_key("image")) {
                let mut process = shared.clone();
                let own = settings.get("process").and_then(Value::as_object);
                own.into_iter().flatten().for_each(|(key, value)| {
                    process.insert(key.clone(), value.clone());
                });
                settings.insert("process".into(), Value::Object(process));
            }
            let path = format!("tasks.{name}");
            task(address, name, &path, body, Value::Object(settings), program)
        })
        .collect()
}

fn task(
    address: &Address,
    name: &str,
    path: &str,
    body: &Value,
    settings: Value,
    program: Option<Digest>,
) -> Result<TaskDefinition, Problem> {
    let part = Part {
        address,
        path: path.to_owned(),
        value: body,
    };
    ServiceSpec::from_value(&settings).map_err(|error| part.wrong(&error.path, &error.problem))?;
    Ok(TaskDefinition {
        name: name.to_owned(),
        program: program.filter(|_| settings.get("process").is_some()),
        settings,
        retries: part.count("retries")?.unwrap_or(0),
        time_limit: part.parsed("timeout")?.unwrap_or(TIME_LIMIT),
    })
}

/// A job as one task on a slot that nobody pays for.
pub(super) fn job(
    address: &Address,
    body: &Value,
    program: Option<Digest>,
) -> Result<(Spec, Schedule, TaskDefinition), Problem> {
    let mut settings = body.as_object().cloned().unwrap_or_default();
    for key in ["retries", "timeout", "triggers", "program"] {
        settings.shift_remove(key);
    }
    let task = task(
        address,
        address.name(),
        "",
        body,
        Value::Object(settings),
        program,
    )?;
    let length = task.time_limit.micros().max(1);
    let spec = Spec {
        tasks: vec![Task {
            name: task.name.clone(),
            run_time: RunTime::Estimate(length),
            cpus_milli: 1000,
            memory_bytes: 0,
        }],
        edges: Vec::new(),
        types: vec![NodeType {
            name: "machine".into(),
            cpus_milli: 1000,
            memory_bytes: 0,
            speed_milli: 1000,
            price_micro_usd_per_hour: 0,
            startup_us: 0,
            capacity: None,
        }],
        billing: Billing::per_second(0),
        bandwidth: None,
        max_cpus_milli: None,
        objective: Objective::Deadline(length),
    };
    let schedule = Schedule {
        instances: vec![Lease {
            kind: 0,
            start: 0,
            end: length,
            cost: 0,
        }],
        placements: vec![Placement {
            task: 0,
            instance: 0,
            start: 0,
            end: length,
        }],
        makespan: length,
        cost: 0,
    };
    Ok((spec, schedule, task))
}
