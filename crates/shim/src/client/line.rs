//! A Unix socket that carries lines, with a limit on time and size for each.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recv, sendmsg, socket_with, sockopt,
};
use serde::Serialize;

use super::ClientError;

/// A status with its warnings and outputs is far below.
const MAX_ANSWER: usize = 1 << 20;
/// Between two tries at a socket whose queue is full.
const RETRY: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct LineSocket {
    path: PathBuf,
    socket: OwnedFd,
    inbox: Vec<u8>,
}

impl LineSocket {
    pub(super) fn connect(path: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let give_up = Instant::now() + timeout;
        let open = || {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            let address = SocketAddrUnix::new(path)?;
            loop {
                match connect(&socket, &address) {
                    Ok(()) => return Ok::<_, io::Error>(socket),
                    // The queue is full: its shim is busy or hangs.
                    Err(rustix::io::Errno::AGAIN) if Instant::now() < give_up => {
                        std::thread::sleep(RETRY)
                    }
                    Err(rustix::io::Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let unreachable = |source| ClientError::Unreachable {
            path: path.to_owned(),
            source,
        };
        let socket = open().map_err(unreachable)?;
        let peer = sockopt::socket_peercred(&socket).map_err(|error| unreachable(error.into()))?;
        let own = rustix::process::geteuid();
        if peer.uid != own && !peer.uid.is_root() && !own.is_root() {
            return Err(ClientError::Stranger {
                path: path.to_owned(),
                uid: peer.uid.as_raw(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            socket,
            inbox: Vec::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn broken(&self, source: impl Into<io::Error>) -> ClientError {
        ClientError::Unreachable {
            path: self.path.clone(),
            source: source.into(),
        }
    }

    /// Sends one message as a line, the descriptors with its first byte.
    pub(super) fn send(
        &self,
        message: &impl Serialize,
        fds: &[BorrowedFd<'_>],
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let give_up = Instant::now() + timeout;
        let mut line = serde_json::to_vec(message).map_err(|source| ClientError::Protocol {
            path: self.path.clone(),
            source,
        })?;
        line.push(b'\n');
        let (mut rest, mut fds) = (line.as_slice(), fds);
        while !rest.is_empty() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(self.broken(io::Error::other(
                    "more descriptors than one request can carry",
                )));
            }
            match sendmsg(
                &self.socket,
                &[IoSlice::new(rest)],
                &mut ancillary,
                SendFlags::NOSIGNAL,
            ) {
                Ok(count) => (rest, fds) = (&rest[count..], &[]),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => self.wait(PollFlags::OUT, Some(give_up))?,
                Err(error) => return Err(self.broken(error)),
            }
        }
        Ok(())
    }

    /// The next line, without its newline. `TimedOut` after the moment.
    pub(super) fn receive(&mut self, give_up: Option<Instant>) -> Result<Vec<u8>, ClientError> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.inbox[searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                let end = searched + end;
                return Ok(self.inbox.drain(..=end).take(end).collect());
            }
            searched = self.inbox.len();
            if searched > MAX_ANSWER {
                return Err(self.broken(io::Error::other("an answer of more than 1 MiB")));
            }
            let mut buffer = [0; 16 * 1024];
            match recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => return Err(self.broken(io::ErrorKind::UnexpectedEof)),
                Ok((count, _)) => self.inbox.extend_from_slice(&buffer[..count]),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => self.wait(PollFlags::IN, give_up)?,
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    fn wait(&self, flags: PollFlags, give_up: Option<Instant>) -> Result<(), ClientError> {
        let left = give_up.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut fds = [PollFd::new(&self.socket, flags)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => Err(self.broken(io::ErrorKind::TimedOut)),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(self.broken(error)),
        }
    }
}
