//! Listening sockets: opened, taken over, closed.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream as StdStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, bind, listen, shutdown, socket_with, sockopt,
};
use tokio::net::TcpStream;

use crate::protocol::Protocol;

/// The kernel cuts this to `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;
/// After this silence the kernel asks a client whether it still lives.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A bound socket, shared by the one that forwards and the one that closes it.
#[derive(Debug, Clone)]
pub(crate) enum Socket {
    Tcp(Arc<TcpListener>),
    Udp(Arc<UdpSocket>),
}

impl Socket {
    /// Opens a listening socket.
    pub(crate) fn open(protocol: Protocol, address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = if protocol == Protocol::Tcp {
            SocketType::STREAM
        } else {
            SocketType::DGRAM
        };
        let socket = socket_with(family, kind, flags, None)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        match protocol {
            Protocol::Tcp => {
                sockopt::set_socket_reuseaddr(&socket, true)?;
                bind(&socket, &address)?;
                listen(&socket, BACKLOG)?;
            }
            Protocol::Udp => bind(&socket, &address)?,
        }
        Self::prepared(protocol, socket)
    }

    /// Takes over a socket of a descriptor store if it is the one that is meant.
    pub(crate) fn adopt(protocol: Protocol, address: SocketAddr, socket: OwnedFd) -> Option<Self> {
        let kind = if protocol == Protocol::Tcp {
            SocketType::STREAM
        } else {
            SocketType::DGRAM
        };
        if sockopt::socket_type(&socket).ok()? != kind {
            return None;
        }
        if protocol == Protocol::Tcp && !sockopt::socket_acceptconn(&socket).ok()? {
            return None;
        }
        rustix::io::ioctl_fionbio(&socket, true).ok()?;
        let adopted = Self::prepared(protocol, socket).ok()?;
        let local = adopted.local().ok()?;
        let fits =
            local.ip() == address.ip() && (address.port() == 0 || local.port() == address.port());
        fits.then_some(adopted)
    }

    fn prepared(protocol: Protocol, socket: OwnedFd) -> io::Result<Self> {
        Ok(match protocol {
            Protocol::Tcp => {
                // Accepted connections inherit these on Linux, which saves two calls for each.
                sockopt::set_tcp_nodelay(&socket, true)?;
                sockopt::set_socket_keepalive(&socket, true)?;
                sockopt::set_tcp_keepidle(&socket, KEEPALIVE)?;
                Self::Tcp(Arc::new(socket.into()))
            }
            Protocol::Udp => Self::Udp(Arc::new(socket.into())),
        })
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr(),
            Self::Udp(socket) => socket.local_addr(),
        }
    }

    /// Stops listening although a descriptor store may still hold a duplicate: without this the kernel
    /// would go on queueing clients that nobody serves.
    pub(crate) fn close(&self) {
        if let Self::Tcp(socket) = self {
            let _ = shutdown(socket, Shutdown::Both);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Udp(socket) => socket.as_fd(),
        }
    }
}

/// Gives an accepted connection to this thread's reactor.
pub(crate) fn register(client: OwnedFd) -> io::Result<TcpStream> {
    TcpStream::from_std(StdStream::from(client))
}

/// Makes the close of a connection a reset, so that the peer does not take it for a proper end.
pub(crate) fn reset_on_close(stream: impl AsFd) {
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}
