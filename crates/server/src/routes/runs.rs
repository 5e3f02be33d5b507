//! Runs.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use consort_engine::control::{RunDetail, StartAnswer, StartRequest, WorkloadReport};
use consort_model::run::RunSummary;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, By, Shared, key, parse};
use crate::answer::{Answer, Refused};
use crate::sse;

/// Lists are at most so long.
const MOST: u32 = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ListQuery {
    /// Only of this deployment.
    deployment: Option<String>,
    /// At most so many; 50 if nothing is said.
    limit: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct WatchQuery {
    /// Only what is recorded after this record.
    after: Option<u64>,
}

/// How a run is stopped.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CancelBody {
    /// Give up what is under way, too.
    #[serde(default)]
    pub(crate) now: bool,
}

/// The answer to a doubt.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ResolveBody {
    /// Which step.
    pub(crate) step: String,
    /// Did it take effect?
    pub(crate) happened: bool,
}

#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(ListQuery),
    responses((status = 200, description = "Runs, newest first", body = Vec<Object>)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Answer<Vec<RunSummary>> {
    let limit = query.limit.unwrap_or(50).min(MOST);
    Ok(Json(
        shared.control.run_list(query.deployment, limit).await?,
    ))
}

#[utoipa::path(get, path = "/v1/runs/{run}", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, description = "The run with its steps", body = Object), (status = 404, description = "There is no such run")))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(run): Path<String>,
) -> Answer<RunDetail> {
    Ok(Json(
        shared
            .control
            .run_detail(parse(&run, "the id of a run")?)
            .await?,
    ))
}

#[utoipa::path(get, path = "/v1/runs/{run}/events", tag = "runs", params(("run" = String, Path), WatchQuery),
    responses((status = 200, description = "Its records as server-sent events; `Last-Event-ID` resumes", content_type = "text/event-stream")))]
pub(crate) async fn events(
    State(shared): State<Shared>,
    Path(run): Path<String>,
    Query(query): Query<WatchQuery>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let after = last.or(query.after).unwrap_or(0);
    let feed = shared
        .control
        .run_watch(parse(&run, "the id of a run")?, after)
        .await?;
    Ok(sse::send(feed, |event| Some(event.seq)))
}

#[utoipa::path(post, path = "/v1/runs/{run}/cancel", tag = "runs", request_body = CancelBody, params(("run" = String, Path)),
    responses((status = 202, description = "It will stop")))]
pub(crate) async fn cancel(
    State(shared): State<Shared>,
    By(by): By,
    Path(run): Path<String>,
    Body(body): Body<CancelBody>,
) -> Result<StatusCode, Refused> {
    shared
        .control
        .run_cancel(parse(&run, "the id of a run")?, body.now, by)
        .await?;
    Ok(StatusCode::ACCEPTED)
}

#[utoipa::path(post, path = "/v1/runs/{run}/resume", tag = "runs", params(("run" = String, Path)),
    responses((status = 202, description = "It goes on")))]
pub(crate) async fn resume(
    State(shared): State<Shared>,
    By(by): By,
    Path(run): Path<String>,
) -> Result<StatusCode, Refused> {
    shared
        .control
        .run_resume(parse(&run, "the id of a run")?, by)
        .await?;
    Ok(StatusCode::ACCEPTED)
}

#[utoipa::path(post, path = "/v1/runs/{run}/resolve", tag = "runs", request_body = ResolveBody, params(("run" = String, Path)),
    responses((status = 202, description = "The doubt is settled")))]
pub(crate) async fn resolve(
    State(shared): State<Shared>,
    By(by): By,
    Path(run): Path<String>,
    Body(body): Body<ResolveBody>,
) -> Result<StatusCode, Refused> {
    let run = parse(&run, "the id of a run")?;
    shared
        .control
        .run_resolve(run, body.step, body.happened, by)
        .await?;
    Ok(StatusCode::ACCEPTED)
}

#[utoipa::path(get, path = "/v1/runs/{run}/workload", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, description = "Plan and actual side by side", body = Object)))]
pub(crate) async fn workload(
    State(shared): State<Shared>,
    Path(run): Path<String>,
) -> Answer<WorkloadReport> {
    Ok(Json(
        shared
            .control
            .workload_report(parse(&run, "the id of a run")?)
            .await?,
    ))
}

/// A workload, job or workflow that shall start.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StartBody {
    /// `workloads.nightly`, `jobs.vacuum`, `workflows.fulfil`.
    pub(crate) address: String,
    /// The input of a workflow.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) input: serde_json::Value,
    /// Another deadline for this run of a workload: `20s`.
    #[serde(default)]
    pub(crate) deadline: Option<String>,
    /// Only plan it.
    #[serde(default)]
    pub(crate) estimate_only: bool,
}

#[utoipa::path(post, path = "/v1/deployments/{name}/start", tag = "runs", request_body = StartBody,
    params(("name" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The run, or the plan of it", body = Object)))]
pub(crate) async fn start(
    State(shared): State<Shared>,
    By(by): By,
    Path(deployment): Path<String>,
    headers: HeaderMap,
    Body(body): Body<StartBody>,
) -> Answer<StartAnswer> {
    let key = key(&headers)?.unwrap_or_else(|| format!("start-{}-{}", body.address, unique()));
    let request = StartRequest {
        deployment,
        address: parse(&body.address, "the address")?,
        input: body.input,
        deadline: body.deadline,
        key,
        estimate_only: body.estimate_only,
    };
    Ok(Json(shared.control.start(request, by).await?))
}

/// A text that no other request of this process has.
fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "{}-{}-{}",
        std::process::id(),
        now.as_nanos(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}
