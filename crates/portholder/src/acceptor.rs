//! Accepting clients, and seeing that one waits without accepting it.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Pause after a failure to accept that will not pass at once (out of descriptors or memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A TCP listener that can also tell that a client waits, without accepting it.
#[derive(Debug)]
pub(crate) struct Acceptor {
    socket: AsyncFd<TcpListener>,
}

impl Acceptor {
    pub(crate) fn new(socket: TcpListener) -> io::Result<Self> {
        Ok(Self {
            socket: watched(socket)?,
        })
    }

    /// Waits until a client waits. Cancel-safe. Ends with an error when the listener was closed.
    pub(crate) async fn client_waits(&self) -> io::Result<()> {
        self.socket
            .readable()
            .await
            .map(|mut guard| guard.retain_ready())
    }

    /// Accepts a client if one waits.
    pub(crate) fn try_accept(&self) -> io::Result<Option<OwnedFd>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match accept_with(self.socket.get_ref(), flags) {
            Ok(client) => Ok(Some(client)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Accepts the next client. Cancel-safe: what was accepted is returned at once.
    pub(crate) async fn accept(&self) -> io::Result<OwnedFd> {
        loop {
            let mut guard = self.socket.readable().await?;
            match self.try_accept() {
                Ok(Some(client)) => {
                    guard.retain_ready();
                    return Ok(client);
                }
                Ok(None) => guard.clear_ready(),
                Err(error) if client_gave_up(&error) => {}
                Err(error) if is_closed(&error) => return Err(error),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

fn client_gave_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// `accept` on a socket that was shut down answers EINVAL.
fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}

#[expect(
    unsafe_code,
    reason = "tokio wants a promise that the descriptor stays open"
)]
fn watched(socket: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    // SAFETY: the listener owns its descriptor, is moved in whole, never taken out again, and answers
    // `as_raw_fd` with that descriptor for its whole life.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
}
