//! Blobs, bundles and plans.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use consort_engine::control::{ApplyRequest, Approval, PlanAnswer, PlanRequest, RollbackRequest};
use consort_model::bundle::Bundle;
use consort_model::plan::Plan;
use consort_model::{Code, Digest, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, By, Shared, key, parse};
use crate::answer::{Answer, Begun, Refused};

/// A digest.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Kept {
    /// BLAKE3, 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub(crate) digest: Digest,
}

/// Digests.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Digests {
    /// BLAKE3, 64 hexadecimal digits each.
    #[schema(value_type = Vec<String>)]
    pub(crate) digests: Vec<Digest>,
}

/// How the questions of a plan were answered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ApplyBody {
    /// `not_asked` or `approved`.
    #[schema(value_type = String)]
    pub(crate) approval: Approval,
}

#[utoipa::path(put, path = "/v1/blobs", tag = "plans", request_body = Vec<u8>,
    responses((status = 200, description = "The bytes are kept", body = Kept)))]
pub(crate) async fn blob(State(shared): State<Shared>, bytes: bytes::Bytes) -> Answer<Kept> {
    Ok(Json(Kept {
        digest: shared.control.blob_put(bytes.to_vec()).await?,
    }))
}

#[utoipa::path(post, path = "/v1/blobs/missing", tag = "plans", request_body = Digests,
    responses((status = 200, description = "Those that are not kept yet", body = Digests)))]
pub(crate) async fn missing(
    State(shared): State<Shared>,
    Body(asked): Body<Digests>,
) -> Answer<Digests> {
    if asked.digests.len() > 10_000 {
        return Err(Problem::new(Code::REQUEST_TOO_LARGE, "at most 10,000 digests at once").into());
    }
    Ok(Json(Digests {
        digests: shared.control.blob_missing(asked.digests).await?,
    }))
}

#[utoipa::path(post, path = "/v1/bundles", tag = "plans", request_body = Object,
    responses((status = 200, description = "The bundle is kept", body = Kept), (status = 400, description = "A blob that it names was not sent")))]
pub(crate) async fn bundle(
    State(shared): State<Shared>,
    Body(bundle): Body<Bundle>,
) -> Answer<Kept> {
    Ok(Json(Kept {
        digest: shared.control.bundle_put(bundle).await?,
    }))
}

#[utoipa::path(post, path = "/v1/plans", tag = "plans", request_body = Object,
    responses((status = 200, description = "The plan, kept under its digest", body = Object), (status = 422, description = "No plan can be made")))]
pub(crate) async fn make(
    State(shared): State<Shared>,
    By(by): By,
    Body(request): Body<PlanRequest>,
) -> Answer<PlanAnswer> {
    Ok(Json(shared.control.plan(request, by).await?))
}

#[utoipa::path(get, path = "/v1/plans/{digest}", tag = "plans", params(("digest" = String, Path)),
    responses((status = 200, description = "The plan", body = Object), (status = 404, description = "It is not kept here")))]
pub(crate) async fn show(State(shared): State<Shared>, Path(digest): Path<String>) -> Answer<Plan> {
    let digest = parse(&digest, "the digest of a plan")?;
    Ok(Json(shared.control.plan_get(digest).await?))
}

#[utoipa::path(post, path = "/v1/plans/{digest}/apply", tag = "plans", request_body = ApplyBody,
    params(("digest" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, description = "The run has begun; `Location` names it"), (status = 409, description = "Stale, refused, or another run is changing the deployment")))]
pub(crate) async fn apply(
    State(shared): State<Shared>,
    By(by): By,
    Path(digest): Path<String>,
    headers: HeaderMap,
    Body(body): Body<ApplyBody>,
) -> Result<Response, Refused> {
    let plan: Digest = parse(&digest, "the digest of a plan")?;
    let key = key(&headers)?.unwrap_or_else(|| format!("plan-{plan}"));
    let run = shared
        .control
        .apply(
            ApplyRequest {
                plan,
                approval: body.approval,
                key,
            },
            by,
        )
        .await?;
    Ok(Begun(run).into_response())
}

#[utoipa::path(post, path = "/v1/rollbacks", tag = "plans", request_body = Object,
    responses((status = 200, description = "The plan that goes back", body = Object)))]
pub(crate) async fn rollback(
    State(shared): State<Shared>,
    By(by): By,
    Body(request): Body<RollbackRequest>,
) -> Answer<PlanAnswer> {
    Ok(Json(shared.control.rollback_plan(request, by).await?))
}
