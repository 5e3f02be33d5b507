//! One client connection: HTTP/1.1 or HTTP/2, with limits.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;

use super::progress::{Metered, Progress, Stall};
use super::{Busy, FIELD_LIMIT, HEAD_LIMIT, Outgoing};
use crate::listener::{Shared, Slot, idle_timeout};
use crate::tasks::becomes_true;

/// A connection may carry this many HTTP/2 requests at once.
const STREAM_LIMIT: u32 = 256;

/// What all requests of a connection share.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: IpAddr,
    progress: Arc<Progress>,
    /// How long the first request may wait for a ready target.
    patience: Duration,
    _slot: Slot,
}

impl Client {
    pub(crate) fn new(
        shared: Arc<Shared>,
        peer: IpAddr,
        patience: Duration,
        slot: Slot,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared,
            peer,
            progress: Progress::new(),
            patience,
            _slot: slot,
        })
    }
}

/// Serves the connection's requests with `answer`, until the client ends it, it stalls, or its listener
/// is closed and no request is under way.
pub(crate) async fn drive<A, F>(client: Arc<Client>, stream: TcpStream, answer: A)
where
    A: Fn(Arc<Client>, Request<Incoming>, Asked) -> F + Copy + Send + 'static,
    F: Future<Output = Response<Outgoing>> + Send + 'static,
{
    let progress = Arc::clone(&client.progress);
    let shared = Arc::clone(&client.shared);
    let io = TokioIo::new(Metered::new(stream, Arc::clone(&progress)));
    let service = service_fn(move |request: Request<Incoming>| {
        let (busy, first) = client.progress.begin(request.version());
        let patience = if first {
            client.patience
        } else {
            client.shared.wait_timeout()
        };
        let answer = answer(Arc::clone(&client), request, Asked { busy, patience });
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let builder = server();
    let mut connection = std::pin::pin!(builder.serve_connection_with_upgrades(io, service));
    let (head, idle) = (shared.header_timeout(), idle_timeout(&shared.spec));
    let mut closed = shared.closed();
    let mut closing = false;
    loop {
        tokio::select! {
            // An error here is the client's: it is gone, or does not speak HTTP.
            _ = connection.as_mut() => return,
            stall = progress.stall(head, idle) => match stall {
                Stall::Idle if !closing => {}
                Stall::Idle | Stall::Head => return,
            },
            () = becomes_true(&mut closed), if !closing => {}
        }
        // The first arm is not cancel-safe in general, but its future is kept and polled on.
        closing = true;
        connection.as_mut().graceful_shutdown();
    }
}

/// One request's own share.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) busy: Busy,
    /// How long it may wait for a ready target.
    pub(crate) patience: Duration,
}

fn server() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The head's time is watched by `Progress`, which also covers the choice of the version.
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(FIELD_LIMIT);
    builder
        .http2()
        .max_concurrent_streams(STREAM_LIMIT)
        .max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX))
        .max_send_buf_size(256 * 1024);
    builder
}
