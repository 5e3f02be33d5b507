//! Answers of the API: JSON, or a problem as RFC 9457 describes it, with Consort's code.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use consort_model::code::CODES;
use consort_model::{Code, Problem};
use serde::Serialize;

/// One problem, or all of them at once.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Vec<Problem>);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for Refused {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

/// The body of a refusal.
#[derive(Debug, Serialize)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    problems: Vec<Problem>,
}

pub(crate) fn status_of(code: &Code) -> StatusCode {
    let entry = CODES.iter().find(|entry| entry.name == code.as_str());
    entry
        .and_then(|entry| StatusCode::from_u16(entry.status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let first = self
            .0
            .first()
            .cloned()
            .unwrap_or_else(|| Problem::new(Code::INTERNAL, "refused without a reason"));
        let status = status_of(&first.code);
        let body = Body {
            kind: format!("consort:{}", first.code),
            title: first.message.clone(),
            status: status.as_u16(),
            problems: if self.0.is_empty() {
                vec![first]
            } else {
                self.0
            },
        };
        let mut response = (status, Json(body)).into_response();
        let media = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        response
    }
}

/// What handlers answer.
pub(crate) type Answer<T> = Result<Json<T>, Refused>;

/// A run that was begun: 202, and where its events are.
pub(crate) struct Begun(pub(crate) consort_model::id::RunId);

impl IntoResponse for Begun {
    fn into_response(self) -> Response {
        let location = format!("/v1/runs/{}", self.0);
        let body = Json(serde_json::json!({"run": self.0, "events": format!("{location}/events")}));
        let mut response = (StatusCode::ACCEPTED, body).into_response();
        if let Ok(value) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(header::LOCATION, value);
        }
        response
    }
}
