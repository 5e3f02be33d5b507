//! The HTTP interface of `hub`.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::extract::Params;
use crate::problem::Problem;

use super::edition::Edition;
use super::follow::Source;
use super::stream::{Start, Subscriber, events};
use super::window::Window;

/// Subscribers at one time.
const SUBSCRIBER_LIMIT: usize = 10_000;
/// Older messages that a subscriber may begin with by `last`.
const LAST_LIMIT: u64 = 1000;
/// Largest answer of `/payload`, in bytes.
const PAYLOAD_LIMIT: usize = 4 * 1024 * 1024;
/// How often a comment is sent, so that a connection that died is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What `/payload` is cut from.
static PAYLOAD: LazyLock<Bytes> =
    LazyLock::new(|| Bytes::from("0123456789abcde\n".repeat(PAYLOAD_LIMIT / 16)));

/// The service's state.
#[derive(Clone)]
pub struct Hub {
    /// Which version this is.
    pub edition: &'static Edition,
    /// Which instance this is.
    pub instance: String,
    /// The last messages.
    pub window: Arc<Window>,
    /// Where older messages are.
    pub source: Source,
    /// Ends streams.
    pub stop: CancellationToken,
    /// Places for subscribers.
    pub places: Arc<Semaphore>,
}

/// As many places for subscribers as there are.
#[must_use]
pub fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(SUBSCRIBER_LIMIT))
}

/// The routes.
pub fn router(hub: Hub) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/events", get(subscribe))
        .route("/version", get(version))
        .route("/healthz", get(healthz))
        .route("/payload/{bytes}", get(payload))
        .with_state(hub)
}

async fn page(State(hub): State<Hub>) -> Html<String> {
    Html(hub.edition.page())
}

async fn version(State(hub): State<Hub>) -> Json<Value> {
    Json(json!({"program": "hub", "version": hub.edition.version, "instance": hub.instance}))
}

/// Ready once the mailbox was reached; a mailbox that is away later stops no stream.
async fn healthz(State(hub): State<Hub>) -> Result<&'static str, Problem> {
    let reached = hub.window.head().borrow().is_some();
    reached
        .then_some("ok\n")
        .ok_or_else(|| Problem::unavailable("the mailbox was not reached yet"))
}

/// An answer of so many bytes, for measurements of what lies between.
async fn payload(Path(bytes): Path<String>) -> Result<Bytes, Problem> {
    let count: Option<usize> = bytes.parse().ok();
    let count = count.filter(|count| *count <= PAYLOAD_LIMIT);
    count
        .map(|count| PAYLOAD.slice(..count))
        .ok_or_else(|| Problem::bad_request(format!("ask for 0 to {PAYLOAD_LIMIT} bytes")))
}

#[derive(Deserialize)]
struct SubscribeParams {
    customer: Option<u32>,
    after: Option<u64>,
    #[serde(default)]
    last: u64,
}

async fn subscribe(
    State(hub): State<Hub>,
    Params(params): Params<SubscribeParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let permit = hub
        .places
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable("there are too many subscribers; try again"))?;
    // What the browser saw last wins over where the page wanted to begin.
    let start = match (last_event_id(&headers)?, params.after) {
        (Some(offset), _) | (None, Some(offset)) => Start::After(offset),
        (None, None) => Start::Last(params.last.min(LAST_LIMIT)),
    };
    let subscriber = Subscriber {
        window: hub.window,
        source: hub.source,
        stop: hub.stop,
        customer: params.customer,
        permit,
    };
    let stream =
        Sse::new(events(subscriber, start)).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok(([(header::CACHE_CONTROL, "no-store")], stream).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let offset = value.to_str().ok().and_then(|text| text.parse().ok());
    offset
        .map(Some)
        .ok_or_else(|| Problem::bad_request("Last-Event-ID is the id of an event of this stream"))
}
