//! UDP: a session per client address, each with a socket of its own to one target.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SendFlags, send, sendto};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::clock::now_ms;
use crate::listener::{Shared, idle_timeout};
use crate::targets::Lease;
use crate::tasks::{TaskKind, becomes_true, start};

/// The largest datagram.
const DATAGRAM: usize = 65_535;
/// More sessions than this would exhaust descriptors before they are of use.
const MOST_SESSIONS: usize = 4096;

type Sessions = HashMap<SocketAddr, Session>;

#[derive(Debug)]
struct Session {
    upstream: Arc<UdpSocket>,
    last: Arc<AtomicU64>,
}

/// Serves a UDP listener until it is closed.
///
/// While no target is ready and no session lives, datagrams stay in the kernel's buffer; its size
/// bounds them.
pub(crate) async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let socket = Arc::new(socket);
    let mut sessions = Sessions::new();
    // The loop holds a sender, so the receiver never ends.
    let (ended, mut ends) = mpsc::channel::<(SocketAddr, Arc<UdpSocket>)>(64);
    let mut closed = shared.closed();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        tokio::select! {
            // All arms are cancel-safe.
            () = becomes_true(&mut closed) => return,
            Some((client, upstream)) = ends.recv() => {
                // A new session of the same client may have begun meanwhile.
                if sessions.get(&client).is_some_and(|session| Arc::ptr_eq(&session.upstream, &upstream)) {
                    sessions.remove(&client);
                }
            }
            received = receive(&socket, &shared, !sessions.is_empty(), &mut buffer) => {
                // Errors here are those of earlier answers (ICMP); the next datagram tells.
                if let Ok((length, client)) = received {
                    pass(&socket, &shared, &mut sessions, client, &buffer[..length], &ended).await;
                }
            }
        }
    }
}

async fn receive(
    socket: &UdpSocket,
    shared: &Shared,
    any_session: bool,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    if !any_session && !shared.targets.has_ready() {
        shared.targets.wait_ready().await;
    }
    socket.recv_from(buffer).await
}

async fn pass(
    socket: &Arc<UdpSocket>,
    shared: &Arc<Shared>,
    sessions: &mut Sessions,
    client: SocketAddr,
    datagram: &[u8],
    ended: &mpsc::Sender<(SocketAddr, Arc<UdpSocket>)>,
) {
    if !sessions.contains_key(&client) {
        match open(socket, shared, sessions.len(), client, ended).await {
            Some(session) => sessions.insert(client, session),
            None => return shared.counters.unserved(),
        };
    }
    if let Some(session) = sessions.get(&client) {
        session.last.store(now_ms(), Relaxed);
        // Past tokio, which does not know yet that a new socket can be written to.
        match send(&session.upstream, datagram, SendFlags::empty()) {
            // A full buffer drops the datagram, as the network would.
            Ok(_) | Err(Errno::WOULDBLOCK) => {}
            Err(_) => drop(sessions.remove(&client)),
        }
    }
}

async fn open(
    socket: &Arc<UdpSocket>,
    shared: &Arc<Shared>,
    open: usize,
    client: SocketAddr,
    ended: &mpsc::Sender<(SocketAddr, Arc<UdpSocket>)>,
) -> Option<Session> {
    let most =
        MOST_SESSIONS.min(usize::try_from(shared.spec.max_connections).unwrap_or(MOST_SESSIONS));
    if open >= most {
        return None;
    }
    let lease = shared.targets.pick(&[])?;
    let upstream = match connect(lease.target().address).await {
        Ok(upstream) => Arc::new(upstream),
        Err(_) => {
            lease.target().unreachable();
            return None;
        }
    };
    let last = Arc::new(AtomicU64::new(now_ms()));
    let answers = Answers {
        socket: Arc::clone(socket),
        client,
        upstream: Arc::clone(&upstream),
        last: Arc::clone(&last),
        idle: idle_timeout(&shared.spec),
    };
    shared.counters.opened();
    let (shared, ended) = (Arc::clone(shared), ended.clone());
    let mut closed = shared.closed();
    start(TaskKind::Connection, async move {
        tokio::select! {
            // Datagrams have no state that a cancelled read could lose.
            () = answers.run(lease) => {}
            () = becomes_true(&mut closed) => {}
        }
        shared.counters.ended();
        let _ = ended.send((client, answers.upstream)).await;
    });
    Some(Session { upstream, last })
}

async fn connect(target: SocketAddr) -> io::Result<UdpSocket> {
    let any = if target.is_ipv4() {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
    } else {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
    };
    let upstream = UdpSocket::bind(any).await?;
    upstream.connect(target).await?;
    Ok(upstream)
}

/// The way back of one session.
struct Answers {
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    upstream: Arc<UdpSocket>,
    last: Arc<AtomicU64>,
    idle: Duration,
}

impl Answers {
    /// Until the session is silent for too long, its target is gone or refuses.
    async fn run(&self, lease: Lease) {
        let mut gone = lease.target().gone();
        let mut buffer = Vec::with_capacity(2048);
        let mut rest = self.idle;
        loop {
            tokio::select! {
                // All arms are cancel-safe.
                () = becomes_true(&mut gone) => return,
                ready = self.upstream.readable() => {
                    if ready.is_err() || !self.answer(&mut buffer, &lease) {
                        return;
                    }
                }
                () = sleep(rest) => {
                    let silent = Duration::from_millis(now_ms().saturating_sub(self.last.load(Relaxed)));
                    match self.idle.checked_sub(silent) {
                        None | Some(Duration::ZERO) => return,
                        Some(more) => rest = more,
                    }
                    continue;
                }
            }
            rest = self.idle;
        }
    }

    /// Passes one answer on; false if the target refuses.
    fn answer(&self, buffer: &mut Vec<u8>, lease: &Lease) -> bool {
        buffer.clear();
        buffer.reserve(DATAGRAM);
        match self.upstream.try_recv_buf(buffer) {
            Ok(_) => {
                self.last.store(now_ms(), Relaxed);
                let _ = sendto(&self.socket, buffer, SendFlags::empty(), &self.client);
                buffer.shrink_to(2048);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => {
                lease.target().unreachable();
                false
            }
        }
    }
}
