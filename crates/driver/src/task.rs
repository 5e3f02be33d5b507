//! Tasks: one program that runs to completion, on a slot of a pool or by itself.

use std::path::PathBuf;

use async_trait::async_trait;
use consort_model::service::ServiceSpec;
use consort_model::time::Span;
use consort_model::units::{Bytes, MilliCpus};
use consort_model::{Address, Digest, Timestamp};

use crate::{Context, DriverError, StepKey};

/// A task that shall run.
#[derive(Debug, Clone)]
pub struct TaskRequest {
    /// Names the effect: a task that was started under this key is not started again.
    pub key: StepKey,
    /// `workloads.nightly/extract`, `jobs.vacuum`.
    pub address: Address,
    /// What to run, with secrets as tokens.
    pub spec: ServiceSpec,
    /// The digest of the built program, if it has one.
    pub program: Option<Digest>,
    /// Variables that the engine adds: `CONSORT_RUN_DIR`, …
    pub environment: Vec<(String, String)>,
    /// The folder of the run, shared by its tasks.
    pub run_directory: PathBuf,
    /// The share of processors that its lease gives it.
    pub cpus: Option<MilliCpus>,
    /// The memory that its lease gives it.
    pub memory: Option<Bytes>,
    /// The longest that it may take.
    pub time_limit: Span,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskOutcome {
    /// Its exit code; `None` if a signal ended it or it is not known.
    pub exit_code: Option<i32>,
    /// `exit code 1`, `signal SIGKILL (out of memory)`, `took longer than 5m0s`.
    pub ended: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Processor time that it used.
    pub cpu_time: Option<Span>,
    /// Was the share of processors enforced?
    pub enforced: bool,
}

/// What is known of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskStatus {
    /// It was never started under this key.
    Absent,
    /// It runs.
    Running,
    /// It has ended.
    Ended(TaskOutcome),
}

/// Runs tasks.
#[async_trait]
pub trait TaskRuntime: Send + Sync {
    /// Starts the task, unless it was started under this key before.
    async fn task_start(&self, context: &Context, request: TaskRequest) -> Result<(), DriverError>;
    /// What is known of it?
    async fn task_status(
        &self,
        context: &Context,
        key: &StepKey,
    ) -> Result<TaskStatus, DriverError>;
    /// Answers when it has ended.
    async fn task_wait(&self, context: &Context, key: &StepKey)
    -> Result<TaskOutcome, DriverError>;
    /// Ends it.
    async fn task_stop(&self, context: &Context, key: &StepKey) -> Result<(), DriverError>;
    /// Removes what is left of it, but not the folder of the run.
    async fn task_remove(&self, context: &Context, key: &StepKey) -> Result<(), DriverError>;
    /// Can shares of processors be enforced here? If not, why.
    fn task_shares(&self) -> Result<(), String>;
    /// The processors that all slots together can have.
    fn task_capacity(&self) -> MilliCpus;
}
