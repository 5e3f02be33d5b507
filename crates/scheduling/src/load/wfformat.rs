//! WfFormat 1.4 to 1.6 (WfCommons): <https://github.com/wfcommons/WfFormat>.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Collected, Dag, LoadError, LoadOptions, check_size, micros};

#[derive(Deserialize)]
struct File {
    workflow: Workflow,
}

#[derive(Deserialize)]
struct Workflow {
    specification: Specification,
    execution: Execution,
}

#[derive(Deserialize)]
struct Specification {
    tasks: Vec<Task>,
    #[serde(default)]
    files: Vec<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    name: String,
    id: Option<String>,
    #[serde(default)]
    parents: Vec<String>,
    #[serde(default)]
    children: Vec<String>,
    #[serde(default)]
    input_files: Vec<String>,
    #[serde(default)]
    output_files: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    id: String,
    size_in_bytes: f64,
}

#[derive(Deserialize)]
struct Execution {
    tasks: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    id: Option<String>,
    name: Option<String>,
    runtime_in_seconds: f64,
}

/// Reads a graph. Edges are the declared ones and those that follow from files.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn wfformat(text: &str, options: LoadOptions) -> Result<Dag, LoadError> {
    check_size(text)?;
    let file: File = serde_json::from_str(text).map_err(LoadError::Json)?;
    let Workflow {
        specification,
        execution,
    } = file.workflow;
    let run_times = run_times(&execution);
    let sizes: BTreeMap<&str, u64> = specification
        .files
        .iter()
        .map(|data| (data.id.as_str(), data.size_in_bytes.abs() as u64))
        .collect();
    let mut found = Collected::default();
    for task in &specification.tasks {
        let id = task.id.as_ref().unwrap_or(&task.name);
        let time = run_times
            .get(id.as_str())
            .or_else(|| run_times.get(task.name.as_str()));
        let time = time.ok_or_else(|| LoadError::NoRunTime { id: id.clone() })?;
        let index = found.task(id, micros(*time, options)?)?;
        let reads = task.input_files.iter().map(|file| (file, true));
        let writes = task.output_files.iter().map(|file| (file, false));
        for (file, reads) in reads.chain(writes) {
            found.uses(index, file, sizes.get(file.as_str()).copied(), reads)?;
        }
    }
    declare(&specification.tasks, &mut found)?;
    Ok(found.graph(options))
}

/// By id and by name: older files refer by name.
fn run_times(execution: &Execution) -> BTreeMap<&str, f64> {
    let mut times = BTreeMap::new();
    for run in &execution.tasks {
        for key in [&run.name, &run.id].into_iter().flatten() {
            times.insert(key.as_str(), run.runtime_in_seconds);
        }
    }
    times
}

fn declare(tasks: &[Task], found: &mut Collected) -> Result<(), LoadError> {
    let by_name: BTreeMap<&str, u32> = (0_u32..)
        .zip(tasks)
        .map(|(at, task)| (task.name.as_str(), at))
        .collect();
    let resolve = |found: &Collected, key: &str| match found.find(key) {
        Ok(index) => Ok(index),
        Err(unknown) => by_name.get(key).copied().ok_or(unknown),
    };
    for (index, task) in (0_u32..).zip(tasks) {
        for parent in &task.parents {
            let edge = (resolve(found, parent)?, index);
            found.declared.push(edge);
        }
        for child in &task.children {
            let edge = (index, resolve(found, child)?);
            found.declared.push(edge);
        }
    }
    Ok(())
}
