//! The control socket and its connections. Nothing here ever waits for a client.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, accept_with, bind, listen, recvmsg, send, socket_with, sockopt,
};
use serde::Serialize;

use super::events::Token;
use crate::protocol::{Event, MAX_LINE, Status};

const MAX_CLIENTS: usize = 64;
/// A client that leaves more than this unread is dropped.
const MAX_OUTBOX: usize = 256 * 1024;
/// Nothing is read of a client that leaves more than this unread.
const BUSY_OUTBOX: usize = 64 * 1024;
/// A request must be complete in this time.
const LINE_LIMIT: Duration = Duration::from_secs(10);
/// Descriptors of one request: as many as the kernel passes in one message.
const MAX_FDS: usize = 253;

pub(super) struct Control {
    path: PathBuf,
    listener: OwnedFd,
    clients: BTreeMap<u64, Client>,
    next_id: u64,
}

struct Client {
    socket: OwnedFd,
    inbox: Vec<u8>,
    fds: VecDeque<OwnedFd>,
    outbox: Vec<u8>,
    watching: bool,
    /// The status changed while the client had not read the one before.
    stale: bool,
    line_since: Option<Instant>,
    /// Dropped once the outbox is empty.
    closing: bool,
}

/// What reading from a client gave.
pub(super) enum Input {
    /// A whole line.
    Line(Vec<u8>),
    TooLong,
    Nothing,
    End,
}

impl Control {
    /// Binds the socket. Its folder is made with mode 0700, or must have it and belong to us.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        if !folder.exists() {
            fs::DirBuilder::new()
                .mode(0o700)
                .recursive(true)
                .create(folder)?;
        }
        let found = fs::symlink_metadata(folder)?;
        let own = rustix::process::geteuid().as_raw();
        if !found.is_dir() || found.uid() != own || found.mode() & 0o077 != 0 {
            let text = format!(
                "the folder {} must belong to user {own} and have mode 0700",
                folder.display()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        // The lock on the state directory is ours, so a socket that is there belongs to a dead shim.
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "something else than a socket is there",
                ));
            }
            Err(_) => {}
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        bind(&listener, &SocketAddrUnix::new(path)?)?;
        listen(&listener, 64)?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            clients: BTreeMap::new(),
            next_id: 1,
        })
    }

    pub(super) fn poll<'a>(&'a self, add: &mut impl FnMut(Token, BorrowedFd<'a>, PollFlags)) {
        if self.clients.len() < MAX_CLIENTS {
            add(Token::Listener, self.listener.as_fd(), PollFlags::IN);
        }
        for (id, client) in &self.clients {
            let mut flags = PollFlags::empty();
            flags.set(
                PollFlags::IN,
                client.outbox.len() < BUSY_OUTBOX && !client.closing,
            );
            flags.set(PollFlags::OUT, !client.outbox.is_empty());
            add(Token::Client(*id), client.socket.as_fd(), flags);
        }
    }

    /// Takes waiting connections of our user and root.
    pub(super) fn accept(&mut self) {
        while self.clients.len() < MAX_CLIENTS {
            let Ok(socket) =
                accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
            else {
                return;
            };
            let Ok(peer) = sockopt::socket_peercred(&socket) else {
                continue;
            };
            let own = rustix::process::geteuid();
            if peer.uid != own && !peer.uid.is_root() {
                continue;
            }
            let client = Client {
                socket,
                inbox: Vec::new(),
                fds: VecDeque::new(),
                outbox: Vec::new(),
                watching: false,
                stale: false,
                line_since: None,
                closing: false,
            };
            self.clients.insert(self.next_id, client);
            self.next_id += 1;
        }
    }

    /// The next line of a client, reading once if there is none yet.
    pub(super) fn input(&mut self, id: u64, read: bool) -> Input {
        let Some(client) = self.clients.get_mut(&id) else {
            return Input::Nothing;
        };
        if let Some(line) = client.take_line() {
            return line;
        }
        if !read || client.closing {
            return Input::Nothing;
        }
        if client.receive() {
            client.take_line().unwrap_or(Input::Nothing)
        } else {
            Input::End
        }
    }

    /// The descriptors that came with the requests so far.
    pub(super) fn take_fds(&mut self, id: u64) -> Vec<OwnedFd> {
        self.clients
            .get_mut(&id)
            .map(|client| client.fds.drain(..).collect())
            .unwrap_or_default()
    }

    pub(super) fn send(&mut self, id: u64, message: &impl Serialize) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        client.push(message);
        self.flush(id);
    }

    pub(super) fn event(&mut self, id: u64, event: &Event) {
        self.send(id, event);
    }

    pub(super) fn watch(&mut self, id: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.watching = true;
        }
    }

    /// The client goes once it has read what it was sent.
    pub(super) fn close_after_flush(&mut self, id: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.closing = true;
        }
        self.flush(id);
    }

    pub(super) fn drop_client(&mut self, id: u64) {
        self.clients.remove(&id);
    }

    pub(super) fn has_client(&self, id: u64) -> bool {
        self.clients.contains_key(&id)
    }

    /// Sends the status to all who watch and have read the one before; the others get it later.
    pub(super) fn status_changed(&mut self, status: &Status) {
        let ids: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, client)| client.watching)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Some(client) = self.clients.get_mut(&id) {
                client.stale = true;
            }
            self.send_stale(id, status);
        }
    }

    /// Writes what waits; then the newest status, if that one is owed.
    pub(super) fn writable(&mut self, id: u64, status: &Status) {
        self.flush(id);
        self.send_stale(id, status);
    }

    fn send_stale(&mut self, id: u64, status: &Status) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if client.stale && client.outbox.is_empty() {
            client.stale = false;
            client.push(&Event::State(Box::new(status.clone())));
            self.flush(id);
        }
    }

    fn flush(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if !client.write() || (client.closing && client.outbox.is_empty()) {
            // Seen by the owner of sessions through `has_client`.
            self.clients.remove(&id);
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.clients
            .values()
            .filter_map(|client| client.line_since)
            .min()
            .map(|since| since + LINE_LIMIT)
    }

    /// Drops clients that left a line unfinished.
    pub(super) fn tick(&mut self, now: Instant) {
        self.clients.retain(|_, client| {
            client
                .line_since
                .is_none_or(|since| since + LINE_LIMIT > now)
        });
    }

    /// Nobody finds the socket any more. Once only: after it, the path may be another shim's.
    pub(super) fn unlink(&mut self) {
        let path = std::mem::take(&mut self.path);
        if !path.as_os_str().is_empty() {
            let _ = fs::remove_file(path);
        }
    }

    /// Sends what was said as far as it goes at once, and ends all connections.
    pub(super) fn close(&mut self) {
        let ids: Vec<u64> = self.clients.keys().copied().collect();
        ids.into_iter().for_each(|id| self.flush(id));
        self.clients.clear();
    }
}

impl Client {
    fn push(&mut self, message: &impl Serialize) {
        if serde_json::to_writer(&mut self.outbox, message).is_ok() {
            self.outbox.push(b'\n');
        }
    }

    /// False if the client is to be dropped.
    fn write(&mut self) -> bool {
        while !self.outbox.is_empty() {
            match send(&self.socket, &self.outbox, SendFlags::NOSIGNAL) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return self.outbox.len() <= MAX_OUTBOX,
                Err(_) => return false,
            }
        }
        if self.outbox.capacity() > 4096 {
            self.outbox = Vec::new();
        }
        true
    }

    fn take_line(&mut self) -> Option<Input> {
        if let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.inbox.drain(..=end).take(end).collect();
            self.line_since = (!self.inbox.is_empty()).then(Instant::now);
            return Some(if line.len() > MAX_LINE {
                Input::TooLong
            } else {
                Input::Line(line)
            });
        }
        if self.inbox.len() > MAX_LINE {
            self.inbox = Vec::new();
            return Some(Input::TooLong);
        }
        None
    }

    /// Reads once. False at the end or for an error.
    fn receive(&mut self) -> bool {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut buffer = [0; 16 * 1024];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut buffer)],
            &mut ancillary,
            flags,
        );
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                // More than one request may carry are closed here.
                let room = MAX_FDS.saturating_sub(self.fds.len());
                self.fds.extend(fds.take(room));
            }
        }
        match received {
            Ok(message) if message.bytes == 0 => false,
            Ok(message) => {
                self.inbox.extend_from_slice(&buffer[..message.bytes]);
                self.line_since.get_or_insert_with(Instant::now);
                true
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => true,
            Err(_) => false,
        }
    }
}
