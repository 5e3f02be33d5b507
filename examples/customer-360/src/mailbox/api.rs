//! The HTTP interface of `mailbox`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::extract::{Body, Params};
use crate::problem::Problem;

use super::message::{Message, Stored};
use super::writer::{AppendFailed, Log, Stats};

/// Longest wait for a message, in seconds.
const WAIT_LIMIT: f64 = 30.0;
/// Messages in one answer.
const PAGE: usize = 1000;
/// Largest message, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// The service's state.
#[derive(Debug, Clone)]
pub struct Mailbox {
    /// The log.
    pub log: Log,
    /// Ends long polls.
    pub stop: CancellationToken,
}

/// The routes.
pub fn router(mailbox: Mailbox) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/messages", get(read).post(append))
        .route("/stats", get(stats))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(mailbox)
}

async fn healthz(State(mailbox): State<Mailbox>) -> Result<&'static str, Problem> {
    match mailbox.log.is_usable() {
        true => Ok("ok\n"),
        false => Err(Problem::unavailable(AppendFailed::Broken.to_string())),
    }
}

async fn append(
    State(mailbox): State<Mailbox>,
    Body(message): Body<Message>,
) -> Result<Response, Problem> {
    if let Some(fault) = message.fault() {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, fault));
    }
    let (id, customer) = (message.id.clone(), message.customer_id);
    match mailbox.log.append(message).await {
        Ok(appended) => {
            info!(
                id,
                customer,
                offset = appended.offset,
                duplicate = appended.duplicate,
                "message"
            );
            let status = if appended.duplicate {
                StatusCode::OK
            } else {
                StatusCode::CREATED
            };
            let answer =
                json!({"id": id, "offset": appended.offset, "duplicate": appended.duplicate});
            Ok((status, Json(answer)).into_response())
        }
        Err(failed @ (AppendFailed::Busy | AppendFailed::Broken)) => Err(Problem::unavailable(
            format!("{failed}; send it again later"),
        )),
        Err(failed @ AppendFailed::Full) => Err(Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            format!("{failed}; free some space and send it again"),
        )),
        Err(failed @ AppendFailed::Differs(_)) => Err(Problem::conflict(failed.to_string())),
    }
}

#[derive(Deserialize)]
struct ReadParams {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait: f64,
    limit: Option<usize>,
    customer: Option<u32>,
}

#[derive(Serialize)]
struct Page {
    messages: Vec<Arc<Stored>>,
    /// The offset to ask after next.
    next: u64,
    /// The offset of the last message of all.
    head: u64,
}

async fn read(
    State(mailbox): State<Mailbox>,
    Params(params): Params<ReadParams>,
) -> Result<Json<Page>, Problem> {
    if !(0.0..=WAIT_LIMIT).contains(&params.wait) {
        return Err(Problem::bad_request(
            "wait is a number of seconds from 0 to 30",
        ));
    }
    let limit = params.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let mut head = mailbox.log.head();
    let find = || mailbox.log.after(params.after, limit, params.customer);
    let wait = async {
        loop {
            // Seen before looking, so that nothing falls between the two.
            let last = *head.borrow_and_update();
            let messages = find();
            if !messages.is_empty() {
                return (messages, last);
            }
            if head.changed().await.is_err() {
                return (messages, last);
            }
        }
    };
    // Both arms only look; dropping them loses nothing.
    let found = tokio::select! {
        found = timeout(Duration::from_secs_f64(params.wait), wait) => found.ok(),
        () = mailbox.stop.cancelled() => None,
    };
    let (messages, head) = found.unwrap_or_else(|| (Vec::new(), *mailbox.log.head().borrow()));
    let full = messages.len() == limit;
    let next = match messages.last() {
        // A page that is not full has seen all up to the head, of other customers too.
        Some(last) if full => last.offset,
        Some(last) => last.offset.max(head),
        None => params.after,
    };
    Ok(Json(Page {
        messages,
        next,
        head,
    }))
}

async fn stats(State(mailbox): State<Mailbox>) -> Json<Stats> {
    Json(mailbox.log.stats())
}
