//! The server itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use consort_driver::Capability;
use consort_model::{Code, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Shared};
use crate::answer::{Answer, Refused};
use crate::version::VersionInfo;

/// Counts of this server, in memory.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By hundreds of the status: 1xx to 5xx.
    answers: [AtomicU64; 5],
}

impl Metrics {
    pub(crate) fn note(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }
}

/// Where a copy is written to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BackupBody {
    /// A folder that does not exist yet, on the server's machine.
    #[schema(value_type = String)]
    pub(crate) to: PathBuf,
}

/// How the server ends.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ShutdownBody {
    /// Only if nothing is under way and nothing is deployed.
    #[serde(default)]
    pub(crate) if_idle: bool,
    /// End what is kept for the home too: its port holder. Refused while something is deployed.
    #[serde(default)]
    pub(crate) teardown: bool,
}

#[utoipa::path(get, path = "/v1/health", tag = "system", responses((status = 200, description = "It answers")))]
pub(crate) async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "ok"}))
}

#[utoipa::path(get, path = "/v1/version", tag = "system", responses((status = 200, description = "Versions", body = VersionInfo)))]
pub(crate) async fn version() -> Json<VersionInfo> {
    Json(VersionInfo::own())
}

pub(crate) async fn openapi() -> Json<serde_json::Value> {
    Json(serde_json::to_value(crate::openapi()).unwrap_or_default())
}

#[utoipa::path(get, path = "/v1/capabilities", tag = "system",
    responses((status = 200, description = "What this machine can do", body = Vec<Object>)))]
pub(crate) async fn capabilities(State(shared): State<Shared>) -> Answer<Vec<Capability>> {
    Ok(Json(shared.control.capabilities().await?))
}

#[utoipa::path(post, path = "/v1/store/verify", tag = "system",
    responses((status = 200, description = "What was found; nothing is good", body = Vec<String>)))]
pub(crate) async fn verify(State(shared): State<Shared>) -> Answer<Vec<String>> {
    Ok(Json(shared.control.store_verify().await?))
}

#[utoipa::path(post, path = "/v1/store/backup", tag = "system", request_body = BackupBody,
    responses((status = 200, description = "The copy is complete")))]
pub(crate) async fn backup(
    State(shared): State<Shared>,
    Body(body): Body<BackupBody>,
) -> Result<StatusCode, Refused> {
    if !body.to.is_absolute() {
        return Err(Problem::new(
            Code::REQUEST_INVALID,
            "the folder must be named by an absolute path",
        )
        .into());
    }
    shared.control.store_backup(body.to).await?;
    Ok(StatusCode::OK)
}

#[utoipa::path(post, path = "/v1/shutdown", tag = "system", request_body = ShutdownBody,
    responses((status = 202, description = "It ends; what runs goes on")))]
pub(crate) async fn shutdown(
    State(shared): State<Shared>,
    Body(body): Body<ShutdownBody>,
) -> Result<StatusCode, Refused> {
    if body.if_idle && !shared.control.is_idle().await? {
        return Err(Problem::new(Code::RUN_BUSY, "something is under way or deployed").into());
    }
    if body.teardown {
        shared.control.teardown().await?;
    }
    shared.stop.cancel();
    Ok(StatusCode::ACCEPTED)
}

/// Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "system", responses((status = 200, description = "Metrics", content_type = "text/plain")))]
pub(crate) async fn metrics(State(shared): State<Shared>) -> Result<String, Refused> {
    let mut text = String::from(
        "# HELP consort_http_answers_total Answers by class of status.\n# TYPE consort_http_answers_total counter\n",
    );
    for (index, count) in shared.metrics.answers.iter().enumerate() {
        let _ = writeln!(
            text,
            "consort_http_answers_total{{class=\"{}xx\"}} {}",
            index + 1,
            count.load(Ordering::Relaxed)
        );
    }
    let mut runs: BTreeMap<&str, u64> = BTreeMap::new();
    for run in shared.control.run_list(None, 1_000).await? {
        *runs.entry(run.status.word()).or_default() += 1;
    }
    text.push_str("# HELP consort_runs Newest 1,000 runs by status.\n# TYPE consort_runs gauge\n");
    for (status, count) in runs {
        let _ = writeln!(text, "consort_runs{{status=\"{status}\"}} {count}");
    }
    Ok(text)
}
