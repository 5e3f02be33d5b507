//! The HTTP interface of `orders`: XML, as legacy is, and JSON for the replay.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use crate::extract::{Params, path_number};
use crate::problem::Problem;

use super::book::{Book, list_document, order_document};
use super::feed::{Feed, Status, valid_rate};

/// The service's state.
#[derive(Clone)]
pub struct Orders {
    /// All orders.
    pub book: Arc<Book>,
    /// The feed.
    pub feed: Arc<Feed>,
}

/// The routes.
pub fn router(orders: Orders) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/orders", get(list))
        .route("/orders.xml", get(list))
        .route("/orders/{file}", get(order))
        .route("/replay", get(status).post(replay))
        .with_state(orders)
}

fn xml(document: String) -> Response {
    (
        [(header::CONTENT_TYPE, "application/xml; charset=utf-8")],
        document,
    )
        .into_response()
}

async fn order(
    State(orders): State<Orders>,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let number = path_number(file.strip_suffix(".xml").unwrap_or(&file), "an order")?;
    let placed = number <= orders.feed.placed();
    match orders.book.get(number).filter(|_| placed) {
        Some(order) => Ok(xml(order_document(number, order))),
        None => Err(Problem::not_found(format!(
            "order {number} is not placed yet"
        ))),
    }
}

#[derive(Deserialize)]
struct ListParams {
    customer: u32,
}

async fn list(State(orders): State<Orders>, Params(params): Params<ListParams>) -> Response {
    let placed = orders.feed.placed();
    let found = orders.book.of_customer(params.customer, placed);
    xml(list_document(params.customer, found))
}

async fn status(State(orders): State<Orders>) -> Json<Status> {
    Json(orders.feed.status())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayParams {
    /// Orders in addition to those asked for before.
    count: Option<u32>,
    /// All orders up to this number; asking twice changes nothing.
    until: Option<u32>,
    rate: Option<f64>,
}

async fn replay(
    State(orders): State<Orders>,
    Params(params): Params<ReplayParams>,
) -> Result<Response, Problem> {
    if !orders.feed.has_sink() {
        return Err(Problem::unavailable(
            "K_SINK is not set, so there is nowhere to send events",
        ));
    }
    let rate = params.rate.map(|rate| {
        valid_rate(rate).ok_or_else(|| {
            Problem::bad_request("rate is a number of events per second between 0.01 and 10000")
        })
    });
    let rate = rate.transpose()?;
    let status = match (params.count, params.until) {
        (Some(count), None) => {
            orders
                .feed
                .raise(|target| target.saturating_add(count), rate)
                .await
        }
        (None, Some(until)) => orders.feed.raise(|_| until, rate).await,
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "say count=N for N more orders, or until=N for all up to order N",
            ));
        }
    };
    Ok((StatusCode::ACCEPTED, Json(status)).into_response())
}
