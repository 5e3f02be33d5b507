//! One connection, and requests on it.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::program::chain;

use super::count::{Answered, Class, Failed};

/// Largest answer that is read, in bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// Largest answer that is looked into for a version, in bytes.
const VERSION_LIMIT: usize = 4096;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Target {
    authority: String,
    address: (String, u16),
    path: String,
    /// How long a whole request may take, connecting included.
    pub limit: Duration,
}

impl Target {
    /// The target of an `http` URL.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(url: &str, limit: Duration) -> Result<Self, String> {
        let wrong = || format!("{url:?} is not a URL like http://127.0.0.1:8080/version");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri
            .authority()
            .filter(|_| uri.scheme_str() == Some("http"))
            .ok_or_else(wrong)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        Ok(Self {
            address: (host, authority.port_u16().unwrap_or(80)),
            authority: authority.to_string(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
            limit,
        })
    }

    /// One request on a connection of its own.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn ask_once(&self) -> Result<Answered, Failed> {
        let begin = Instant::now();
        let ask = async { Connection::open(self).await?.exchange(self, "close").await };
        let version = self.in_time(ask).await?;
        Ok(Answered {
            time: begin.elapsed(),
            version,
        })
    }

    /// One request on a connection that is kept, opened again if the other side closed
    /// it before.
    ///
    /// # Errors
    /// [`Failed`]; the connection is then gone.
    pub async fn ask_on(&self, kept: &mut Option<Connection>) -> Result<Answered, Failed> {
        let begin = Instant::now();
        let ask = async {
            let kept_one = match kept.take() {
                Some(mut connection) => connection.usable().await.then_some(connection),
                None => None,
            };
            let mut connection = match kept_one {
                Some(connection) => connection,
                None => Connection::open(self).await?,
            };
            let version = connection.exchange(self, "keep-alive").await?;
            *kept = Some(connection);
            Ok(version)
        };
        let version = self.in_time(ask).await?;
        Ok(Answered {
            time: begin.elapsed(),
            version,
        })
    }

    async fn in_time<T>(&self, ask: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        timeout(self.limit, ask).await.unwrap_or_else(|_| {
            let detail = format!("no whole answer within {} ms", self.limit.as_millis());
            Err(Failed {
                class: Class::TimedOut,
                detail,
            })
        })
    }
}

/// A connection.
pub struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// Drives the connection, as long as this is held.
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    async fn open(target: &Target) -> Result<Self, Failed> {
        let (host, port) = &target.address;
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|error| Failed {
                class: match error.kind() {
                    io::ErrorKind::ConnectionRefused => Class::Refused,
                    io::ErrorKind::ConnectionReset => Class::Reset,
                    _ => Class::Unreachable,
                },
                detail: error.to_string(),
            })?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(reset)?;
        let driver = TaskTracker::new().spawn(async move {
            // Its errors reach the request.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    async fn usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    async fn exchange(
        &mut self,
        target: &Target,
        keep: &'static str,
    ) -> Result<Option<String>, Failed> {
        let request = Request::get(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::CONNECTION, keep)
            .body(Empty::new())
            .map_err(|error| Failed {
                class: Class::Unreachable,
                detail: chain(&error),
            })?;
        let response = self.sender.send_request(request).await.map_err(reset)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_LIMIT)
            .collect()
            .await
            .map_err(|error| Failed {
                class: Class::CutShort,
                detail: chain(error.as_ref()),
            })?
            .to_bytes();
        if status.is_success() {
            return Ok(version(&body));
        }
        let class = if status.is_server_error() {
            Class::ServerError
        } else {
            Class::OtherStatus
        };
        Err(Failed {
            class,
            detail: format!("answered {status}"),
        })
    }
}

fn reset(error: hyper::Error) -> Failed {
    Failed {
        class: Class::Reset,
        detail: chain(&error),
    }
}

/// The `version` of an answer that is a small JSON object.
fn version(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        version: String,
    }
    let small = Some(body).filter(|body| body.len() <= VERSION_LIMIT)?;
    serde_json::from_slice::<Named>(small)
        .ok()
        .map(|named| named.version)
}
