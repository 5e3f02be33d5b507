//! Deployments: what is recorded of them.

use axum::Json;
use axum::extract::{Path, Query, State};
use consort_engine::control::{Description, DriftReport};
use consort_model::revision::{Deployment, Revision};
use consort_model::{Address, StateEntry, Value};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Shared, parse};
use crate::answer::Answer;

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct RevealQuery {
    /// Shows the secret in this output.
    reveal: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct AddressQuery {
    /// The node.
    address: String,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct OnlyQuery {
    /// Only these nodes, separated by commas.
    only: Option<String>,
}

#[utoipa::path(get, path = "/v1/deployments", tag = "deployments",
    responses((status = 200, description = "By name", body = Vec<Object>)))]
pub(crate) async fn list(State(shared): State<Shared>) -> Answer<Vec<Deployment>> {
    Ok(Json(shared.control.deployment_list().await?))
}

#[utoipa::path(get, path = "/v1/deployments/{name}", tag = "deployments", params(("name" = String, Path)),
    responses((status = 200, description = "The deployment", body = Object), (status = 404, description = "There is no such deployment")))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Answer<Deployment> {
    Ok(Json(shared.control.deployment_get(&name).await?))
}

#[utoipa::path(get, path = "/v1/deployments/{name}/state", tag = "deployments", params(("name" = String, Path)),
    responses((status = 200, description = "What is recorded, by address; secrets are handles", body = Vec<Object>)))]
pub(crate) async fn state(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Answer<Vec<StateEntry>> {
    Ok(Json(shared.control.state_list(&name).await?))
}

#[utoipa::path(get, path = "/v1/deployments/{name}/revisions", tag = "deployments", params(("name" = String, Path)),
    responses((status = 200, description = "Newest first", body = Vec<Object>)))]
pub(crate) async fn revisions(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Answer<Vec<Revision>> {
    Ok(Json(shared.control.revision_list(&name).await?))
}

#[utoipa::path(get, path = "/v1/deployments/{name}/outputs", tag = "deployments", params(("name" = String, Path), RevealQuery),
    responses((status = 200, description = "Names and values", body = Vec<Object>)))]
pub(crate) async fn outputs(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<RevealQuery>,
) -> Answer<Vec<(String, Value)>> {
    Ok(Json(
        shared
            .control
            .outputs(&name, query.reveal.as_deref())
            .await?,
    ))
}

#[utoipa::path(get, path = "/v1/deployments/{name}/drift", tag = "deployments", params(("name" = String, Path), OnlyQuery),
    responses((status = 200, description = "Differences between what is recorded and what is there", body = Object)))]
pub(crate) async fn drift(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<OnlyQuery>,
) -> Answer<DriftReport> {
    let only = query.only.as_deref().unwrap_or_default();
    let only: Vec<Address> = only
        .split(',')
        .filter(|text| !text.is_empty())
        .map(|text| parse(text, "the address"))
        .collect::<Result<_, _>>()?;
    Ok(Json(shared.control.drift(&name, only).await?))
}

#[utoipa::path(get, path = "/v1/deployments/{name}/describe", tag = "deployments", params(("name" = String, Path), AddressQuery),
    responses((status = 200, description = "All that is known about a node", body = Object)))]
pub(crate) async fn describe(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<AddressQuery>,
) -> Answer<Description> {
    let address = parse(&query.address, "the address")?;
    Ok(Json(shared.control.describe(&name, &address).await?))
}
