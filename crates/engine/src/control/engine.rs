//! The engine answers what can be asked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use consort_driver::{Capability, LogLine, LogQuery};
use consort_model::bundle::Bundle;
use consort_model::id::RunId;
use consort_model::plan::{Mode, Plan};
use consort_model::revision::{Deployment, Principal, Revision};
use consort_model::run::RunSummary;
use consort_model::{Address, Code, Digest, Kind, Problem, StateEntry, Value, secret};

use super::{
    ApplyRequest, CloudEvent, Control, Description, DriftReport, ExecEvent, ExecRequest,
    ExposedCall, ExposedReply, Feed, FeedEvent, PlanAnswer, PlanRequest, Problems, RollbackRequest,
    RunDetail, RunEvent, ScaleRequest, ServiceAction, ServiceView, StartAnswer, StartRequest,
    WorkloadReport,
};
use crate::engine::Engine;
use crate::plan_run::Command;

/// The engine, to be asked.
#[derive(Clone)]
pub struct EngineControl(pub Arc<Engine>);

/// Running effects get so long to finish when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(10);

#[async_trait]
impl Control for EngineControl {
    async fn blob_put(&self, bytes: Vec<u8>) -> Result<Digest, Problem> {
        Ok(self.0.store.blob_put(bytes).await?)
    }

    async fn blob_missing(&self, digests: Vec<Digest>) -> Result<Vec<Digest>, Problem> {
        let mut missing = Vec::new();
        for digest in digests {
            if self.0.store.blob_get(digest).await?.is_none() {
                missing.push(digest);
            }
        }
        Ok(missing)
    }

    async fn bundle_put(&self, bundle: Bundle) -> Result<Digest, Problem> {
        let programs = bundle
            .programs
            .values()
            .flat_map(|program| program.artifacts.values());
        let named: Vec<Digest> = bundle
            .files
            .values()
            .chain(programs)
            .map(|file| file.digest)
            .collect();
        if let Some(digest) = self.blob_missing(named).await?.first() {
            return Err(Problem::new(
                Code::REQUEST_INVALID,
                format!("the bundle names blob {digest}, which was not sent"),
            ));
        }
        for (name, program) in &bundle.programs {
            self.0
                .keep(program, &format!("the program of `{name}`"))
                .await?;
        }
        self.0.keep(&bundle, "the bundle").await
    }

    async fn bundle_get(&self, digest: Digest) -> Result<Bundle, Problem> {
        self.0.bundle(digest).await
    }

    async fn plan(&self, request: PlanRequest, _by: Principal) -> Result<PlanAnswer, Problems> {
        self.0.make_plan(request).await
    }

    async fn plan_get(&self, digest: Digest) -> Result<Plan, Problem> {
        let unknown = |_| {
            Problem::new(
                Code::PLAN_UNKNOWN,
                format!("plan {} is not kept here", digest.short()),
            )
        };
        self.0.kept(digest, "plan").await.map_err(unknown)
    }

    async fn apply(&self, request: ApplyRequest, by: Principal) -> Result<RunId, Problem> {
        self.0.begin_plan(request, by).await
    }

    async fn rollback_plan(
        &self,
        request: RollbackRequest,
        _by: Principal,
    ) -> Result<PlanAnswer, Problems> {
        let revision = self
            .0
            .revision_before(&request)
            .await
            .map_err(|problem| vec![problem])?;
        let request = PlanRequest {
            deployment: request.deployment,
            bundle: Some(revision.bundle),
            inputs: revision.inputs,
            mode: Mode::Apply,
            only: Vec::new(),
            replace: Vec::new(),
            refresh: true,
        };
        self.0.make_plan(request).await
    }

    async fn run_list(
        &self,
        deployment: Option<String>,
        limit: u32,
    ) -> Result<Vec<RunSummary>, Problem> {
        self.0.list_runs(deployment, limit).await
    }

    async fn run_detail(&self, run: RunId) -> Result<RunDetail, Problem> {
        self.0.detail(run).await
    }

    async fn run_watch(&self, run: RunId, after: u64) -> Result<Feed<RunEvent>, Problem> {
        self.0.watch_run(run, after).await
    }

    async fn run_cancel(&self, run: RunId, now: bool, by: Principal) -> Result<(), Problem> {
        self.0.tell(run, Command::Cancel { by: by.0, now }).await
    }

    async fn run_resume(&self, run: RunId, by: Principal) -> Result<(), Problem> {
        self.0.resume_run(run, by).await
    }

    async fn run_resolve(
        &self,
        run: RunId,
        step: String,
        happened: bool,
        by: Principal,
    ) -> Result<(), Problem> {
        self.0
            .tell(
                run,
                Command::Resolve {
                    step,
                    happened,
                    by: by.0,
                },
            )
            .await
    }

    async fn deployment_list(&self) -> Result<Vec<Deployment>, Problem> {
        Ok(self.0.store.deployment_list().await?)
    }

    async fn deployment_get(&self, name: &str) -> Result<Deployment, Problem> {
        self.0.deployment(name).await
    }

    async fn state_list(&self, deployment: &str) -> Result<Vec<StateEntry>, Problem> {
        self.0.deployment(deployment).await?;
        Ok(self.0.store.state_list(deployment).await?)
    }

    async fn revision_list(&self, deployment: &str) -> Result<Vec<Revision>, Problem> {
        self.0.deployment(deployment).await?;
        Ok(self.0.store.revision_list(deployment).await?)
    }

    async fn describe(&self, deployment: &str, address: &Address) -> Result<Description, Problem> {
        self.0.describe_node(deployment, address).await
    }

    async fn outputs(
        &self,
        deployment: &str,
        reveal: Option<&str>,
    ) -> Result<Vec<(String, Value)>, Problem> {
        self.0.output_values(deployment, reveal).await
    }

    async fn drift(&self, deployment: &str, only: Vec<Address>) -> Result<DriftReport, Problem> {
        self.0.find_drift(deployment, only).await
    }

    async fn services(&self, deployment: &str) -> Result<Vec<ServiceView>, Problem> {
        let found = self.0.deployment(deployment).await?;
        self.0.service_views(&found).await
    }

    async fn service_action(
        &self,
        deployment: &str,
        action: ServiceAction,
        services: Vec<String>,
        by: Principal,
    ) -> Result<RunId, Problem> {
        self.0
            .act_on_services(deployment, action, services, by)
            .await
    }

    async fn scale(
        &self,
        deployment: &str,
        request: ScaleRequest,
        by: Principal,
    ) -> Result<RunId, Problem> {
        self.0
            .scale_services(deployment, request.replicas, by)
            .await
    }

    async fn logs(&self, deployment: &str, query: LogQuery) -> Result<Feed<LogLine>, Problem> {
        self.0.log_lines(deployment, query).await
    }

    async fn exec(
        &self,
        deployment: &str,
        request: ExecRequest,
        _by: Principal,
    ) -> Result<Feed<ExecEvent>, Problem> {
        self.0.exec_inside(deployment, request).await
    }

    async fn feed(&self, deployment: Option<String>) -> Result<Feed<FeedEvent>, Problem> {
        Ok(self.0.follow(deployment))
    }

    async fn start(&self, request: StartRequest, by: Principal) -> Result<StartAnswer, Problem> {
        match request.address.kind() {
            Kind::Workload | Kind::Job => self.0.start_workload(request, by).await,
            Kind::Workflow => self.0.start_workflow(request, by).await,
            kind => {
                let message = format!(
                    "`{}` cannot be started: {kind} are not run",
                    request.address
                );
                Err(Problem::new(Code::USAGE, message)
                    .remedy("Name a workload, a job or a workflow."))
            }
        }
    }

    async fn workload_report(&self, run: RunId) -> Result<WorkloadReport, Problem> {
        self.0.report_workload(run).await
    }

    async fn event_put(
        &self,
        deployment: &str,
        token: Option<&str>,
        event: CloudEvent,
    ) -> Result<bool, Problem> {
        self.0.take_event(deployment, token, event).await
    }

    async fn exposed_call(
        &self,
        deployment: &str,
        call: ExposedCall,
    ) -> Result<ExposedReply, Problem> {
        self.0.answer_exposed(deployment, call).await
    }

    async fn capabilities(&self) -> Result<Vec<Capability>, Problem> {
        Ok(self.0.machine_capabilities().await)
    }

    async fn store_verify(&self) -> Result<Vec<String>, Problem> {
        Ok(self.0.store.verify().await?)
    }

    async fn store_backup(&self, to: std::path::PathBuf) -> Result<(), Problem> {
        Ok(self.0.store.backup(&to).await?)
    }

    async fn is_idle(&self) -> Result<bool, Problem> {
        self.0.nothing_to_do().await
    }

    async fn shutdown(&self) -> Result<(), Problem> {
        let left = self.0.tasks.stop(STOP_LIMIT).await;
        if left > 0 {
            tracing::warn!(
                left,
                "tasks did not finish in time; what they had begun is taken up at the next start"
            );
        }
        Ok(())
    }

    async fn teardown(&self) -> Result<(), Problem> {
        if let Some(deployment) = self.0.store.deployment_list().await?.first() {
            let message = format!("deployment `{}` is still there", deployment.name);
            return Err(Problem::new(Code::USAGE, message).remedy("Take it down first."));
        }
        let context = self.0.context("", std::path::PathBuf::from("."));
        for target in self.0.targets.values() {
            target
                .shutdown(&context)
                .await
                .map_err(|error| error.problem())?;
        }
        Ok(())
    }
}

impl Engine {
    /// Keeps something as JSON under the digest of its bytes.
    pub(crate) async fn keep<T: serde::Serialize>(
        &self,
        value: &T,
        what: &str,
    ) -> Result<Digest, Problem> {
        let value = serde_json::to_value(value).map_err(|error| {
            Problem::new(Code::INTERNAL, format!("{what} cannot be written")).caused_by(&error)
        })?;
        Ok(self
            .store
            .blob_put(consort_model::digest::canonical(&value).into_bytes())
            .await?)
    }

    /// The revision to go back to.
    async fn revision_before(&self, request: &RollbackRequest) -> Result<Revision, Problem> {
        let deployment = self.deployment(&request.deployment).await?;
        let revisions = self.store.revision_list(&deployment.name).await?;
        let found = match request.revision {
            Some(number) => revisions
                .into_iter()
                .find(|revision| revision.number == number),
            None => revisions
                .into_iter()
                .filter(|revision| {
                    revision.completeness == consort_model::revision::Completeness::Complete
                })
                .find(|revision| Some(revision.number) != deployment.revision),
        };
        found.ok_or_else(|| {
            let what = request
                .revision
                .map_or("an earlier complete revision".to_owned(), |number| {
                    format!("revision {number}")
                });
            Problem::new(
                Code::PLAN_IMPOSSIBLE,
                format!("`{}` has not {what}", deployment.name),
            )
        })
    }

    /// The outputs of the newest revision; secrets are masked unless one output is asked for by name.
    async fn output_values(
        &self,
        deployment: &str,
        reveal: Option<&str>,
    ) -> Result<Vec<(String, Value)>, Problem> {
        let found = self.deployment(deployment).await?;
        let Some(number) = found.revision else {
            return Ok(Vec::new());
        };
        let Some(revision) = self.store.revision_get(deployment, number).await? else {
            return Ok(Vec::new());
        };
        let mut outputs = Vec::new();
        for (name, value) in revision.outputs {
            let value = if reveal == Some(name.as_str()) {
                self.reveal(deployment, &value).await?
            } else {
                masked(&value)
            };
            outputs.push((name, value));
        }
        Ok(outputs)
    }

    /// The value with secrets in it: for the one who needs it.
    pub(crate) async fn reveal(&self, deployment: &str, value: &Value) -> Result<Value, Problem> {
        let mut values = std::collections::BTreeMap::new();
        for handle in secret::handles(value) {
            let missing = || {
                Problem::new(
                    Code::STORE_CORRUPT,
                    format!("the value of secret {handle} is not kept"),
                )
            };
            let kept = self
                .store
                .secret_get(deployment, &handle)
                .await?
                .ok_or_else(missing)?;
            values.insert(handle.clone(), kept);
        }
        secret::reveal(value, &mut |handle| {
            let found = values.get(handle).map(|value| value.reveal().to_owned());
            found.ok_or_else(|| {
                Problem::new(Code::INTERNAL, "a secret appeared while it was looked up")
            })
        })
    }
}

fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(secret::masked(text)),
        Value::Array(items) => Value::Array(items.iter().map(masked).collect()),
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, item)| (key.clone(), masked(item)))
                .collect(),
        ),
        other => other.clone(),
    }
}
