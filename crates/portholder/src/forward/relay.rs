//! Copies both ways between two connections.
//!
//! tokio's `copy_bidirectional` keeps two buffers per connection; ten thousand silent connections would
//! hold 160 MB. Here each thread has one buffer, and a connection owns memory only while its receiver
//! is slower than its sender.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::time::sleep;

use crate::clock::now_ms;

const BUFFER: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// Copies until both sides have ended, half-closing each as the other ends.
///
/// # Errors
/// The first error of either side, and `TimedOut` after `idle` without a byte either way.
pub(crate) async fn relay(
    client: &mut TcpStream,
    target: &mut TcpStream,
    idle: Option<Duration>,
) -> io::Result<()> {
    let last = AtomicU64::new(now_ms());
    let both = both_ways(client, target, &last);
    match idle {
        None => both.await,
        Some(idle) => tokio::select! {
            // Not cancel-safe, and not resumed: the connection ends either way.
            ended = both => ended,
            () = silence(&last, idle) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        },
    }
}

async fn both_ways(
    client: &mut TcpStream,
    target: &mut TcpStream,
    last: &AtomicU64,
) -> io::Result<()> {
    let (mut from_client, to_client) = client.split();
    let (mut from_target, to_target) = target.split();
    let mut up = pin!(pump(&mut from_client, to_target.as_ref(), last));
    let mut down = pin!(pump(&mut from_target, to_client.as_ref(), last));
    let (mut up_done, mut down_done) = (false, false);
    poll_fn(|context| {
        if !up_done && let Poll::Ready(ended) = up.as_mut().poll(context) {
            ended?;
            up_done = true;
            end(to_target.as_ref(), down_done);
        }
        if !down_done && let Poll::Ready(ended) = down.as_mut().poll(context) {
            ended?;
            down_done = true;
            end(to_client.as_ref(), up_done);
        }
        if up_done && down_done {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Tells a receiver that nothing more comes. Where the other direction has ended too, the close that
/// follows tells it.
fn end(receiver: &TcpStream, other_done: bool) {
    if !other_done {
        // It may have closed already; its own direction will tell.
        let _ = shutdown(receiver, Shutdown::Write);
    }
}

/// Ends when nothing has moved for `idle`.
async fn silence(last: &AtomicU64, idle: Duration) {
    loop {
        let silent = Duration::from_millis(now_ms().saturating_sub(last.load(Relaxed)));
        match idle.checked_sub(silent) {
            None | Some(Duration::ZERO) => return,
            Some(rest) => sleep(rest).await,
        }
    }
}

/// One direction, to its end.
async fn pump(from: &mut ReadHalf<'_>, to: &TcpStream, last: &AtomicU64) -> io::Result<()> {
    let mut rest = Vec::new();
    while poll_fn(|context| pass(context, from, to, &mut rest)).await? > 0 {
        last.store(now_ms(), Relaxed);
        if !rest.is_empty() {
            flush(to, &rest).await?;
            last.store(now_ms(), Relaxed);
            rest = Vec::new();
        }
    }
    Ok(())
}

/// Reads once and writes at once; what was not taken is left in `rest`.
///
/// `poll_read`, unlike `try_read`, takes a short read as a sign that no more is there, which saves the
/// second system call that would only say so.
fn pass(
    context: &mut Context<'_>,
    from: &mut ReadHalf<'_>,
    to: &TcpStream,
    rest: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(from).poll_read(context, &mut buffer))?;
        let mut bytes = buffer.filled();
        let count = bytes.len();
        while !bytes.is_empty() {
            // Past tokio, which does not know yet that a new connection can be written to.
            match send(to, bytes, SendFlags::NOSIGNAL) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        rest.extend_from_slice(bytes);
        Poll::Ready(Ok(count))
    })
}

async fn flush(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
