//! A small HTTP client: bounded in time and size, with kept-alive connections.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;

/// Largest answer that is read, in bytes.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// How long an idle connection is kept; servers keep it longer.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// A request that got no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not an HTTP URL, or a header has characters that it cannot have.
    #[error("{url:?} cannot be asked")]
    Address {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: http::Error,
    },
    /// No connection, or it broke.
    #[error("no answer from {url}")]
    Exchange {
        /// The URL, without its query.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("no answer from {url} within {} ms", limit.as_millis())]
    TimedOut {
        /// The URL, without its query.
        url: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The answer has another status than was hoped for.
    #[error("{url} answered {status}: {excerpt}")]
    Status {
        /// The URL, without its query.
        url: String,
        /// The status.
        status: StatusCode,
        /// The beginning of the answer.
        excerpt: String,
    },
    /// The answer is not the JSON that was expected.
    #[error("the answer of {url} is not what is expected")]
    Content {
        /// The URL, without its query.
        url: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl ClientError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Address { .. } | Self::Content { .. } => false,
            Self::Exchange { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
            }
        }
    }
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Reply {
    url: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// This answer if its status is a success.
    ///
    /// # Errors
    /// [`ClientError::Status`].
    pub fn success(self) -> Result<Self, ClientError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let text = String::from_utf8_lossy(&self.body);
        Err(ClientError::Status {
            excerpt: text.chars().filter(|c| !c.is_control()).take(300).collect(),
            status: self.status,
            url: self.url,
        })
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`ClientError::Content`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|source| ClientError::Content {
            url: self.url.clone(),
            source,
        })
    }
}

/// Asks other services. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    limit: Duration,
}

impl Client {
    /// A client that waits `limit` at most for each whole answer.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limit.min(Duration::from_secs(5))));
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .build(connector);
        Self { pool, limit }
    }

    /// `GET`s a URL, with a bearer token if there is one.
    ///
    /// # Errors
    /// [`ClientError`], if there is no answer; its status is not looked at.
    pub async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Reply, ClientError> {
        self.send(Method::GET, url, &[], bearer, Bytes::new()).await
    }

    /// Sends JSON, with a bearer token if there is one.
    ///
    /// # Errors
    /// [`ClientError`], if there is no answer; its status is not looked at.
    pub async fn send_json(
        &self,
        method: Method,
        url: &str,
        bearer: Option<&str>,
        body: &serde_json::Value,
    ) -> Result<Reply, ClientError> {
        let headers = [(header::CONTENT_TYPE, "application/json")];
        let body = Bytes::from(body.to_string());
        self.send(method, url, &headers, bearer, body).await
    }

    /// Sends any request.
    ///
    /// # Errors
    /// [`ClientError`], if there is no answer; its status is not looked at.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(header::HeaderName, &str)],
        bearer: Option<&str>,
        body: Bytes,
    ) -> Result<Reply, ClientError> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        // A query may hold a token, so errors name the URL without it.
        let plain = url.split('?').next().unwrap_or_default().to_owned();
        let request = request
            .body(Full::new(body))
            .map_err(|source| ClientError::Address {
                url: plain.clone(),
                source,
            })?;
        match tokio::time::timeout(self.limit, self.exchange(request)).await {
            Ok(Ok((status, headers, body))) => Ok(Reply {
                url: plain,
                status,
                headers,
                body,
            }),
            Ok(Err(source)) => Err(ClientError::Exchange { url: plain, source }),
            Err(_) => Err(ClientError::TimedOut {
                url: plain,
                limit: self.limit,
            }),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let (parts, body) = self.pool.request(request).await?.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await?.to_bytes();
        Ok((parts.status, parts.headers, body))
    }
}
