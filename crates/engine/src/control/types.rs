//! Requests and answers.

use std::collections::BTreeMap;

use consort_model::blueprint::Warning;
use consort_model::id::RunId;
use consort_model::plan::{Difference, Mode, Plan};
use consort_model::revision::RevisionNumber;
use consort_model::run::{RunStatus, RunSummary};
use consort_model::time::Span;
use consort_model::units::MicroUsd;
use consort_model::{Address, Digest, Problem, StateEntry, Timestamp, Value};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// A plan that shall be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanRequest {
    /// The deployment's name.
    pub deployment: String,
    /// The bundle; the newest revision's if none is named (destroy, refresh).
    #[serde(default)]
    pub bundle: Option<Digest>,
    /// Values of inputs, as given; the rest takes its defaults.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
    /// What for.
    pub mode: Mode,
    /// Only these nodes, and what they depend on.
    #[serde(default)]
    pub only: Vec<Address>,
    /// Replace these nodes.
    #[serde(default)]
    pub replace: Vec<Address>,
    /// Look at the world first.
    #[serde(default = "yes")]
    pub refresh: bool,
}

const fn yes() -> bool {
    true
}

/// A plan, and the digest that it is kept under.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanAnswer {
    /// What an approval binds to.
    pub digest: Digest,
    /// The plan.
    pub plan: Plan,
}

/// How the questions of a plan were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody was asked: refused if the plan has questions.
    NotAsked,
    /// A person or policy said yes.
    Approved,
}

/// A plan that shall be carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApplyRequest {
    /// The digest of the kept plan.
    pub plan: Digest,
    /// How its questions were answered.
    pub approval: Approval,
    /// Finds the run again when the request is repeated.
    pub key: String,
}

/// Going back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RollbackRequest {
    /// The deployment's name.
    pub deployment: String,
    /// To which revision; the one before the newest if none is named.
    #[serde(default)]
    pub revision: Option<RevisionNumber>,
}

/// Everything away.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DownRequest {
    /// The deployment's name.
    pub deployment: String,
    /// Named volumes too.
    #[serde(default)]
    pub volumes: bool,
}

/// A step of a run, for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepView {
    /// `create resources.key`, `/do/0/charge`.
    pub step: String,
    /// `planned`, `running`, `succeeded`, `failed`, `skipped`, `in doubt`, `waiting`.
    pub status: String,
    /// Which try.
    pub attempt: u32,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why it failed, or what it waits for.
    pub detail: Option<String>,
}

/// One run with its steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunDetail {
    /// What lists show.
    pub summary: RunSummary,
    /// Its steps, in the order of their beginning.
    pub steps: Vec<StepView>,
    /// What it gave back.
    pub output: Option<Value>,
    /// What went wrong.
    pub problems: Vec<Problem>,
    /// The last record that this is made from.
    pub last: u64,
}

/// Something that happened in a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunEvent {
    /// The record; resume a watch after it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The kind of record: `StepPlanned`, `StepEnded`, `RunEnded`, …
    pub kind: String,
    /// The step that it is about.
    pub step: Option<String>,
    /// How the run stands.
    pub status: RunStatus,
    /// One line for people.
    pub text: String,
    /// The record's fields; secrets are tokens.
    pub body: Value,
}

/// All that is known about one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Which node.
    pub address: Address,
    /// What is recorded.
    pub recorded: Option<StateEntry>,
    /// Its service, if it is one.
    pub service: Option<ServiceView>,
    /// What it depends on.
    pub depends_on: Vec<Address>,
    /// What depends on it.
    pub dependents: Vec<Address>,
    /// Its last runs.
    pub runs: Vec<RunSummary>,
    /// What was noticed.
    pub warnings: Vec<Warning>,
}

/// Differences between what is recorded and what is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DriftReport {
    /// By node; nodes without a difference are left out.
    pub drifted: IndexMap<Address, Vec<Difference>>,
    /// Nodes that are recorded and gone.
    pub gone: Vec<Address>,
    /// Nodes that cannot be seen from here, and why.
    pub unreachable: Vec<(Address, String)>,
    /// How many nodes were looked at.
    pub checked: usize,
}

/// An instance, for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceView {
    /// `services.api#2`.
    pub address: Address,
    /// The runtime's own name of it.
    pub id: String,
    /// The first digits of its version.
    pub version: String,
    /// `ready`, `starting`, …
    pub phase: String,
    /// The main process.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
    /// Its own address.
    pub ip: Option<String>,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<String>,
}

/// A service, for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// How many instances it shall have.
    pub replicas: u32,
    /// How many are ready.
    pub ready: u32,
    /// The command or image.
    pub command: String,
    /// `127.0.0.1:8080->80/tcp`.
    pub ports: Vec<String>,
    /// Its instances.
    pub instances: Vec<InstanceView>,
    /// A person stopped it.
    pub stopped: bool,
}

/// What is done to services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceAction {
    /// All instances stop; the service stays.
    Stop,
    /// They start again.
    Start,
    /// One after the other, by the roll-out policy.
    Restart,
    /// Instances that have died are started again; the rest is left alone.
    Repair,
}

/// The number of instances of services.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScaleRequest {
    /// By the service's name.
    pub replicas: BTreeMap<String, u32>,
}

/// A command inside an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExecRequest {
    /// The service.
    pub service: String,
    /// Which instance; the first if none is named.
    #[serde(default)]
    pub index: Option<u32>,
    /// The command.
    pub command: Vec<String>,
    /// Its standard input.
    #[serde(default)]
    pub stdin: Option<String>,
}

/// What a command inside an instance does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecEvent {
    /// Bytes of standard output, base64.
    Stdout(String),
    /// Bytes of standard error, base64.
    Stderr(String),
    /// It ended.
    Exit(i32),
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FeedEvent {
    /// When.
    pub at: Timestamp,
    /// The deployment.
    pub deployment: String,
    /// Which node or run.
    pub subject: String,
    /// `run`, `instance`, `event`.
    pub kind: String,
    /// One line for people.
    pub text: String,
}

/// A workload, job or workflow that shall start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartRequest {
    /// The deployment's name.
    pub deployment: String,
    /// `workloads.nightly`, `jobs.vacuum`, `workflows.fulfil`.
    pub address: Address,
    /// The input of a workflow.
    #[serde(default)]
    pub input: Value,
    /// Another deadline for this run of a workload: `20s`.
    #[serde(default)]
    pub deadline: Option<String>,
    /// Finds the run again when the request is repeated.
    pub key: String,
    /// Only plan it (workloads): nothing is started.
    #[serde(default)]
    pub estimate_only: bool,
}

/// What became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartAnswer {
    /// The run; none when it was only planned.
    pub run: Option<RunId>,
    /// The plan of a workload.
    pub workload: Option<WorkloadReport>,
}

/// One task of a workload, planned and actual.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskReport {
    /// Its name.
    pub task: String,
    /// The node type.
    pub node_type: String,
    /// Which lease.
    pub lease: usize,
    /// Planned begin and end, from the start of the run.
    pub planned: (Span, Span),
    /// Actual begin and end, from the start of the run.
    pub actual: Option<(Span, Span)>,
    /// How it stands.
    pub status: String,
}

/// Plan and actual of a run of a workload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkloadReport {
    /// The workload.
    pub workload: String,
    /// The objective, in words.
    pub objective: String,
    /// Leases by node type.
    pub fleet: BTreeMap<String, u32>,
    /// Planned time and cost.
    pub planned: (Span, MicroUsd),
    /// Actual time and cost at list prices.
    pub actual: Option<(Span, MicroUsd)>,
    /// Its tasks.
    pub tasks: Vec<TaskReport>,
    /// Were shares of processors enforced? If not, why.
    pub enforced: Result<(), String>,
}

/// An event as CloudEvents 1.0 describes it, in structured form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Unique in its source.
    pub id: String,
    /// Where it happened.
    pub source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    /// All attributes and the data, as sent.
    #[serde(flatten)]
    pub rest: consort_model::Object,
}

/// A call of an exposed workflow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExposedCall {
    /// `GET`.
    pub method: String,
    /// `/customers/17`.
    pub path: String,
    /// As sent.
    pub query: BTreeMap<String, String>,
    /// The bearer token, if one was sent.
    pub token: Option<String>,
    /// The body, if it is JSON.
    pub body: Value,
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

/// What it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExposedReply {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Value,
    /// The run that answered.
    pub run: Option<RunId>,
}
