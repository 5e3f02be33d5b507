//! A blocking client, for drivers and tools.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::lines::{decode, encode};
use crate::protocol::{
    Event, Failure, FailureCode, LINE_LIMIT, ListenerCounts, ListenerKey, ListenerSpec, PROTOCOL,
    Reply, Request, TargetSpec, TargetsRequest,
};

/// Replies carry the state of many listeners.
const REPLY_LIMIT: u64 = 256 * 1024 * 1024;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the control socket.
    #[error("cannot reach the port holder at {}", path.display())]
    Unreachable {
        /// The control socket.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The connection failed; a change may or may not have been made. Repeating it is safe.
    #[error("the connection to the port holder failed")]
    Connection(#[source] io::Error),
    /// The holder's answer is not of this protocol.
    #[error("the port holder's answer cannot be understood: {0}")]
    Answer(String),
    /// The holder refused.
    #[error("the port holder refused the request")]
    Refused(#[source] Failure),
}

impl ClientError {
    /// The kind of refusal, if it is one.
    pub fn code(&self) -> Option<FailureCode> {
        match self {
            Self::Refused(failure) => Some(failure.code),
            Self::Unreachable { .. } | Self::Connection(_) | Self::Answer(_) => None,
        }
    }
}

pub(crate) fn unexpected(reply: &Reply) -> ClientError {
    ClientError::Answer(format!("it does not belong to the request: {reply:?}"))
}

/// Defines typed calls once for both clients.
macro_rules! typed_calls {
    ($($asyncness:ident)?; $($await:tt)*) => {
        /// Opens a listener, and answers with its address. Repeating it is safe.
        ///
        /// # Errors
        /// [`ClientError`]; refused among others as `address_in_use`, `permission_denied`, `listener_differs`.
        pub $($asyncness)? fn bind(&mut self, spec: ListenerSpec) -> Result<SocketAddr, ClientError> {
            match self.ask(&Request::Bind(spec)) $($await)* ? {
                Reply::Bound { address } => Ok(address),
                other => Err(unexpected(&other)),
            }
        }

        /// Closes a listener. Repeating it is safe.
        ///
        /// # Errors
        /// [`ClientError`].
        pub $($asyncness)? fn unbind(&mut self, key: &ListenerKey) -> Result<(), ClientError> {
            match self.ask(&Request::Unbind { key: key.clone() }) $($await)* ? {
                Reply::Done => Ok(()),
                other => Err(unexpected(&other)),
            }
        }

        /// Replaces the targets of a listener. Repeating it is safe.
        ///
        /// # Errors
        /// [`ClientError`]; refused as `stale_generation` if a later generation is in force.
        pub $($asyncness)? fn targets(&mut self, key: &ListenerKey, generation: u64, targets: Vec<TargetSpec>) -> Result<(), ClientError> {
            match self.ask(&Request::Targets(TargetsRequest { key: key.clone(), generation, targets })) $($await)* ? {
                Reply::Done => Ok(()),
                other => Err(unexpected(&other)),
            }
        }

        /// Gives a target no new work; answers how much it still carries.
        ///
        /// # Errors
        /// [`ClientError`].
        pub $($asyncness)? fn drain(&mut self, key: &ListenerKey, target: &str) -> Result<u64, ClientError> {
            match self.ask(&Request::Drain { key: key.clone(), target: target.to_owned() }) $($await)* ? {
                Reply::Draining { open } => Ok(open),
                other => Err(unexpected(&other)),
            }
        }

        /// The numbers of one listener, or of all.
        ///
        /// # Errors
        /// [`ClientError`].
        pub $($asyncness)? fn counts(&mut self, key: Option<&ListenerKey>) -> Result<Vec<ListenerCounts>, ClientError> {
            match self.ask(&Request::Counts { key: key.cloned() }) $($await)* ? {
                Reply::Counts { listeners } => Ok(listeners),
                other => Err(unexpected(&other)),
            }
        }

        /// The URL of a `unix_http` listener.
        ///
        /// # Errors
        /// [`ClientError`].
        pub $($asyncness)? fn event_address(&mut self, key: &ListenerKey) -> Result<String, ClientError> {
            match self.ask(&Request::EventAddress { key: key.clone() }) $($await)* ? {
                Reply::EventAddress { url } => Ok(url),
                other => Err(unexpected(&other)),
            }
        }

        /// Claims address blocks until there are `count`, and answers with all.
        ///
        /// # Errors
        /// [`ClientError`].
        pub $($asyncness)? fn blocks(&mut self, count: usize) -> Result<Vec<crate::addresses::Block>, ClientError> {
            match self.ask(&Request::Blocks { count }) $($await)* ? {
                Reply::Blocks { blocks } => blocks.iter().map(|block| block.parse()).collect::<Result<_, _>>().map_err(ClientError::Answer),
                other => Err(unexpected(&other)),
            }
        }

        /// Carries out many requests and records them in one go; refusals are among the replies.
        ///
        /// # Errors
        /// [`ClientError`].
        pub $($asyncness)? fn batch(&mut self, requests: Vec<Request>) -> Result<Vec<Reply>, ClientError> {
            match self.ask(&Request::Batch { requests }) $($await)* ? {
                Reply::Batch { replies } => Ok(replies),
                other => Err(unexpected(&other)),
            }
        }

        /// Ends the port holder.
        ///
        /// # Errors
        /// [`ClientError`].
        pub $($asyncness)? fn shutdown(&mut self) -> Result<(), ClientError> {
            match self.ask(&Request::Shutdown) $($await)* ? {
                Reply::Done => Ok(()),
                other => Err(unexpected(&other)),
            }
        }
    };
}
pub(crate) use typed_calls;

/// A control connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    pid: u32,
}

impl Client {
    /// Connects and agrees on the protocol. Each later call takes at most `timeout` per read or write.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|source| ClientError::Unreachable {
            path: path.to_owned(),
            source,
        })?;
        let limit = Some(timeout).filter(|timeout| !timeout.is_zero());
        stream
            .set_read_timeout(limit)
            .and_then(|()| stream.set_write_timeout(limit))
            .map_err(ClientError::Connection)?;
        let mut client = Self {
            stream: BufReader::new(stream),
            pid: 0,
        };
        match client.ask(&Request::Hello { protocol: PROTOCOL })? {
            Reply::Hello { pid, .. } => client.pid = pid,
            other => return Err(unexpected(&other)),
        }
        Ok(client)
    }

    /// The holder's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends any request and waits for its reply.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal is one too.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let line = encode(request).map_err(ClientError::Connection)?;
        if line.len() > LINE_LIMIT {
            return Err(ClientError::Answer(format!(
                "the request has {} bytes, more than {LINE_LIMIT}; send it in parts",
                line.len()
            )));
        }
        self.stream
            .get_mut()
            .write_all(&line)
            .map_err(ClientError::Connection)?;
        match read_document(&mut self.stream)? {
            Reply::Error(failure) => Err(ClientError::Refused(failure)),
            reply => Ok(reply),
        }
    }

    typed_calls!(;);

    /// Turns the connection into a stream of events, beginning with the current state.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn watch(mut self) -> Result<Events, ClientError> {
        match self.ask(&Request::Watch)? {
            Reply::Watching => Ok(Events {
                stream: self.stream,
            }),
            other => Err(unexpected(&other)),
        }
    }
}

/// Events of a [`Client::watch`].
#[derive(Debug)]
pub struct Events {
    stream: BufReader<UnixStream>,
}

impl Events {
    /// The next event, or `None` if none comes within `timeout`.
    ///
    /// # Errors
    /// [`ClientError`] if the holder ended.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Event>, ClientError> {
        let limit = timeout.max(Duration::from_millis(1));
        self.stream
            .get_ref()
            .set_read_timeout(Some(limit))
            .map_err(ClientError::Connection)?;
        // Only the first byte of an event may be late: the holder writes events whole.
        match self.stream.fill_buf() {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(ClientError::Connection(error)),
            Ok(_) => read_document(&mut self.stream).map(Some),
        }
    }

    /// Waits until an event fits; false after `timeout`.
    ///
    /// # Errors
    /// [`ClientError`] if the holder ended.
    pub fn wait_for(
        &mut self,
        timeout: Duration,
        mut fits: impl FnMut(&Event) -> bool,
    ) -> Result<bool, ClientError> {
        let deadline = Instant::now() + timeout;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.next(rest)? {
                Some(event) if fits(&event) => return Ok(true),
                Some(_) if !rest.is_zero() => {}
                _ => return Ok(false),
            }
        }
    }
}

fn read_document<T: DeserializeOwned>(
    stream: &mut BufReader<UnixStream>,
) -> Result<T, ClientError> {
    let mut line = Vec::new();
    stream
        .by_ref()
        .take(REPLY_LIMIT)
        .read_until(b'\n', &mut line)
        .map_err(ClientError::Connection)?;
    if line.last() != Some(&b'\n') {
        return Err(ClientError::Connection(io::Error::from(
            io::ErrorKind::UnexpectedEof,
        )));
    }
    decode(&line).map_err(ClientError::Answer)
}
