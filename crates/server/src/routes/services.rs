//! Services, their instances, logs and commands inside them.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use consort_driver::LogQuery;
use consort_engine::control::{ExecRequest, ScaleRequest, ServiceAction, ServiceView};
use consort_model::{Address, Code, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, By, Shared, parse};
use crate::answer::{Answer, Begun, Refused};
use crate::sse;

/// Services by name; all if none is named.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServicesBody {
    #[serde(default)]
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct LogsQuery {
    /// Only of these nodes, separated by commas.
    of: Option<String>,
    /// Not before, in milliseconds since 1970.
    since: Option<i64>,
    /// Not after, in milliseconds since 1970.
    until: Option<i64>,
    /// Only the last so many of each instance.
    tail: Option<usize>,
    /// Go on with new lines.
    #[serde(default)]
    follow: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct FeedQuery {
    /// Only of this deployment.
    deployment: Option<String>,
}

#[utoipa::path(get, path = "/v1/deployments/{name}/services", tag = "services", params(("name" = String, Path)),
    responses((status = 200, description = "Services and their instances", body = Vec<Object>)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Answer<Vec<ServiceView>> {
    Ok(Json(shared.control.services(&name).await?))
}

#[utoipa::path(post, path = "/v1/deployments/{name}/services/{action}", tag = "services", request_body = ServicesBody,
    params(("name" = String, Path), ("action" = String, Path, description = "stop, start, restart or repair")),
    responses((status = 202, description = "The run has begun")))]
pub(crate) async fn act(
    State(shared): State<Shared>,
    By(by): By,
    Path((name, action)): Path<(String, String)>,
    Body(body): Body<ServicesBody>,
) -> Result<Response, Refused> {
    let action = match action.as_str() {
        "stop" => ServiceAction::Stop,
        "start" => ServiceAction::Start,
        "restart" => ServiceAction::Restart,
        "repair" => ServiceAction::Repair,
        other => {
            let message = format!("`{other}` is none of stop, start, restart, repair");
            return Err(Problem::new(Code::REQUEST_INVALID, message).into());
        }
    };
    let run = shared
        .control
        .service_action(&name, action, body.services, by)
        .await?;
    Ok(Begun(run).into_response())
}

#[utoipa::path(post, path = "/v1/deployments/{name}/scale", tag = "services", request_body = Object, params(("name" = String, Path)),
    responses((status = 202, description = "The run has begun")))]
pub(crate) async fn scale(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<ScaleRequest>,
) -> Result<Response, Refused> {
    let run = shared.control.scale(&name, request, by).await?;
    Ok(Begun(run).into_response())
}

#[utoipa::path(get, path = "/v1/deployments/{name}/logs", tag = "services", params(("name" = String, Path), LogsQuery),
    responses((status = 200, description = "Lines as server-sent events", content_type = "text/event-stream")))]
pub(crate) async fn logs(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<LogsQuery>,
) -> Result<Response, Refused> {
    let of = query.of.as_deref().unwrap_or_default();
    let of: Vec<Address> = of
        .split(',')
        .filter(|text| !text.is_empty())
        .map(|text| parse(text, "the address"))
        .collect::<Result<_, _>>()?;
    let query = LogQuery {
        of,
        since: query.since.map(Timestamp::from_millis),
        until: query.until.map(Timestamp::from_millis),
        tail: query.tail,
        follow: query.follow,
    };
    Ok(sse::send(shared.control.logs(&name, query).await?, |_| {
        None
    }))
}

#[utoipa::path(post, path = "/v1/deployments/{name}/exec", tag = "services", request_body = Object, params(("name" = String, Path)),
    responses((status = 200, description = "Output and exit code as server-sent events", content_type = "text/event-stream")))]
pub(crate) async fn exec(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<ExecRequest>,
) -> Result<Response, Refused> {
    if request.command.is_empty() {
        return Err(Problem::new(Code::REQUEST_INVALID, "no command is named").into());
    }
    Ok(sse::send(
        shared.control.exec(&name, request, by).await?,
        |_| None,
    ))
}

#[utoipa::path(get, path = "/v1/feed", tag = "services", params(FeedQuery),
    responses((status = 200, description = "What happens, as server-sent events", content_type = "text/event-stream")))]
pub(crate) async fn feed(
    State(shared): State<Shared>,
    Query(query): Query<FeedQuery>,
) -> Result<Response, Refused> {
    Ok(sse::send(
        shared.control.feed(query.deployment).await?,
        |_| None,
    ))
}
