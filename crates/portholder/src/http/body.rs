//! Bodies on their way through; none is ever held whole.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep, timeout};

use super::{Busy, Sender};
use crate::targets::Lease;
use crate::tasks::{TaskKind, start};

/// After its answer is complete, a connection has this long to become free for the next request.
const FREE_WITHIN: Duration = Duration::from_secs(2);

/// Why a body ended early.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The client sent nothing for too long.
    Stalled,
    /// The peer's connection failed.
    Peer(hyper::Error),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stalled => "the client paused for too long in the body of its request",
            Self::Peer(_) => "the body was cut short",
        })
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Stalled => None,
            Self::Peer(error) => Some(error),
        }
    }
}

/// The body of a request, on its way to a back end.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// All of it.
    Whole(Option<Bytes>),
    /// From the client, with a limit to its pauses.
    Streaming {
        body: Incoming,
        pause: Duration,
        /// Armed while the client is waited for.
        timer: Option<Pin<Box<Sleep>>>,
    },
}

impl RequestBody {
    pub(crate) fn streaming(body: Incoming, pause: Duration) -> Self {
        if body.is_end_stream() {
            Self::Whole(None)
        } else {
            Self::Streaming {
                body,
                pause,
                timer: None,
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streaming { body, pause, timer } => {
                if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
                    *timer = None;
                    return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Peer)));
                }
                let timer = timer.get_or_insert_with(|| Box::pin(sleep(*pause)));
                timer
                    .as_mut()
                    .poll(context)
                    .map(|()| Some(Err(BodyError::Stalled)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Streaming { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Streaming { body, .. } => body.size_hint(),
        }
    }
}

/// The body of an answer, on its way to the client. Its request is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Outgoing {
    from: From,
    _busy: Option<Busy>,
}

#[derive(Debug)]
enum From {
    Text(Option<Bytes>),
    BackEnd {
        body: Incoming,
        upstream: Option<Upstream>,
    },
}

/// What an answer holds of its back end, until it is complete.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) sender: Sender,
    /// None for a back end that is not a target.
    pub(crate) lease: Option<Lease>,
}

impl Upstream {
    /// Gives the connection back, as soon as it is free. Dropping the lease may report a drain.
    fn release(self) {
        let Self { mut sender, lease } = self;
        let Some(lease) = lease else { return };
        let target = Arc::clone(lease.target());
        if sender.is_ready() {
            target.pool.put(sender);
        } else if !sender.is_closed() {
            start(TaskKind::Connection, async move {
                if let Ok(Ok(())) = timeout(FREE_WITHIN, sender.ready()).await {
                    target.pool.put(sender);
                }
            });
        }
    }
}

impl Outgoing {
    pub(crate) fn text(text: Bytes, busy: Busy) -> Self {
        Self {
            from: From::Text(Some(text).filter(|text| !text.is_empty())),
            _busy: Some(busy),
        }
    }

    /// No body, of an answer after which the connection is no longer HTTP.
    pub(crate) fn none() -> Self {
        Self {
            from: From::Text(None),
            _busy: None,
        }
    }

    pub(crate) fn back_end(body: Incoming, upstream: Upstream, busy: Busy) -> Self {
        let mut from = From::BackEnd {
            body,
            upstream: Some(upstream),
        };
        from.release_at_end();
        Self {
            from,
            _busy: Some(busy),
        }
    }
}

impl From {
    fn release_at_end(&mut self) {
        if let Self::BackEnd { body, upstream } = self
            && body.is_end_stream()
            && let Some(upstream) = upstream.take()
        {
            upstream.release();
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let from = &mut self.get_mut().from;
        let (body, upstream) = match from {
            From::Text(text) => return Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            From::BackEnd { body, upstream } => (body, upstream),
        };
        let frame = std::task::ready!(Pin::new(body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => from.release_at_end(),
            None => {
                if let Some(upstream) = upstream.take() {
                    upstream.release();
                }
            }
            Some(Err(_)) => {
                if let Some(lease) = upstream.take().and_then(|upstream| upstream.lease) {
                    lease.target().failed();
                }
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Peer)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.from {
            From::Text(text) => text.is_none(),
            From::BackEnd { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.from {
            From::Text(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            From::BackEnd { body, .. } => body.size_hint(),
        }
    }
}
