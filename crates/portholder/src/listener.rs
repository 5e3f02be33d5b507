//! One listener: accepts when there is someone to serve the client, and spreads connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::interval;

use crate::acceptor::Acceptor;
use crate::forward;
use crate::gate::{Admitted, Gate};
use crate::http;
use crate::notice::{chain, notice};
use crate::protocol::{ListenerCounts, ListenerSpec, Mode, Protocol};
use crate::socket::{Socket, register};
use crate::targets::TargetSet;
use crate::tasks::{TaskKind, Workers, becomes_true, start};
use crate::udp;
use crate::unix_http;

/// How often idle connections to targets are looked through.
const PURGE_EVERY: Duration = Duration::from_secs(2);

/// What all connections of a listener share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) spec: ListenerSpec,
    pub(crate) targets: Arc<TargetSet>,
    pub(crate) counters: Counters,
    closed: watch::Sender<bool>,
}

/// The numbers of a listener.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    open: AtomicU64,
    accepted: AtomicU64,
    unserved: AtomicU64,
}

impl Counters {
    /// A client that waited in vain, or a datagram that found no target.
    pub(crate) fn unserved(&self) {
        self.unserved.fetch_add(1, SeqCst);
    }
    pub(crate) fn opened(&self) {
        self.open.fetch_add(1, SeqCst);
        self.accepted.fetch_add(1, SeqCst);
    }
    pub(crate) fn ended(&self) {
        self.open.fetch_sub(1, SeqCst);
    }
}

impl Shared {
    pub(crate) fn new(spec: ListenerSpec, targets: Arc<TargetSet>) -> Arc<Self> {
        Arc::new(Self {
            spec,
            targets,
            counters: Counters::default(),
            closed: watch::Sender::new(false),
        })
    }

    /// Becomes true when the listener is closed.
    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    pub(crate) fn wait_timeout(&self) -> Duration {
        Duration::from_millis(self.spec.wait_timeout_ms)
    }

    pub(crate) fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.spec.header_timeout_ms.max(1))
    }

    pub(crate) fn counts(&self) -> ListenerCounts {
        ListenerCounts {
            key: self.spec.key.clone(),
            open: self.counters.open.load(SeqCst),
            accepted: self.counters.accepted.load(SeqCst),
            unserved: self.counters.unserved.load(SeqCst),
            targets: self.targets.counts(),
        }
    }
}

/// A listener that is open.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) local: SocketAddr,
    socket: Socket,
    shared: Arc<Shared>,
}

impl Listener {
    /// Starts to serve a socket.
    pub(crate) fn start(
        socket: Socket,
        shared: Arc<Shared>,
        workers: Arc<Workers>,
    ) -> std::io::Result<Self> {
        let local = socket.local()?;
        match &socket {
            Socket::Tcp(tcp) => {
                // A duplicate, as one descriptor can be watched only once and a retired listener may
                // not have let go yet.
                let acceptor = Acceptor::new(tcp.try_clone()?)?;
                start(
                    TaskKind::Listener,
                    accept_all(acceptor, Arc::clone(&shared), workers),
                );
                if shared.spec.mode == Mode::Http {
                    start(TaskKind::Listener, purge(Arc::clone(&shared)));
                }
            }
            Socket::Udp(udp) => {
                let socket = udp.try_clone()?;
                socket.set_nonblocking(true)?;
                let socket = tokio::net::UdpSocket::from_std(socket)?;
                start(TaskKind::Listener, udp::serve(socket, Arc::clone(&shared)));
            }
        }
        Ok(Self {
            local,
            socket,
            shared,
        })
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Leaves the socket and the targets to another one.
    pub(crate) fn retire(&self) {
        self.shared.closed.send_replace(true);
    }

    /// Takes no more clients; connections that exist go on, idle ones and waiting ones end.
    pub(crate) fn close(&self) {
        self.retire();
        self.socket.close();
        self.shared.targets.close();
    }
}

async fn purge(shared: Arc<Shared>) {
    let mut closed = shared.closed();
    let mut ticks = interval(PURGE_EVERY);
    loop {
        tokio::select! {
            // Both are cancel-safe.
            () = becomes_true(&mut closed) => return,
            _ = ticks.tick() => shared.targets.purge_idle(),
        }
    }
}

async fn accept_all(acceptor: Acceptor, shared: Arc<Shared>, workers: Arc<Workers>) {
    let mut gate = Gate::new(acceptor, Arc::clone(&shared));
    let mut closed = shared.closed();
    loop {
        let accepted = tokio::select! {
            // Cancel-safe: a client that was accepted is in the result, never in a dropped future.
            () = becomes_true(&mut closed) => return,
            accepted = gate.next() => accepted,
        };
        match accepted {
            Ok(admitted) => {
                workers.spread(TaskKind::Connection, serve(Arc::clone(&shared), admitted))
            }
            Err(error) => {
                if !*shared.closed().borrow() {
                    notice(&format!(
                        "listener {} stopped accepting: {}",
                        shared.spec.key,
                        chain(&error)
                    ));
                }
                return;
            }
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    Admitted {
        client,
        permit,
        patience,
    }: Admitted,
) {
    let slot = Slot::new(Arc::clone(&shared), permit);
    let Ok(stream) = register(client) else { return };
    if shared.spec.mode == Mode::L4 {
        return forward::serve(&shared, stream, patience).await;
    }
    let Ok(peer) = stream.peer_addr() else { return };
    let unix = matches!(shared.spec.mode, Mode::UnixHttp(_));
    let client = http::Client::new(shared, peer.ip().to_canonical(), patience, slot);
    if unix {
        unix_http::serve(client, stream).await
    } else {
        http::serve(client, stream).await
    }
}

/// One of the connections that a listener may have open.
#[derive(Debug)]
pub(crate) struct Slot {
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    fn new(shared: Arc<Shared>, permit: OwnedSemaphorePermit) -> Self {
        shared.counters.opened();
        Self {
            shared,
            _permit: permit,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.counters.ended();
    }
}

/// How long a UDP session or a client connection of a HTTP listener may be silent.
pub(crate) fn idle_timeout(spec: &ListenerSpec) -> Duration {
    match (spec.idle_timeout_ms, spec.protocol) {
        (0, Protocol::Udp) => Duration::from_secs(30),
        // nginx's keepalive_timeout.
        (0, Protocol::Tcp) => Duration::from_secs(75),
        (chosen, _) => Duration::from_millis(chosen),
    }
}
