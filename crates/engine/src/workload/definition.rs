//! What a run of a workload or job carries out: everything that was decided when it was started.

use std::collections::BTreeMap;

use consort_model::time::Span;
use consort_model::units::{Bytes, MilliCpus};
use consort_model::{Address, Digest, Value};
use consort_scheduling::{Schedule, Spec};
use serde::{Deserialize, Serialize};

/// One task, ready to be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskDefinition {
    /// Its name.
    pub(crate) name: String,
    /// What to run, as the settings of a service; secrets as tokens.
    pub(crate) settings: Value,
    /// The built program, if it has one.
    pub(crate) program: Option<Digest>,
    /// How often it is started again when it fails.
    pub(crate) retries: u32,
    /// The longest that one attempt may take.
    pub(crate) time_limit: Span,
}

/// The definition of one run. Kept as a blob; the run is bound to its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// The deployment.
    pub(crate) deployment: String,
    /// `workloads.nightly`, `jobs.vacuum`.
    pub(crate) address: Address,
    /// In words, for people.
    pub(crate) objective: String,
    /// The question that was planned for; its tasks are in the order of `tasks`.
    pub(crate) spec: Spec,
    /// The plan that the run begins with.
    pub(crate) schedule: Schedule,
    /// What each task runs.
    pub(crate) tasks: Vec<TaskDefinition>,
    /// Does it run on slots of a pool? A job does not: no share, no replanning, no price.
    pub(crate) pooled: bool,
    /// Are shares of processors enforced? If not, why.
    pub(crate) enforced: Result<(), String>,
}

impl Definition {
    /// The tasks that each task needs, by index.
    pub(crate) fn needs(&self) -> Vec<Vec<u32>> {
        let mut needs = vec![Vec::new(); self.tasks.len()];
        for edge in &self.spec.edges {
            if let Some(list) = needs.get_mut(edge.to as usize) {
                list.push(edge.from);
            }
        }
        needs
    }

    /// The task's name.
    pub(crate) fn name(&self, task: u32) -> &str {
        self.tasks
            .get(task as usize)
            .map_or("", |task| task.name.as_str())
    }

    /// The node type's name.
    pub(crate) fn node_type(&self, kind: u32) -> &str {
        self.spec
            .types
            .get(kind as usize)
            .map_or("", |kind| kind.name.as_str())
    }

    /// The processors that a task uses on a node of this type, in thousandths.
    pub(crate) fn cpus_on(&self, task: u32, kind: u32) -> u32 {
        let wanted = self
            .spec
            .tasks
            .get(task as usize)
            .map_or(0, |task| task.cpus_milli);
        let there = self
            .spec
            .types
            .get(kind as usize)
            .map_or(0, |kind| kind.cpus_milli);
        wanted.min(there)
    }

    /// The share and the memory that a task gets on a node of this type; nothing for a job.
    pub(crate) fn share(&self, task: u32, kind: u32) -> (Option<MilliCpus>, Option<Bytes>) {
        if !self.pooled {
            return (None, None);
        }
        let memory = self.spec.types.get(kind as usize).map(|t| t.memory_bytes);
        (
            Some(MilliCpus(self.cpus_on(task, kind))),
            memory.filter(|bytes| *bytes > 0).map(Bytes),
        )
    }

    /// Leases by node type, as planned.
    pub(crate) fn fleet(&self) -> BTreeMap<String, u32> {
        let fleet = self.schedule.fleet(&self.spec);
        fleet
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }
}
