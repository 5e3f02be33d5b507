//! Effects of a run: look a task up, start it if it was never started, wait for its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use consort_driver::{
    Ambiguity, Context, DriverError, StepKey, TaskOutcome, TaskRequest, TaskRuntime, TaskStatus,
};
use consort_model::service::ServiceSpec;
use consort_model::{Code, Problem};

use super::definition::Definition;
use super::machine::{Effect, Input};
use super::record::Outcome;
use crate::clock;

/// A runtime that does not answer is asked again so often: about an hour.
const ROUNDS: u32 = 720;

/// What all effects of a run share.
#[derive(Clone)]
pub(super) struct Performer {
    pub(super) runtime: Arc<dyn TaskRuntime>,
    pub(super) context: Context,
    pub(super) definition: Arc<Definition>,
    /// What the engine adds to the environment of every task.
    pub(super) environment: Vec<(String, String)>,
    /// The folder that the tasks of the run share.
    pub(super) run_directory: PathBuf,
}

impl Performer {
    fn now(&self) -> Context {
        Context {
            now: clock::now(),
            ..self.context.clone()
        }
    }

    /// Carries an effect out; the input that it leads to, if any.
    pub(super) async fn perform(self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Perform {
                task,
                attempt,
                key,
                node_type,
            } => {
                let outcome = self.run(task, attempt, StepKey(key), node_type).await;
                Some(Input::Ended {
                    task,
                    attempt,
                    outcome,
                })
            }
            Effect::Stop { key } => {
                self.stop(&StepKey(key)).await;
                None
            }
            Effect::Wake(_) => None,
        }
    }

    async fn stop(&self, key: &StepKey) {
        for wait in backoff() {
            match self.runtime.task_stop(&self.now(), key).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%key, error = %error, "the task cannot be stopped yet");
                }
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn run(&self, task: u32, attempt: u32, key: StepKey, node_type: u32) -> Outcome {
        let begun = clock::now();
        let mut last: Option<DriverError> = None;
        for wait in backoff() {
            match self.round(task, attempt, &key, node_type).await {
                Ok(outcome) => return ended(self.definition.name(task), outcome),
                Err(error) if error.ambiguity == Ambiguity::Definite && !error.retryable => {
                    return broken(begun, &error, false);
                }
                Err(error) => {
                    tracing::warn!(%key, error = %error, "a task cannot be started or seen yet");
                    last = Some(error);
                }
            }
            tokio::time::sleep(wait).await;
        }
        let silent = || DriverError::new(Code::TARGET_UNAVAILABLE, "the target does not answer");
        broken(begun, &last.unwrap_or_else(silent), true)
    }

    /// One look, start and wait. A look that fails is not an answer.
    async fn round(
        &self,
        task: u32,
        attempt: u32,
        key: &StepKey,
        node_type: u32,
    ) -> Result<TaskOutcome, DriverError> {
        let status = self
            .runtime
            .task_status(&self.now(), key)
            .await
            .map_err(DriverError::retryable)?;
        match status {
            TaskStatus::Ended(outcome) => return Ok(outcome),
            TaskStatus::Running => {}
            TaskStatus::Absent => {
                let request = self.request(task, attempt, key, node_type)?;
                self.runtime.task_start(&self.now(), request).await?;
            }
        }
        self.runtime
            .task_wait(&self.now(), key)
            .await
            .map_err(DriverError::retryable)
    }

    fn request(
        &self,
        task: u32,
        attempt: u32,
        key: &StepKey,
        node_type: u32,
    ) -> Result<TaskRequest, DriverError> {
        std::fs::create_dir_all(&self.run_directory).map_err(|error| {
            let path = self.run_directory.display();
            let message = format!("the folder of the run `{path}` cannot be made");
            DriverError::new(Code::FILE_UNREADABLE, message).because(error)
        })?;
        let lost = || DriverError::new(Code::INTERNAL, "the task is not in the definition");
        let found = self.definition.tasks.get(task as usize).ok_or_else(lost)?;
        let spec = ServiceSpec::from_value(&found.settings).map_err(|error| {
            DriverError::new(Code::BLUEPRINT_INVALID, "the task cannot be read").because(error)
        })?;
        let mut address = self.definition.address.clone();
        if self.definition.pooled {
            address = address.task(found.name.clone());
        }
        let mut environment = self.environment.clone();
        let directory = self.run_directory.to_string_lossy().into_owned();
        environment.extend([
            ("CONSORT_RUN_DIR".to_owned(), directory),
            ("CONSORT_TASK".to_owned(), found.name.clone()),
            ("CONSORT_ATTEMPT".to_owned(), attempt.to_string()),
        ]);
        let (cpus, memory) = self.definition.share(task, node_type);
        Ok(TaskRequest {
            key: key.clone(),
            address,
            spec,
            program: found.program,
            environment,
            run_directory: self.run_directory.clone(),
            cpus,
            memory,
            time_limit: found.time_limit,
        })
    }
}

fn ended(name: &str, outcome: TaskOutcome) -> Outcome {
    let problem = (outcome.exit_code != Some(0)).then(|| {
        let message = format!("task `{name}`: {}", outcome.ended);
        Problem::new(Code::NODE_FAILED, message)
            .remedy(format!("`consort logs` shows the last words of `{name}`."))
    });
    Outcome {
        problem,
        ambiguous: false,
        started: outcome.started,
        finished: outcome.finished,
        cpu_time: outcome.cpu_time,
        enforced: outcome.enforced,
    }
}

fn broken(begun: consort_model::Timestamp, error: &DriverError, ambiguous: bool) -> Outcome {
    Outcome {
        problem: Some(error.problem()),
        ambiguous,
        started: begun,
        finished: clock::now(),
        cpu_time: None,
        enforced: true,
    }
}

/// Waits of 100 ms, doubled up to 5 s.
fn backoff() -> impl Iterator<Item = Duration> {
    (0..ROUNDS).map(|round| Duration::from_millis((100 << round.min(6)).min(5_000)))
}
