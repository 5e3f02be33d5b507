//! Answers of the holder's own: only where no back end gave one.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use super::{Busy, Outgoing};

/// A short text that says what the holder could not do.
pub(crate) fn refusal(status: StatusCode, text: &'static str, busy: Busy) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::text(Bytes::from_static(text.as_bytes()), busy));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
