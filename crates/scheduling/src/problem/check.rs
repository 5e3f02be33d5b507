//! What must hold before anything is computed.

use crate::graph::Graph;
use crate::progress::Progress;
use crate::refusal::ProblemError;
use crate::spec::{RunTime, Spec};

/// More tasks, edges, node types or leases than this are refused.
const MOST_TASKS: usize = 1_000_000;
const MOST_EDGES: usize = 10_000_000;
const MOST_TYPES: usize = 1_000;
const MOST_LEASES: usize = 1_000_000;

pub(super) fn spec(spec: &Spec) -> Result<(), ProblemError> {
    count("tasks", spec.tasks.len(), MOST_TASKS)?;
    count("edges", spec.edges.len(), MOST_EDGES)?;
    count("node types", spec.types.len(), MOST_TYPES)?;
    if spec.types.is_empty() {
        return Err(ProblemError::NoTypes);
    }
    positive("billing", "interval", spec.billing.interval_us)?;
    positive("pool", "bandwidth", spec.bandwidth.unwrap_or(1))?;
    for kind in &spec.types {
        positive(&kind.name, "cpus", kind.cpus_milli.into())?;
        positive(&kind.name, "speed", kind.speed_milli.into())?;
    }
    for task in &spec.tasks {
        positive(&task.name, "cpus", task.cpus_milli.into())?;
        if let RunTime::PerType(times) = &task.run_time
            && times.len() != spec.types.len()
        {
            return Err(ProblemError::RunTimes {
                task: task.name.clone(),
                given: times.len(),
                types: spec.types.len(),
            });
        }
    }
    let tasks = spec.tasks.len() as u64;
    for edge in &spec.edges {
        let end = u64::from(edge.from.max(edge.to));
        if end >= tasks {
            return Err(ProblemError::NoSuchTask { index: end, tasks });
        }
    }
    Ok(())
}

fn count(what: &'static str, given: usize, most: usize) -> Result<(), ProblemError> {
    if given > most {
        return Err(ProblemError::TooMany { what, given, most });
    }
    Ok(())
}

fn positive(of: &str, what: &'static str, value: u64) -> Result<(), ProblemError> {
    if value == 0 {
        return Err(ProblemError::Zero {
            of: of.into(),
            what,
        });
    }
    Ok(())
}

/// The error for a cycle, with the names in its order.
pub(super) fn cycle(spec: &Spec, tasks: &[u32]) -> ProblemError {
    let name = |&task: &u32| spec.tasks[task as usize].name.as_str();
    let mut path: Vec<&str> = tasks.iter().take(20).map(name).collect();
    path.extend(tasks.first().map(name));
    ProblemError::Cycle {
        path: path.join(" → "),
    }
}

pub(super) fn progress(
    spec: &Spec,
    graph: &Graph,
    progress: &Progress,
) -> Result<(), ProblemError> {
    count("leases", progress.leases.len(), MOST_LEASES)?;
    let wrong = |what: String| Err(ProblemError::Progress { what });
    for (index, lease) in progress.leases.iter().enumerate() {
        let end = lease.end.unwrap_or(progress.now);
        if lease.kind as usize >= spec.types.len() {
            return wrong(format!(
                "lease {index} is of a node type that does not exist"
            ));
        }
        if lease.start > end || end > progress.now {
            return wrong(format!("lease {index} does not lie before the present"));
        }
    }
    for (&task, begun) in &progress.tasks {
        let Some(found) = spec.tasks.get(task as usize) else {
            return wrong(format!("there is no task {task}"));
        };
        let name = &found.name;
        let Some(lease) = progress.leases.get(begun.lease as usize) else {
            return wrong(format!("task `{name}` is on a lease that does not exist"));
        };
        let end = begun.end.unwrap_or(progress.now);
        if begun.start < lease.start || begun.start > end || end > lease.end.unwrap_or(progress.now)
        {
            return wrong(format!("task `{name}` does not lie within its lease"));
        }
        let ended = |p: u32| progress.tasks.get(&p).is_some_and(|b| b.end.is_some());
        if let Some(arc) = graph.parents(task).iter().find(|arc| !ended(arc.task)) {
            let parent = &spec.tasks[arc.task as usize].name;
            return wrong(format!(
                "task `{name}` was begun before `{parent}` had ended"
            ));
        }
    }
    Ok(())
}
