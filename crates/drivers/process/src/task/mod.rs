//! Tasks: programs that run to their end, each once per key, under a shim of its own.

mod record;
mod start;

use std::path::PathBuf;

use async_trait::async_trait;
use consort_driver::{
    Context, DriverError, StepKey, TaskOutcome, TaskRequest, TaskRuntime, TaskStatus,
};
use consort_model::Code;
use consort_model::time::Span;
use consort_model::units::MilliCpus;
use consort_shim::Found;
use consort_shim::record::Exit;
use tokio::time::{Duration, Instant, sleep};

pub(crate) use record::{TaskRecord, list};

use crate::instance::{end_blocking, ended, look, rescue, started, until_over};
use crate::layout::{Layout, remove_if_empty, remove_tree};
use crate::runtime::Runtime;
use crate::{error, machine};

/// How long one wait for the word of a shim takes at most, before it is looked for again.
const LISTEN: Duration = Duration::from_secs(30);
/// Between two looks at a task that cannot be listened to.
const PAUSE: Duration = Duration::from_millis(50);

#[async_trait]
impl TaskRuntime for Runtime {
    async fn task_start(&self, context: &Context, request: TaskRequest) -> Result<(), DriverError> {
        start::start(self, context, request).await
    }

    async fn task_status(
        &self,
        context: &Context,
        key: &StepKey,
    ) -> Result<TaskStatus, DriverError> {
        let folder = folder(context, key)?;
        let Some(record) = TaskRecord::load(&folder)? else {
            return Ok(TaskStatus::Absent);
        };
        let found = look(folder.clone()).await?;
        if matches!(found, Found::ShimLost { .. }) {
            rescue(self, context, &folder).await?;
            return Ok(TaskStatus::Running);
        }
        Ok(status(context, &record, &found))
    }

    async fn task_wait(
        &self,
        context: &Context,
        key: &StepKey,
    ) -> Result<TaskOutcome, DriverError> {
        let folder = folder(context, key)?;
        loop {
            let status = self.task_status(context, key).await?;
            match status {
                TaskStatus::Ended(outcome) => return Ok(outcome),
                TaskStatus::Absent => {
                    let message = format!("no task was started under the key {key}");
                    return Err(DriverError::new(Code::NODE_UNKNOWN, message));
                }
                TaskStatus::Running => {
                    let Some(record) = TaskRecord::load(&folder)? else {
                        continue;
                    };
                    // Bounded, since a shim can be lost meanwhile.
                    until_over(&record.control, Instant::now() + LISTEN).await;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn task_stop(&self, context: &Context, key: &StepKey) -> Result<(), DriverError> {
        let folder = folder(context, key)?;
        if TaskRecord::load(&folder)?.is_none() {
            return Ok(());
        }
        error::blocking(move || end_blocking(&folder, None)).await?
    }

    async fn task_remove(&self, context: &Context, key: &StepKey) -> Result<(), DriverError> {
        let folder = folder(context, key)?;
        let layout = Layout::of(context)?;
        error::blocking(move || {
            if !folder.exists() {
                return Ok(());
            }
            end_blocking(&folder, None)?;
            remove_tree(&folder)?;
            remove_if_empty(&layout.tasks());
            remove_if_empty(&layout.deployment());
            Ok(())
        })
        .await?
    }

    fn task_shares(&self) -> Result<(), String> {
        if machine::cgroups().can_limit("cpu") {
            return Ok(());
        }
        Err("this machine gives no cgroup controller `cpu` to this user, so shares of processors are not enforced".into())
    }

    fn task_capacity(&self) -> MilliCpus {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        MilliCpus(u32::try_from(count).unwrap_or(1).saturating_mul(1_000))
    }
}

/// The folder of the task of this key.
fn folder(context: &Context, key: &StepKey) -> Result<PathBuf, DriverError> {
    Ok(Layout::of(context)?.tasks().join(record::id(&key.0)))
}

fn status(context: &Context, record: &TaskRecord, found: &Found) -> TaskStatus {
    match found {
        Found::Alive { status, .. } => match (&status.exit, status.state.is_over()) {
            (Some(exit), true) => TaskStatus::Ended(outcome(context, record, exit)),
            _ => TaskStatus::Running,
        },
        Found::Exited(exit) => TaskStatus::Ended(outcome(context, record, exit)),
        Found::ShimLost { .. } | Found::Stuck { .. } => TaskStatus::Running,
        // A start that never got to a process: it may be started again under its key.
        Found::Gone { .. } if !record.launched => TaskStatus::Absent,
        Found::Gone { reason } => TaskStatus::Ended(lost(context, record, reason)),
        Found::OtherBoot => {
            TaskStatus::Ended(lost(context, record, "the machine was booted since"))
        }
    }
}

fn outcome(context: &Context, record: &TaskRecord, exit: &Exit) -> TaskOutcome {
    let usage = exit
        .usage
        .map(|usage| Span::from_millis(usage.user_ms.saturating_add(usage.system_ms)));
    TaskOutcome {
        exit_code: exit.code.filter(|_| !exit.timed_out),
        ended: ended(exit, Some(record.time_limit)),
        started: started(exit).unwrap_or(record.asked),
        finished: consort_model::Timestamp::parse(&exit.at).unwrap_or(context.now),
        cpu_time: usage,
        enforced: record.enforced,
    }
}

fn lost(context: &Context, record: &TaskRecord, reason: &str) -> TaskOutcome {
    TaskOutcome {
        exit_code: None,
        ended: format!("it is not known how it ended: {reason}"),
        started: record.asked,
        finished: context.now,
        cpu_time: None,
        enforced: record.enforced,
    }
}
