//! The HTTP interface of `crm`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{error, info};

use crate::cdnow::{Purchase, calibration_end, parse_date};
use crate::extract::{Body, Params, path_number};
use crate::lenient;
use crate::problem::Problem;
use crate::program::chain;

use super::access::{Access, Right};
use super::database::{Assignment, Database, DatabaseError, NewPurchase, Profile, Recorded, Stats};

/// Customers in one page of histories, at most and by default.
const PAGE: u32 = 10_000;
/// Assignments in one request.
const ASSIGNMENT_LIMIT: usize = 50_000;
/// Largest body, in bytes.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Longest event id, in bytes.
const EVENT_ID_LIMIT: usize = 200;
/// The segments that there are.
const SEGMENTS: [&str; 3] = ["new", "loyal", "at_risk"];

/// The service's state.
#[derive(Clone)]
pub struct Crm {
    database: Arc<Mutex<Database>>,
    access: Arc<Access>,
}

impl Crm {
    /// A service on this database.
    #[must_use]
    pub fn new(database: Database, access: Access) -> Self {
        Self {
            database: Arc::new(Mutex::new(database)),
            access: Arc::new(access),
        }
    }

    /// Asks the database, away from the threads that serve connections.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Database) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, Problem> {
        let database = Arc::clone(&self.database);
        let task = tokio::task::spawn_blocking(move || {
            // A panic rolled its transaction back, so the connection is still good.
            question(&mut database.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let failure = match task.await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failure)) => chain(&failure),
            Err(failure) => chain(&failure),
        };
        error!(failure, "database");
        Err(Problem::unavailable(
            "the database cannot answer now; try again",
        ))
    }
}

/// The routes.
pub fn router(crm: Crm) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/customers/count", get(count))
        .route("/customers/{id}", get(profile))
        .route("/customers/{id}/purchases", post(record))
        .route("/purchases/summary", get(summary))
        .route("/segments", put(assign))
        .route("/admin/stats", get(stats))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(crm)
}

async fn healthz(State(crm): State<Crm>) -> Result<&'static str, Problem> {
    crm.ask(|database| database.is_seeded())
        .await
        .map(|_| "ok\n")
}

/// Needs no token: a count of all customers says nothing about any of them.
async fn count(State(crm): State<Crm>) -> Result<Json<Value>, Problem> {
    let count = crm.ask(|database| database.customer_count()).await?;
    Ok(Json(json!({"count": count})))
}

async fn profile(
    State(crm): State<Crm>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Profile>, Problem> {
    crm.access.require(&headers, Right::ReadCustomers)?;
    let id = path_number(&id, "a customer")?;
    let profile = crm.ask(move |database| database.profile(id)).await?;
    profile.map(Json).ok_or_else(|| no_customer(id))
}

fn no_customer(id: u32) -> Problem {
    Problem::not_found(format!("there is no customer {id}"))
}

#[derive(Deserialize)]
struct SummaryParams {
    until: Option<String>,
    after: Option<u32>,
    limit: Option<u32>,
}

async fn summary(
    State(crm): State<Crm>,
    Params(params): Params<SummaryParams>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    crm.access.require(&headers, Right::ReadCustomers)?;
    let until = params
        .until
        .map_or_else(|| Ok(calibration_end()), |text| date(&text))?;
    let limit = params.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let after = params.after.unwrap_or(0);
    let histories = crm
        .ask(move |database| database.histories(until, after, limit))
        .await?;
    // A full page may be the last; the next one is then empty.
    let next = histories.last().filter(|_| histories.len() as u32 == limit);
    let next = next.map(|history| history.customer_id);
    Ok(Json(
        json!({"until": until.to_string(), "customers": histories, "next": next}),
    ))
}

fn date(text: &str) -> Result<Date, Problem> {
    parse_date(text)
        .ok_or_else(|| Problem::bad_request(format!("{text:?} is not a date like 1997-09-30")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PurchaseBody {
    event_id: Option<String>,
    date: String,
    #[serde(deserialize_with = "lenient::whole")]
    quantity: u32,
    #[serde(deserialize_with = "lenient::cents")]
    value: u64,
}

async fn record(
    State(crm): State<Crm>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Body<PurchaseBody>, Problem>,
) -> Result<Response, Problem> {
    // Before the body is looked at: who lacks the right learns nothing else.
    let who = crm.access.require(&headers, Right::WritePurchases)?;
    let Body(body) = body?;
    let customer = path_number(&id, "a customer")?;
    let event_id = event_id(&headers, body.event_id)?;
    let purchase = Purchase {
        customer,
        date: date(&body.date)?,
        quantity: body.quantity,
        cents: i64::try_from(body.value)
            .map_err(|_| Problem::bad_request("the value is too large"))? as u64,
    };
    let new = NewPurchase {
        event_id: event_id.clone(),
        purchase,
    };
    let (status, number) = match crm.ask(move |database| database.record(&new)).await? {
        Recorded::New(number) => (StatusCode::CREATED, number),
        Recorded::Before(number) => (StatusCode::OK, number),
        Recorded::NoCustomer => return Err(no_customer(customer)),
        Recorded::Differs(number) => {
            return Err(Problem::conflict(format!(
                "event {event_id:?} is already recorded as purchase {number}, with other content"
            )));
        }
    };
    let duplicate = status == StatusCode::OK;
    info!(who, customer, event_id, duplicate, "purchase");
    let answer = json!({
        "purchase_id": number, "customer_id": customer, "event_id": event_id, "duplicate": duplicate,
    });
    Ok((status, Json(answer)).into_response())
}

/// The event id of the body, or else the `Idempotency-Key`.
fn event_id(headers: &HeaderMap, in_body: Option<String>) -> Result<String, Problem> {
    let key = headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok());
    // The event's own id is what makes a purchase one; the key only makes one request one.
    let id = in_body.or_else(|| key.map(str::to_owned)).ok_or_else(|| {
        Problem::bad_request(
            "send an event_id or an Idempotency-Key, so that the request can be repeated",
        )
    })?;
    let fits = (1..=EVENT_ID_LIMIT).contains(&id.len()) && !id.chars().any(char::is_control);
    fits.then_some(id).ok_or_else(|| {
        Problem::bad_request("an event id has 1 to 200 bytes and no control characters")
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignBody {
    segments: Vec<Assignment>,
}

async fn assign(
    State(crm): State<Crm>,
    headers: HeaderMap,
    body: Result<Body<AssignBody>, Problem>,
) -> Result<Json<Value>, Problem> {
    let who = crm.access.require(&headers, Right::WriteSegments)?;
    let Body(AssignBody { segments }) = body?;
    if segments.len() > ASSIGNMENT_LIMIT {
        return Err(Problem::bad_request(format!(
            "at most {ASSIGNMENT_LIMIT} segments at once"
        )));
    }
    if let Some(wrong) = segments
        .iter()
        .find(|a| !SEGMENTS.contains(&a.segment.as_str()))
    {
        return Err(Problem::bad_request(format!(
            "customer {}: {:?} is not a segment; there are new, loyal and at_risk",
            wrong.customer_id, wrong.segment
        )));
    }
    let count = segments.len();
    match crm.ask(move |database| database.assign(&segments)).await? {
        Ok(()) => {
            info!(who, count, "segments");
            Ok(Json(json!({"updated": count})))
        }
        Err(customer) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("there is no customer {customer}; nothing was changed"),
        )),
    }
}

async fn stats(State(crm): State<Crm>, headers: HeaderMap) -> Result<Json<Stats>, Problem> {
    crm.access.require_admin(&headers)?;
    crm.ask(|database| database.stats()).await.map(Json)
}
