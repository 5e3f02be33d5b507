//! What can be asked of a running Consort. The HTTP API is a thin layer over this trait; the engine
//! implements it. All answers are values that serialise as the API sends them.

mod engine;
mod types;

use std::pin::Pin;

use async_trait::async_trait;
use consort_driver::{Capability, LogLine, LogQuery};
use consort_model::bundle::Bundle;
use consort_model::id::RunId;
use consort_model::plan::Plan;
use consort_model::revision::{Deployment, Principal, Revision};
use consort_model::run::RunSummary;
use consort_model::{Address, Digest, Problem, StateEntry, Value};
use futures_util::Stream;

pub use engine::EngineControl;
pub use types::{
    ApplyRequest, Approval, CloudEvent, Description, DownRequest, DriftReport, ExecEvent,
    ExecRequest, ExposedCall, ExposedReply, FeedEvent, InstanceView, PlanAnswer, PlanRequest,
    RollbackRequest, RunDetail, RunEvent, ScaleRequest, ServiceAction, ServiceView, StartAnswer,
    StartRequest, StepView, TaskReport, WorkloadReport,
};

/// A stream of answers.
pub type Feed<T> = Pin<Box<dyn Stream<Item = Result<T, Problem>> + Send>>;
/// All problems at once.
pub type Problems = Vec<Problem>;

/// What can be asked of a running Consort.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Keeps bytes that a bundle refers to: files and programs. The same bytes are kept once.
    async fn blob_put(&self, bytes: Vec<u8>) -> Result<Digest, Problem>;
    /// Which of these blobs are not kept yet?
    async fn blob_missing(&self, digests: Vec<Digest>) -> Result<Vec<Digest>, Problem>;
    /// Keeps a bundle; refused if a blob that it names is missing.
    async fn bundle_put(&self, bundle: Bundle) -> Result<Digest, Problem>;
    /// A bundle that is kept.
    async fn bundle_get(&self, digest: Digest) -> Result<Bundle, Problem>;

    /// Makes a plan and keeps it. Changes nothing.
    async fn plan(&self, request: PlanRequest, by: Principal) -> Result<PlanAnswer, Problems>;
    /// A plan that is kept.
    async fn plan_get(&self, digest: Digest) -> Result<Plan, Problem>;
    /// Begins to carry a kept plan out, or finds the run that was begun under the same key.
    async fn apply(&self, request: ApplyRequest, by: Principal) -> Result<RunId, Problem>;
    /// Plans what a kept revision asked for.
    async fn rollback_plan(
        &self,
        request: RollbackRequest,
        by: Principal,
    ) -> Result<PlanAnswer, Problems>;

    /// Runs, newest first.
    async fn run_list(
        &self,
        deployment: Option<String>,
        limit: u32,
    ) -> Result<Vec<RunSummary>, Problem>;
    /// One run with its steps.
    async fn run_detail(&self, run: RunId) -> Result<RunDetail, Problem>;
    /// Events of a run after this record; ends after the run's end.
    async fn run_watch(&self, run: RunId, after: u64) -> Result<Feed<RunEvent>, Problem>;
    /// Finishes what is under way and stops; with `now` what is under way is given up.
    async fn run_cancel(&self, run: RunId, now: bool, by: Principal) -> Result<(), Problem>;
    /// Goes on with a run that was stopped or that failed.
    async fn run_resume(&self, run: RunId, by: Principal) -> Result<(), Problem>;
    /// Answers whether a step that is in doubt took effect.
    async fn run_resolve(
        &self,
        run: RunId,
        step: String,
        happened: bool,
        by: Principal,
    ) -> Result<(), Problem>;

    /// Deployments by name.
    async fn deployment_list(&self) -> Result<Vec<Deployment>, Problem>;
    /// One deployment.
    async fn deployment_get(&self, name: &str) -> Result<Deployment, Problem>;
    /// Its recorded state; secrets are tokens.
    async fn state_list(&self, deployment: &str) -> Result<Vec<StateEntry>, Problem>;
    /// Its revisions, newest first.
    async fn revision_list(&self, deployment: &str) -> Result<Vec<Revision>, Problem>;
    /// All that is known about one node.
    async fn describe(&self, deployment: &str, address: &Address) -> Result<Description, Problem>;
    /// The values of its outputs. Secret ones are masked unless named here.
    async fn outputs(
        &self,
        deployment: &str,
        reveal: Option<&str>,
    ) -> Result<Vec<(String, Value)>, Problem>;
    /// Compares what is recorded with what is there. Changes nothing.
    async fn drift(&self, deployment: &str, only: Vec<Address>) -> Result<DriftReport, Problem>;

    /// Services and their instances.
    async fn services(&self, deployment: &str) -> Result<Vec<ServiceView>, Problem>;
    /// Stops, starts or restarts services (all if none is named).
    async fn service_action(
        &self,
        deployment: &str,
        action: ServiceAction,
        services: Vec<String>,
        by: Principal,
    ) -> Result<RunId, Problem>;
    /// Sets the number of instances.
    async fn scale(
        &self,
        deployment: &str,
        request: ScaleRequest,
        by: Principal,
    ) -> Result<RunId, Problem>;
    /// Lines of logs.
    async fn logs(&self, deployment: &str, query: LogQuery) -> Result<Feed<LogLine>, Problem>;
    /// Runs a command inside an instance; output is passed as events, the last one is the exit code.
    async fn exec(
        &self,
        deployment: &str,
        request: ExecRequest,
        by: Principal,
    ) -> Result<Feed<ExecEvent>, Problem>;
    /// What happens: runs, instances, events.
    async fn feed(&self, deployment: Option<String>) -> Result<Feed<FeedEvent>, Problem>;

    /// Starts a workload, a job or a workflow.
    async fn start(&self, request: StartRequest, by: Principal) -> Result<StartAnswer, Problem>;
    /// Plan and actual of a run of a workload, side by side.
    async fn workload_report(&self, run: RunId) -> Result<WorkloadReport, Problem>;
    /// Takes an event in; answers after the inbox commit. The token is the deployment's.
    async fn event_put(
        &self,
        deployment: &str,
        token: Option<&str>,
        event: CloudEvent,
    ) -> Result<bool, Problem>;
    /// Answers a call of an exposed workflow.
    async fn exposed_call(
        &self,
        deployment: &str,
        call: ExposedCall,
    ) -> Result<ExposedReply, Problem>;

    /// What this machine can do.
    async fn capabilities(&self) -> Result<Vec<Capability>, Problem>;
    /// Checks the store; what is found, in sentences.
    async fn store_verify(&self) -> Result<Vec<String>, Problem>;
    /// Writes a complete copy of the store, with its key, into a new folder.
    async fn store_backup(&self, to: std::path::PathBuf) -> Result<(), Problem>;
    /// Is nothing under way and nothing deployed, so that the server may end?
    async fn is_idle(&self) -> Result<bool, Problem>;
    /// Lets running steps finish, writes what is open, and stops. The instances go on.
    async fn shutdown(&self) -> Result<(), Problem>;
    /// Ends what is kept for this home when no deployment is left: its port holder.
    async fn teardown(&self) -> Result<(), Problem>;
}
