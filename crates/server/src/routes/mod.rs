//! The routes, by what they are about.

mod deployments;
mod events;
mod plans;
mod runs;
mod services;
mod system;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use consort_engine::control::Control;
use consort_model::revision::Principal;
use consort_model::{Code, Problem};
use tokio_util::sync::CancellationToken;

use crate::answer::Refused;

pub(crate) use deployments::{
    __path_describe, __path_drift, __path_list as __path_deployments, __path_outputs,
    __path_revisions, __path_show as __path_deployment, __path_state,
};
pub(crate) use events::{__path_exposed, __path_put as __path_event};
pub(crate) use plans::{
    __path_apply, __path_blob, __path_bundle, __path_make as __path_plan, __path_missing,
    __path_rollback, __path_show as __path_plan_show,
};
pub(crate) use runs::{
    __path_cancel, __path_events as __path_run_events, __path_list as __path_runs, __path_resolve,
    __path_resume, __path_show as __path_run, __path_start, __path_workload,
};
pub(crate) use services::{
    __path_act, __path_exec, __path_feed, __path_list as __path_services, __path_logs, __path_scale,
};
pub(crate) use system::{
    __path_backup, __path_capabilities, __path_health, __path_metrics, __path_shutdown,
    __path_verify, __path_version,
};

/// JSON bodies may be so large.
const JSON_LIMIT: usize = 4 << 20;
/// Blobs (programs and files) may be so large.
const BLOB_LIMIT: usize = 256 << 20;

/// How a router behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Told when a client asks the server to end.
    pub stop: CancellationToken,
}

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) control: Arc<dyn Control>,
    pub(crate) stop: CancellationToken,
    pub(crate) metrics: Arc<system::Metrics>,
}

/// The whole API.
pub fn router(control: Arc<dyn Control>, options: Options) -> Router {
    let metrics = Arc::new(system::Metrics::default());
    let shared = Shared {
        control,
        stop: options.stop,
        metrics: Arc::clone(&metrics),
    };
    let count = move |request: Request, next: Next| {
        let metrics = Arc::clone(&metrics);
        async move {
            let response = next.run(request).await;
            metrics.note(response.status());
            versioned(response)
        }
    };
    let deployment = Router::new()
        .route("/", get(deployments::show))
        .route("/state", get(deployments::state))
        .route("/revisions", get(deployments::revisions))
        .route("/outputs", get(deployments::outputs))
        .route("/drift", get(deployments::drift))
        .route("/describe", get(deployments::describe))
        .route("/services", get(services::list))
        .route("/services/{action}", post(services::act))
        .route("/scale", post(services::scale))
        .route("/logs", get(services::logs))
        .route("/exec", post(services::exec))
        .route("/start", post(runs::start))
        .route("/events", post(events::put))
        // The deployment's own address reaches only what is below `exposed`: events come this way too.
        .route("/exposed/events", post(events::put))
        .route("/exposed/{*path}", axum::routing::any(events::exposed));
    let v1 = Router::new()
        .route("/health", get(system::health))
        .route("/version", get(system::version))
        .route("/openapi.json", get(system::openapi))
        .route("/capabilities", get(system::capabilities))
        .route("/store/verify", post(system::verify))
        .route("/store/backup", post(system::backup))
        .route("/shutdown", post(system::shutdown))
        .route("/feed", get(services::feed))
        .route("/blobs/missing", post(plans::missing))
        .route("/bundles", post(plans::bundle))
        .route("/plans", post(plans::make))
        .route("/plans/{digest}", get(plans::show))
        .route("/plans/{digest}/apply", post(plans::apply))
        .route("/rollbacks", post(plans::rollback))
        .route("/runs", get(runs::list))
        .route("/runs/{run}", get(runs::show))
        .route("/runs/{run}/events", get(runs::events))
        .route("/runs/{run}/cancel", post(runs::cancel))
        .route("/runs/{run}/resume", post(runs::resume))
        .route("/runs/{run}/resolve", post(runs::resolve))
        .route("/runs/{run}/workload", get(runs::workload))
        .route("/deployments", get(deployments::list))
        .nest("/deployments/{name}", deployment)
        .layer(DefaultBodyLimit::max(JSON_LIMIT))
        .merge(
            Router::new()
                .route("/blobs", put(plans::blob))
                .layer(DefaultBodyLimit::max(BLOB_LIMIT)),
        );
    Router::new()
        .nest("/v1", v1)
        .route("/metrics", get(system::metrics))
        .fallback(missing)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(count))
        .with_state(shared)
}

async fn missing(request: Request) -> Response {
    let message = format!(
        "there is nothing at {} {}",
        request.method(),
        request.uri().path()
    );
    let problem =
        Problem::new(Code::REQUEST_INVALID, message).remedy("`/v1/openapi.json` lists the API.");
    let mut response = Refused::from(problem).into_response();
    *response.status_mut() = axum::http::StatusCode::NOT_FOUND;
    response
}

async fn wrong_method(request: Request) -> Response {
    let message = format!(
        "{} cannot be used with {}",
        request.method(),
        request.uri().path()
    );
    let mut response = Refused::from(Problem::new(Code::REQUEST_INVALID, message)).into_response();
    *response.status_mut() = axum::http::StatusCode::METHOD_NOT_ALLOWED;
    response
}

fn versioned(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(
        "consort-version",
        HeaderValue::from_static(env!("CARGO_PKG_VERSION")),
    );
    headers.insert(
        "consort-api",
        HeaderValue::from(crate::version::API_VERSION),
    );
    response
}

/// Who asks: known from the peer of the socket, or the process itself in `standalone` mode.
pub(crate) struct By(pub(crate) Principal);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let known = parts.extensions.get::<Principal>().cloned();
        known
            .map(Self)
            .ok_or_else(|| Problem::new(Code::UNAUTHORIZED, "it is not known who asks").into())
    }
}

/// A JSON body whose mistakes are told as problems.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> axum::extract::FromRequest<S> for Body<T> {
    type Rejection = Refused;
    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let bytes = bytes::Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                let code = match rejection.status().as_u16() {
                    413 => Code::REQUEST_TOO_LARGE,
                    _ => Code::REQUEST_INVALID,
                };
                Problem::new(code, rejection.body_text())
            })?;
        let read = if bytes.is_empty() {
            serde_json::from_str("{}")
        } else {
            serde_json::from_slice(&bytes)
        };
        read.map(Self).map_err(|error| {
            Problem::new(
                Code::REQUEST_INVALID,
                format!("the body cannot be read: {error}"),
            )
            .into()
        })
    }
}

/// Reads a part of a path or query.
pub(crate) fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Refused>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| {
        Problem::new(Code::REQUEST_INVALID, format!("{what}: {error}")).into()
    })
}

/// The idempotency key of a request, or a new one that no other request has.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .ok()
        .filter(|text| !text.is_empty() && text.len() <= 200);
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        Problem::new(
            Code::REQUEST_INVALID,
            "`Idempotency-Key` must be 1 to 200 visible characters",
        )
        .into()
    })
}
