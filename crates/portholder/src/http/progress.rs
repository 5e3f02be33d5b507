//! What a client connection is doing, so that one that does nothing can be ended.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Version;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::clock::now_ms;

/// Why a connection should end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stall {
    /// A head that was begun is not finished in time ("slow loris").
    Head,
    /// Nothing was asked for long.
    Idle,
}

/// The state of one client connection. Times are those of the crate's clock.
#[derive(Debug)]
pub(crate) struct Progress {
    under_way: AtomicUsize,
    requests: AtomicUsize,
    http2: AtomicBool,
    /// When the first byte of an unfinished head came; 0 if there is none.
    head_begun: AtomicU64,
    idle_since: AtomicU64,
}

impl Progress {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            under_way: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            http2: AtomicBool::new(false),
            // The first head is due from the start.
            head_begun: AtomicU64::new(now_ms()),
            idle_since: AtomicU64::new(now_ms()),
        })
    }

    /// A request has arrived; it is under way until the answer is dropped. Also tells whether it is
    /// the first one.
    pub(crate) fn begin(self: &Arc<Self>, version: Version) -> (Busy, bool) {
        self.under_way.fetch_add(1, Relaxed);
        self.head_begun.store(0, Relaxed);
        if version == Version::HTTP_2 {
            self.http2.store(true, Relaxed);
        }
        let first = self.requests.fetch_add(1, Relaxed) == 0;
        (
            Busy {
                progress: Arc::clone(self),
            },
            first,
        )
    }

    fn bytes_came(&self) {
        // Bytes of a body are forgotten when its request ends.
        if self.head_begun.load(Relaxed) == 0 && !self.http2.load(Relaxed) {
            self.head_begun.store(now_ms(), Relaxed);
        }
    }

    /// Waits until the connection stalls. Cancel-safe.
    pub(crate) async fn stall(&self, head: Duration, idle: Duration) -> Stall {
        loop {
            let (since, limit, stall) = if self.under_way.load(Relaxed) > 0 {
                (now_ms(), head, None)
            } else {
                match self.head_begun.load(Relaxed) {
                    0 => (self.idle_since.load(Relaxed), idle, Some(Stall::Idle)),
                    begun => (begun, head, Some(Stall::Head)),
                }
            };
            let rest = limit.saturating_sub(Duration::from_millis(now_ms().saturating_sub(since)));
            match stall {
                Some(stall) if rest.is_zero() => return stall,
                // A head may begin meanwhile, so look again when its time could be over.
                _ => sleep(rest.min(head)).await,
            }
        }
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct Busy {
    progress: Arc<Progress>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.progress.head_begun.store(0, Relaxed);
        self.progress.idle_since.store(now_ms(), Relaxed);
        self.progress.under_way.fetch_sub(1, Relaxed);
    }
}

/// A client connection that notes when bytes come.
#[derive(Debug)]
pub(crate) struct Metered {
    stream: TcpStream,
    progress: Arc<Progress>,
}

impl Metered {
    pub(crate) fn new(stream: TcpStream, progress: Arc<Progress>) -> Self {
        Self { stream, progress }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.progress.bytes_came();
        }
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
