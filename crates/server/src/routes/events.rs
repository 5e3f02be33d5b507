//! Events from outside (CloudEvents 1.0 over HTTP: binary, structured and batch mode), and the calls
//! of exposed workflows. The port holder forwards both here.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use consort_engine::control::{CloudEvent, ExposedCall};
use consort_model::{Code, Object, Problem, Value};
use serde::Deserialize;

use super::{Shared, key};
use crate::answer::Refused;

/// Batches are at most so long.
const BATCH: usize = 1_000;
/// Bodies of exposed workflows are at most so large.
const BODY: usize = 4 << 20;

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

#[utoipa::path(post, path = "/v1/deployments/{name}/events", tag = "events", request_body = Object, params(("name" = String, Path)),
    responses((status = 202, description = "The event is durable"), (status = 200, description = "It was taken in before"), (status = 401, description = "The token of the deployment is missing")))]
pub(crate) async fn put(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: bytes::Bytes,
) -> Result<StatusCode, Refused> {
    let token = bearer(&headers);
    let mut new = false;
    for event in read(&headers, &body)? {
        new |= shared
            .control
            .event_put(&name, token.as_deref(), event)
            .await?;
    }
    Ok(if new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    })
}

fn invalid(message: impl Into<String>) -> Refused {
    Problem::new(Code::REQUEST_INVALID, message)
        .remedy("CloudEvents 1.0 says how events are sent over HTTP.")
        .into()
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<CloudEvent>, Refused> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = media
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let json = |body: &[u8]| {
        serde_json::from_slice(body)
            .map_err(|error| invalid(format!("the body is not JSON: {error}")))
    };
    match media.as_str() {
        "application/cloudevents+json" => Ok(vec![checked(json(body)?)?]),
        "application/cloudevents-batch+json" => {
            let Value::Array(events) = json(body)? else {
                return Err(invalid("a batch is a list of events"));
            };
            if events.len() > BATCH {
                return Err(invalid(format!("a batch holds at most {BATCH} events")));
            }
            events.into_iter().map(checked).collect()
        }
        _ if headers.contains_key("ce-id") => Ok(vec![binary(headers, &media, body)?]),
        _ => Err(invalid(
            "neither `content-type: application/cloudevents+json` nor `ce-` headers say that this is an event",
        )),
    }
}

fn binary(headers: &HeaderMap, media: &str, body: &[u8]) -> Result<CloudEvent, Refused> {
    let mut event = Object::new();
    for (name, value) in headers {
        if let Some(attribute) = name.as_str().strip_prefix("ce-") {
            let text = value
                .to_str()
                .map_err(|_| invalid(format!("header `{name}` is not text")))?;
            event.insert(attribute.to_owned(), Value::String(text.to_owned()));
        }
    }
    if !media.is_empty() {
        event.insert("datacontenttype".into(), media.into());
    }
    if media.is_empty() || media == "application/json" || media.ends_with("+json") {
        if !body.is_empty() {
            let data = serde_json::from_slice(body)
                .map_err(|error| invalid(format!("the data is not JSON: {error}")))?;
            event.insert("data".into(), data);
        }
    } else {
        let text = std::str::from_utf8(body)
            .map_err(|_| invalid("data that is not JSON must be UTF-8 text"))?;
        event.insert("data".into(), text.into());
    }
    checked(Value::Object(event))
}

fn checked(value: Value) -> Result<CloudEvent, Refused> {
    let event = CloudEvent::deserialize(value)
        .map_err(|error| invalid(format!("the event cannot be read: {error}")))?;
    match event.rest.get("specversion").and_then(Value::as_str) {
        Some("1.0") => {}
        other => {
            return Err(invalid(format!(
                "`specversion` is {}, and must be 1.0",
                other.unwrap_or("missing")
            )));
        }
    }
    for (name, text) in [
        ("id", &event.id),
        ("source", &event.source),
        ("type", &event.event_type),
    ] {
        if text.is_empty() || text.len() > 1_024 {
            return Err(invalid(format!("`{name}` must be 1 to 1,024 bytes long")));
        }
    }
    Ok(event)
}

#[utoipa::path(post, path = "/v1/deployments/{name}/exposed/{path}", tag = "events", params(("name" = String, Path), ("path" = String, Path)),
    responses((status = 200, description = "What the exposed workflow answers")))]
pub(crate) async fn exposed(
    State(shared): State<Shared>,
    Path((name, path)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let too_large = |error: axum::Error| {
        Problem::new(Code::REQUEST_TOO_LARGE, "the body cannot be read").caused_by(&error)
    };
    let bytes = axum::body::to_bytes(body, BODY).await.map_err(too_large)?;
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(
                Code::REQUEST_INVALID,
                format!("the body is not JSON: {error}"),
            )
        })?
    };
    let call = ExposedCall {
        method: parts.method.as_str().to_owned(),
        path: format!("/{path}"),
        query,
        token: bearer(&parts.headers),
        body,
        key: key(&parts.headers)?,
    };
    let reply = shared.control.exposed_call(&name, call).await?;
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(reply.body)).into_response();
    if let Some(run) = reply.run
        && let Ok(value) = HeaderValue::from_str(&run.to_string())
    {
        response.headers_mut().insert("consort-run", value);
    }
    Ok(response)
}
