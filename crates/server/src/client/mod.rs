//! The client: the same requests over the Unix socket of a server, or to a router in this process.

mod events;
mod transport;

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use consort_driver::{Capability, LogLine, LogQuery};
use consort_engine::control::{
    Approval, Description, DriftReport, ExecEvent, ExecRequest, Feed, FeedEvent, PlanAnswer,
    PlanRequest, RollbackRequest, RunDetail, RunEvent, ScaleRequest, ServiceAction, ServiceView,
    StartAnswer, WorkloadReport,
};
use consort_model::bundle::Bundle;
use consort_model::id::RunId;
use consort_model::plan::Plan;
use consort_model::revision::{Deployment, Principal, Revision};
use consort_model::run::RunSummary;
use consort_model::{Address, Code, Digest, Problem, StateEntry, Value};
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::version::VersionInfo;
use transport::{Request, Transport};

/// What a request answers: the value, or all problems.
pub type Answer<T> = Result<T, Vec<Problem>>;

/// Talks to a server.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
}

#[derive(Deserialize)]
struct RunAnswer {
    run: RunId,
}

#[derive(Deserialize)]
struct DigestAnswer {
    digest: Digest,
}

#[derive(Deserialize)]
struct DigestsAnswer {
    digests: Vec<Digest>,
}

impl Client {
    /// A client of the server at this socket. Nothing is sent yet.
    pub fn unix(path: &Path) -> Self {
        Self {
            transport: Transport::unix(path),
        }
    }
    /// A client of a router in this process.
    pub fn in_process(router: Router, principal: Principal) -> Self {
        Self {
            transport: Transport::in_process(router.layer(axum::Extension(principal))),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Answer<T> {
        let bytes = self.transport.send(request).await?;
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(text).map_err(|error| {
            vec![
                Problem::new(Code::SERVER_VERSION, "the server's answer cannot be read")
                    .caused_by(&error),
            ]
        })
    }

    /// Who answers.
    pub async fn version(&self) -> Answer<VersionInfo> {
        self.ask(Request::get("/v1/version")).await
    }
    /// Keeps bytes.
    pub async fn blob_put(&self, bytes: Vec<u8>) -> Answer<Digest> {
        let request = Request::new(Method::PUT, "/v1/blobs").bytes(bytes);
        self.ask::<DigestAnswer>(request)
            .await
            .map(|answer| answer.digest)
    }
    /// Which of these are not kept yet?
    pub async fn blob_missing(&self, digests: Vec<Digest>) -> Answer<Vec<Digest>> {
        let request = Request::post("/v1/blobs/missing", &json!({"digests": digests}));
        self.ask::<DigestsAnswer>(request)
            .await
            .map(|answer| answer.digests)
    }
    /// Keeps a bundle.
    pub async fn bundle_put(&self, bundle: &Bundle) -> Answer<Digest> {
        self.ask::<DigestAnswer>(Request::post("/v1/bundles", bundle))
            .await
            .map(|answer| answer.digest)
    }
    /// Makes a plan.
    pub async fn plan(&self, request: &PlanRequest) -> Answer<PlanAnswer> {
        self.ask(Request::post("/v1/plans", request)).await
    }
    /// A plan that is kept.
    pub async fn plan_get(&self, digest: Digest) -> Answer<Plan> {
        self.ask(Request::get(format!("/v1/plans/{digest}"))).await
    }
    /// Plans to go back.
    pub async fn rollback_plan(&self, request: &RollbackRequest) -> Answer<PlanAnswer> {
        self.ask(Request::post("/v1/rollbacks", request)).await
    }
    /// Begins to carry a plan out.
    pub async fn apply(&self, plan: Digest, approval: Approval, key: &str) -> Answer<RunId> {
        let request = Request::post(
            format!("/v1/plans/{plan}/apply"),
            &json!({"approval": approval}),
        )
        .key(key);
        self.ask::<RunAnswer>(request)
            .await
            .map(|answer| answer.run)
    }
    /// Runs, newest first.
    pub async fn run_list(&self, deployment: Option<&str>, limit: u32) -> Answer<Vec<RunSummary>> {
        let request = Request::get("/v1/runs")
            .query("limit", limit)
            .optional("deployment", deployment);
        self.ask(request).await
    }
    /// One run with its steps.
    pub async fn run_detail(&self, run: RunId) -> Answer<RunDetail> {
        self.ask(Request::get(format!("/v1/runs/{run}"))).await
    }
    /// Events of a run after a record. A broken connection is an error item; ask again after the last
    /// event that came.
    pub async fn run_watch(&self, run: RunId, after: u64) -> Answer<Feed<RunEvent>> {
        self.stream(Request::get(format!("/v1/runs/{run}/events")).query("after", after))
            .await
    }
    /// Stops a run.
    pub async fn run_cancel(&self, run: RunId, now: bool) -> Answer<()> {
        self.ask(Request::post(
            format!("/v1/runs/{run}/cancel"),
            &json!({"now": now}),
        ))
        .await
    }
    /// Goes on with a run.
    pub async fn run_resume(&self, run: RunId) -> Answer<()> {
        self.ask(Request::post(format!("/v1/runs/{run}/resume"), &json!({})))
            .await
    }
    /// Settles a doubt.
    pub async fn run_resolve(&self, run: RunId, step: &str, happened: bool) -> Answer<()> {
        let body = json!({"step": step, "happened": happened});
        self.ask(Request::post(format!("/v1/runs/{run}/resolve"), &body))
            .await
    }
    /// Plan and actual of a run of a workload.
    pub async fn workload_report(&self, run: RunId) -> Answer<WorkloadReport> {
        self.ask(Request::get(format!("/v1/runs/{run}/workload")))
            .await
    }
    /// Deployments by name.
    pub async fn deployment_list(&self) -> Answer<Vec<Deployment>> {
        self.ask(Request::get("/v1/deployments")).await
    }
    /// One deployment.
    pub async fn deployment_get(&self, name: &str) -> Answer<Deployment> {
        self.ask(of(name, "")).await
    }
    /// What is recorded.
    pub async fn state_list(&self, name: &str) -> Answer<Vec<StateEntry>> {
        self.ask(of(name, "/state")).await
    }
    /// Revisions, newest first.
    pub async fn revision_list(&self, name: &str) -> Answer<Vec<Revision>> {
        self.ask(of(name, "/revisions")).await
    }
    /// Outputs; the one named by `reveal` with its secret.
    pub async fn outputs(&self, name: &str, reveal: Option<&str>) -> Answer<Vec<(String, Value)>> {
        self.ask(of(name, "/outputs").optional("reveal", reveal))
            .await
    }
    /// What differs from what is recorded.
    pub async fn drift(&self, name: &str, only: &[Address]) -> Answer<DriftReport> {
        let only: Vec<String> = only.iter().map(Address::to_string).collect();
        self.ask(of(name, "/drift").query("only", only.join(",")))
            .await
    }
    /// All that is known about a node.
    pub async fn describe(&self, name: &str, address: &Address) -> Answer<Description> {
        self.ask(of(name, "/describe").query("address", address))
            .await
    }
    /// Services and their instances.
    pub async fn services(&self, name: &str) -> Answer<Vec<ServiceView>> {
        self.ask(of(name, "/services")).await
    }
    /// Stops, starts or restarts services.
    pub async fn service_action(
        &self,
        name: &str,
        action: ServiceAction,
        services: &[String],
    ) -> Answer<RunId> {
        let word = match action {
            ServiceAction::Stop => "stop",
            ServiceAction::Start => "start",
            ServiceAction::Restart => "restart",
            ServiceAction::Repair => "repair",
        };
        let request = Request::post(
            path(name, &format!("/services/{word}")),
            &json!({"services": services}),
        );
        self.ask::<RunAnswer>(request)
            .await
            .map(|answer| answer.run)
    }
    /// Sets numbers of instances.
    pub async fn scale(&self, name: &str, replicas: BTreeMap<String, u32>) -> Answer<RunId> {
        let request = Request::post(path(name, "/scale"), &ScaleRequest { replicas });
        self.ask::<RunAnswer>(request)
            .await
            .map(|answer| answer.run)
    }
    /// Lines of logs.
    pub async fn logs(&self, name: &str, query: &LogQuery) -> Answer<Feed<LogLine>> {
        let of_nodes: Vec<String> = query.of.iter().map(Address::to_string).collect();
        let request = of(name, "/logs")
            .query("of", of_nodes.join(","))
            .optional(
                "since",
                query.since.map(|at| at.millis().to_string()).as_deref(),
            )
            .optional(
                "until",
                query.until.map(|at| at.millis().to_string()).as_deref(),
            )
            .optional("tail", query.tail.map(|tail| tail.to_string()).as_deref())
            .query("follow", query.follow);
        self.stream(request).await
    }
    /// Runs a command inside an instance.
    pub async fn exec(&self, name: &str, request: &ExecRequest) -> Answer<Feed<ExecEvent>> {
        self.stream(Request::post(path(name, "/exec"), request))
            .await
    }
    /// What happens from now on.
    pub async fn feed(&self, deployment: Option<&str>) -> Answer<Feed<FeedEvent>> {
        self.stream(Request::get("/v1/feed").optional("deployment", deployment))
            .await
    }
    /// Starts a workload, job or workflow.
    pub async fn start(&self, name: &str, start: Start<'_>) -> Answer<StartAnswer> {
        let body = json!({
            "address": start.address,
            "input": start.input,
            "deadline": start.deadline,
            "estimate_only": start.estimate_only,
        });
        let request = Request::post(path(name, "/start"), &body);
        self.ask(match start.key {
            Some(key) => request.key(key),
            None => request,
        })
        .await
    }
    /// What the server's machine can do.
    pub async fn capabilities(&self) -> Answer<Vec<Capability>> {
        self.ask(Request::get("/v1/capabilities")).await
    }
    /// Checks the store.
    pub async fn store_verify(&self) -> Answer<Vec<String>> {
        self.ask(Request::post("/v1/store/verify", &json!({})))
            .await
    }
    /// Copies the store into a new folder.
    pub async fn store_backup(&self, to: &Path) -> Answer<()> {
        self.ask(Request::post("/v1/store/backup", &json!({"to": to})))
            .await
    }
    /// Ends the server.
    pub async fn shutdown(&self, if_idle: bool, teardown: bool) -> Answer<()> {
        self.ask(Request::post(
            "/v1/shutdown",
            &json!({"if_idle": if_idle, "teardown": teardown}),
        ))
        .await
    }

    async fn stream<T: DeserializeOwned + Send + 'static>(
        &self,
        request: Request,
    ) -> Answer<Feed<T>> {
        let body = self.transport.open(request).await?;
        Ok(events::read(body))
    }
}

/// Something that shall start.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// `workloads.nightly`, `jobs.vacuum`, `workflows.fulfil`.
    pub address: &'a Address,
    /// The input of a workflow.
    pub input: &'a Value,
    /// Another deadline for this run of a workload.
    pub deadline: Option<&'a str>,
    /// Only plan it.
    pub estimate_only: bool,
    /// Finds the run again.
    pub key: Option<&'a str>,
}

fn path(deployment: &str, rest: &str) -> String {
    format!("/v1/deployments/{}{rest}", transport::encode(deployment))
}

fn of(deployment: &str, rest: &str) -> Request {
    Request::get(path(deployment, rest))
}
