//! The shim's descriptor store: what is kept there comes back after a kill of this process.
//!
//! The protocol is that of the shim's control socket: JSON lines, the descriptors beside the first
//! byte of the request by `SCM_RIGHTS` (unix(7)).

use std::fmt;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};

/// A shim answers from its poll loop; longer means that it hangs.
const TIMEOUT: Duration = Duration::from_secs(5);
const REPLY_LIMIT: u64 = 64 * 1024;

/// Keeps descriptors for the next life of this process. Calls may block for seconds.
pub trait FdStore: Send + Sync + fmt::Debug {
    /// Keeps a duplicate under a name, which comes back in `LISTEN_FDNAMES`.
    ///
    /// # Errors
    /// [`FdStoreError`] if it is not certain that the descriptor is kept.
    fn store(&self, name: &str, fd: BorrowedFd<'_>) -> Result<(), FdStoreError>;

    /// Forgets all descriptors of a name.
    ///
    /// # Errors
    /// [`FdStoreError`] if it is not certain that they are forgotten.
    fn forget(&self, name: &str) -> Result<(), FdStoreError>;
}

/// Why a descriptor is not kept.
#[derive(Debug, thiserror::Error)]
pub enum FdStoreError {
    /// No answer.
    #[error("the shim at {} does not answer", path.display())]
    Unreachable {
        /// Its control socket.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A refusal.
    #[error("the shim at {} refused to keep a descriptor: {answer}", path.display())]
    Refused {
        /// Its control socket.
        path: PathBuf,
        /// What it said.
        answer: String,
    },
}

/// No shim: after a kill the listeners are bound again, and what comes meanwhile is refused.
#[derive(Debug)]
pub struct NoFdStore;

impl FdStore for NoFdStore {
    fn store(&self, _: &str, _: BorrowedFd<'_>) -> Result<(), FdStoreError> {
        Ok(())
    }
    fn forget(&self, _: &str) -> Result<(), FdStoreError> {
        Ok(())
    }
}

/// The shim that started this process.
#[derive(Debug)]
pub struct ShimFdStore {
    control: PathBuf,
}

impl ShimFdStore {
    /// A store behind a shim's control socket.
    pub fn new(control: impl Into<PathBuf>) -> Self {
        Self {
            control: control.into(),
        }
    }

    fn ask(&self, request: &Value, fds: &[BorrowedFd<'_>]) -> Result<(), FdStoreError> {
        let answer =
            exchange(&self.control, request, fds).map_err(|source| FdStoreError::Unreachable {
                path: self.control.clone(),
                source,
            })?;
        match refusal(&answer) {
            None => Ok(()),
            Some(answer) => Err(FdStoreError::Refused {
                path: self.control.clone(),
                answer,
            }),
        }
    }
}

impl FdStore for ShimFdStore {
    fn store(&self, name: &str, fd: BorrowedFd<'_>) -> Result<(), FdStoreError> {
        self.ask(&json!({"request": "store_fds", "names": [name]}), &[fd])
    }

    fn forget(&self, name: &str) -> Result<(), FdStoreError> {
        self.ask(&json!({"request": "remove_fds", "names": [name]}), &[])
    }
}

/// What the answer says against it, if anything.
fn refusal(answer: &Value) -> Option<String> {
    let failed = answer.get("error").is_some()
        || matches!(answer.get("result").and_then(Value::as_str), Some("error"));
    failed.then(|| {
        let said = ["message", "error"]
            .iter()
            .filter_map(|field| answer.get(field))
            .find_map(Value::as_str);
        said.map_or_else(|| answer.to_string(), ToOwned::to_owned)
    })
}

fn exchange(control: &Path, request: &Value, fds: &[BorrowedFd<'_>]) -> io::Result<Value> {
    let stream = UnixStream::connect(control)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let line = format!("{request}\n");
    let sent = send_with(&stream, line.as_bytes(), fds)?;
    (&stream).write_all(&line.as_bytes()[sent..])?;
    let mut answer = String::new();
    BufReader::new(stream.take(REPLY_LIMIT)).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    serde_json::from_str(&answer).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn send_with(stream: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    Ok(sendmsg(
        stream,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?)
}
