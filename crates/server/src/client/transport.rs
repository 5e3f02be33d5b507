//! How requests reach a server.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use consort_model::{Code, Problem};
use http::{Method, Response, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tower::ServiceExt;

/// A request that is being put together.
pub(crate) struct Request {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    key: Option<String>,
    body: Result<Vec<u8>, serde_json::Error>,
    media: &'static str,
}

impl Request {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let media = "application/octet-stream";
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            key: None,
            body: Ok(Vec::new()),
            media,
        }
    }
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }
    pub(crate) fn post<T: Serialize>(path: impl Into<String>, body: &T) -> Self {
        Self {
            body: serde_json::to_vec(body),
            media: "application/json",
            ..Self::new(Method::POST, path)
        }
    }
    pub(crate) fn bytes(self, bytes: Vec<u8>) -> Self {
        Self {
            body: Ok(bytes),
            ..self
        }
    }
    pub(crate) fn key(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }
    pub(crate) fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }
    pub(crate) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    fn build(self) -> Result<http::Request<Body>, Problem> {
        let wrong = |error: &(dyn std::error::Error + 'static)| {
            Problem::new(Code::INTERNAL, "a request cannot be made").caused_by(error)
        };
        let query: Vec<String> = self
            .query
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let uri = if query.is_empty() {
            self.path
        } else {
            format!("{}?{}", self.path, query.join("&"))
        };
        let body = self.body.map_err(|error| wrong(&error))?;
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(uri)
            .header(header::HOST, "consort")
            .header(header::CONTENT_TYPE, self.media);
        if let Some(key) = self.key {
            request = request.header("idempotency-key", key);
        }
        request
            .body(Body::from(body))
            .map_err(|error| wrong(&error))
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// Where requests go.
#[derive(Clone)]
pub(crate) enum Transport {
    Unix(PathBuf),
    InProcess(Router),
}

impl Transport {
    pub(crate) fn unix(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
    pub(crate) const fn in_process(router: Router) -> Self {
        Self::InProcess(router)
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Bytes, Vec<Problem>> {
        let body = self.open(request).await?;
        let collected = body
            .collect()
            .await
            .map_err(|error| vec![broken().caused_by(&error)])?;
        Ok(collected.to_bytes())
    }

    /// Sends a request; the body of a good answer is still to be read.
    pub(crate) async fn open(&self, request: Request) -> Result<Body, Vec<Problem>> {
        let request = request.build().map_err(|problem| vec![problem])?;
        let response = match self {
            Self::Unix(path) => over_unix(path, request)
                .await
                .map_err(|problem| vec![problem])?,
            Self::InProcess(router) => match router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
        };
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(refused(response).await)
    }
}

async fn over_unix(path: &Path, request: http::Request<Body>) -> Result<Response<Body>, Problem> {
    let unreachable = |error: &(dyn std::error::Error + 'static)| {
        let message = format!("no server answers at {}", path.display());
        Problem::new(Code::SERVER_UNREACHABLE, message).caused_by(error)
    };
    let stream = UnixStream::connect(path)
        .await
        .map_err(|error| unreachable(&error))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| unreachable(&error))?;
    // It ends with the answer: one connection serves one request.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| broken().caused_by(&error))?;
    Ok(response.map(Body::new))
}

fn broken() -> Problem {
    Problem::new(
        Code::SERVER_UNREACHABLE,
        "the server ended the connection before its answer was complete",
    )
}

#[derive(Deserialize)]
struct RefusedBody {
    problems: Vec<Problem>,
}

async fn refused(response: Response<Body>) -> Vec<Problem> {
    let status = response.status();
    let bytes = response
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    match serde_json::from_slice::<RefusedBody>(&bytes) {
        Ok(body) if !body.problems.is_empty() => body.problems,
        _ => vec![Problem::new(
            Code::SERVER_VERSION,
            format!("the server refused with status {status} and gave no reason"),
        )],
    }
}
