//! Copies both ways between two connections.
//!
//! tokio's `copy_bidirectional` keeps two buffers per connection; ten thousand silent connections would
//! hold 160 MB. Here each thread has one buffer, and a connection owns memory only while its receiver
//! is slower than its sender.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;
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
    client: &TcpStream,
    target: &TcpStream,
    idle: Option<Duration>,
) -> io::Result<()> {
    let last = AtomicU64::new(now_ms());
    let both = async {
        let mut up = pin!(pump(client, target, &last));
        let mut down = pin!(pump(target, client, &last));
        let (mut up_done, mut down_done) = (false, false);
        poll_fn(|context| {
            if !up_done && let Poll::Ready(ended) = up.as_mut().poll(context) {
                ended?;
                up_done = true;
            }
            if !down_done && let Poll::Ready(ended) = down.as_mut().poll(context) {
                ended?;
                down_done = true;
            }
            if up_done && down_done {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await
    };
    match idle {
        None => both.await,
        Some(idle) => tokio::select! {
            // Not cancel-safe, and not resumed: the connection ends either way.
            ended = both => ended,
            () = silence(&last, idle) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        },
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

/// One direction, to its end; then tells the receiver that it ended.
async fn pump(from: &TcpStream, to: &TcpStream, last: &AtomicU64) -> io::Result<()> {
    let mut rest = Vec::new();
    loop {
        from.readable().await?;
        match pass(from, to, &mut rest) {
            Ok(0) => break,
            Ok(_) => last.store(now_ms(), Relaxed),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if !rest.is_empty() {
            flush(to, &rest).await?;
            last.store(now_ms(), Relaxed);
            rest = Vec::new();
        }
        consume_budget().await;
    }
    // The receiver may have closed already; its own direction will tell.
    let _ = shutdown(to, Shutdown::Write);
    Ok(())
}

/// Reads once and writes at once; what was not taken is left in `rest`.
fn pass(from: &TcpStream, to: &TcpStream, rest: &mut Vec<u8>) -> io::Result<usize> {
    SCRATCH.with_borrow_mut(|buffer| {
        let count = from.try_read(buffer)?;
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            // Past tokio, which does not know yet that a new connection can be written to.
            match send(to, bytes, SendFlags::NOSIGNAL) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        rest.extend_from_slice(bytes);
        Ok(count)
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
