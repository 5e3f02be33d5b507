//! Serving a router on one address: HTTP/1.1 and HTTP/2, bounded, with an orderly end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::Request as HyperRequest;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::problem::Problem;
use crate::settings::{SettingError, Settings};

/// Connections at one time; more wait in the kernel's queue.
const CONNECTION_LIMIT: usize = 12_000;
/// How long a handler may take until its answer begins; long polls are shorter.
const HANDLER_LIMIT: Duration = Duration::from_secs(60);
/// How long a new connection may say nothing.
const FIRST_BYTE_LIMIT: Duration = Duration::from_secs(10);
/// How long a request head may take, and a kept-alive connection may be idle.
/// Longer than [`crate::client`] keeps idle connections, so that the client
/// closes first and no request meets a closing connection.
const HEAD_LIMIT: Duration = Duration::from_secs(75);
/// How long a connection that has not asked anything yet may take to do so once the
/// service stops: closing it would reset a request that is on its way.
const LAST_CALL: Duration = Duration::from_secs(1);
/// How long responses under way may take to finish once the service stops:
/// less than the ten seconds after which a supervisor kills.
const GRACE: Duration = Duration::from_secs(8);

/// A service cannot be reached at its address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// HOST or PORT makes no sense.
    #[error("no address to listen on")]
    Setting(#[from] SettingError),
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// HOST and PORT.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Binds HOST (default 127.0.0.1) and PORT (default 80; 0 lets the kernel choose).
///
/// # Errors
/// [`ServeError`], if the settings make no sense or the address is taken.
pub async fn bind(settings: &Settings) -> Result<TcpListener, ServeError> {
    let host = settings.get("HOST").unwrap_or("127.0.0.1");
    let port: u16 = settings.parsed("PORT", "a port number")?.unwrap_or(80);
    TcpListener::bind((host, port))
        .await
        .map_err(|source| ServeError::Bind {
            address: format!("{host}:{port}"),
            source,
        })
}

/// Serves until `stop` is cancelled, then lets responses under way finish.
///
/// Streams that go on for ever must watch `stop` themselves; what has not ended
/// after eight seconds is cut.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let address = listener.local_addr().ok();
    info!(address = address.map(|a| a.to_string()), "listening");
    let acceptor = Acceptor {
        router: router.layer(middleware::from_fn(limit_time)),
        connections: TaskTracker::new(),
        permits: Arc::new(Semaphore::new(CONNECTION_LIMIT)),
        stop: stop.clone(),
        cut: CancellationToken::new(),
    };
    // Both are cancel-safe: a connection that is not yet taken stays in the queue.
    tokio::select! {
        () = acceptor.accept_for_ever(&listener) => {}
        () = stop.cancelled() => {}
    }
    acceptor.accept_what_waits(&listener).await;
    drop(listener);
    acceptor.connections.close();
    if timeout(GRACE, acceptor.connections.wait()).await.is_err() {
        warn!(left = acceptor.connections.len(), "cutting connections");
        acceptor.cut.cancel();
        acceptor.connections.wait().await;
    }
    info!("stopped");
}

async fn limit_time(request: Request, next: Next) -> Response {
    match timeout(HANDLER_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the request took too long")
            .into_response(),
    }
}

struct Acceptor {
    router: Router,
    connections: TaskTracker,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Acceptor {
    async fn accept_for_ever(&self, listener: &TcpListener) {
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                return; // The semaphore is never closed.
            };
            match listener.accept().await {
                Ok((stream, peer)) => self.start(stream, peer, permit),
                Err(error) => {
                    // Out of descriptors, most likely: wait for some to come back.
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Closing a listener resets what waits in its queue, so that is served first.
    async fn accept_what_waits(&self, listener: &TcpListener) {
        while let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            match timeout(Duration::from_millis(5), listener.accept()).await {
                Ok(Ok((stream, peer))) => self.start(stream, peer, permit),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    fn start(&self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        let service = TowerToHyperService::new(self.router.clone());
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        self.connections.spawn(async move {
            let _permit = permit;
            // Small answers and events must not wait for more of them.
            let _ = stream.set_nodelay(true);
            // All arms end the connection, so nothing is lost by dropping it.
            tokio::select! {
                () = cut.cancelled() => {}
                () = serve_connection(stream, service, &stop, peer) => {}
            }
        });
    }
}

/// The router, with a latch that tells whether anything was asked yet.
#[derive(Clone)]
struct Asked {
    router: TowerToHyperService<Router>,
    asked: CancellationToken,
}

impl Service<HyperRequest<Incoming>> for Asked {
    type Response = Response;
    type Error = Infallible;
    type Future = <TowerToHyperService<Router> as Service<HyperRequest<Incoming>>>::Future;

    fn call(&self, request: HyperRequest<Incoming>) -> Self::Future {
        self.asked.cancel();
        self.router.call(request)
    }
}

async fn serve_connection(
    stream: TcpStream,
    router: TowerToHyperService<Router>,
    stop: &CancellationToken,
    peer: SocketAddr,
) {
    let asked = CancellationToken::new();
    let last_call = async {
        stop.cancelled().await;
        // What was asked is finished; what was never asked is waited for a little.
        let _ = timeout(LAST_CALL, asked.cancelled()).await;
    };
    let mut last_call = pin!(last_call);
    let mut byte = [0; 1];
    // All arms only look: a byte that was peeked at is still there.
    let begun = tokio::select! {
        begun = timeout(FIRST_BYTE_LIMIT, stream.peek(&mut byte)) => begun,
        () = last_call.as_mut() => return,
    };
    if !matches!(begun, Ok(Ok(1..))) {
        return;
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT);
    builder.http2().timer(TokioTimer::new());
    let service = Asked {
        router,
        asked: asked.clone(),
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // Cancel-safe: the connection is polled in place and not dropped.
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = last_call => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        debug!(%peer, error = %crate::program::chain(error.as_ref()), "connection ended");
    }
}
