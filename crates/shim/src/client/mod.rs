//! The blocking client: one connection to one shim.

pub(crate) mod adopt;
pub(crate) mod launch;
mod line;
pub(crate) mod sweep;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use line::LineSocket;

use crate::protocol::{Event, PROTOCOL, Reply, Request, Status};
use crate::record::Exit;

/// Why a shim did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens, it does not answer in time, or the connection broke.
    #[error("the shim at {} cannot be talked to; adopt the instance again", path.display())]
    Unreachable {
        /// The control socket.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The socket belongs to another user.
    #[error("{} is served by user {uid}, who is neither this user nor root", path.display())]
    Stranger {
        /// The control socket.
        path: PathBuf,
        /// Who serves it.
        uid: u32,
    },
    /// Not the protocol.
    #[error("the shim at {} answered with something that this version does not know", path.display())]
    Protocol {
        /// The control socket.
        path: PathBuf,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// Another answer than the request has.
    #[error("the shim at {} gave an answer to another question", path.display())]
    Unexpected {
        /// The control socket.
        path: PathBuf,
    },
    /// The shim refused.
    #[error("{message}")]
    Refused {
        /// A stable word, see [`Reply::Error`].
        code: String,
        /// What is wrong and how to mend it.
        message: String,
    },
}

/// How a program that was started by [`Client::exec`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutcome {
    /// Code 127 with an error is a program that could not be executed.
    pub exit: Exit,
}

/// One connection. After [`Client::watch`] or [`Client::exec_start`] use [`Client::next_event`].
#[derive(Debug)]
pub struct Client {
    socket: LineSocket,
    /// Events that came before a reply.
    pending: std::collections::VecDeque<Event>,
    timeout: Duration,
    /// What the shim told about itself.
    pub version: String,
    /// The instance.
    pub id: String,
    /// The shim's pid, for people.
    pub shim: i32,
}

impl Client {
    /// Connects and exchanges versions. Every request after it is answered within the time-out too, or fails.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Unreachable`] with `NotFound` or `ConnectionRefused` means that no shim is there.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let socket = LineSocket::connect(path, timeout)?;
        let mut client = Self {
            socket,
            pending: std::collections::VecDeque::new(),
            timeout,
            version: String::new(),
            id: String::new(),
            shim: 0,
        };
        match client.ask(&Request::Hello { protocol: PROTOCOL }, &[])? {
            Reply::Hello {
                version, id, shim, ..
            } => (client.version, client.id, client.shim) = (version, id, shim),
            _ => return Err(client.unexpected()),
        }
        Ok(client)
    }

    /// The control socket.
    pub fn path(&self) -> &Path {
        self.socket.path()
    }

    /// Sends any request and waits for its reply; descriptors go along.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal of the shim is [`ClientError::Refused`].
    pub fn ask(&mut self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<Reply, ClientError> {
        self.socket.send(request, fds, self.timeout)?;
        let give_up = Instant::now() + self.timeout;
        loop {
            let line = self.socket.receive(Some(give_up))?;
            if is_event(&line) {
                let event = self.parse(&line)?;
                self.pending.push_back(event);
                continue;
            }
            return match self.parse(&line)? {
                Reply::Error { code, message } => Err(ClientError::Refused { code, message }),
                reply => Ok(reply),
            };
        }
    }

    fn tell(&mut self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<(), ClientError> {
        match self.ask(request, fds)? {
            Reply::Ok => Ok(()),
            _ => Err(self.unexpected()),
        }
    }

    /// All about the instance now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn state(&mut self) -> Result<Status, ClientError> {
        match self.ask(&Request::State, &[])? {
            Reply::State(status) => Ok(*status),
            _ => Err(self.unexpected()),
        }
    }

    /// Asks for events; the first is the status now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn watch(&mut self) -> Result<(), ClientError> {
        self.tell(&Request::Watch, &[])
    }

    /// The next event; `None` after the time.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when the connection ends: adopt the instance again.
    pub fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, ClientError> {
        if let Some(event) = self.pending.pop_front() {
            return Ok(Some(event));
        }
        match self.socket.receive(Some(Instant::now() + timeout)) {
            Ok(line) => self.parse(&line).map(Some),
            Err(ClientError::Unreachable { source, .. })
                if source.kind() == io::ErrorKind::TimedOut =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Watches until the status is as wanted; `None` after the time. [`Client::watch`] must have been called.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn wait_for(
        &mut self,
        timeout: Duration,
        mut wanted: impl FnMut(&Status) -> bool,
    ) -> Result<Option<Status>, ClientError> {
        let give_up = Instant::now() + timeout;
        loop {
            match self.next_event(give_up.saturating_duration_since(Instant::now()))? {
                Some(Event::State(status)) if wanted(&status) => return Ok(Some(*status)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Begins a stop; `None` takes what the specification says. Done when a status is over.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn stop(
        &mut self,
        signal: Option<&str>,
        grace: Option<Duration>,
    ) -> Result<(), ClientError> {
        self.tell(
            &Request::Stop {
                signal: signal.map(str::to_owned),
                grace_ms: grace.map(millis),
            },
            &[],
        )
    }

    /// Stops and starts again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn restart(&mut self, grace: Option<Duration>) -> Result<(), ClientError> {
        self.tell(
            &Request::Restart {
                grace_ms: grace.map(millis),
            },
            &[],
        )
    }

    /// Sends a signal to the main process.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn signal(&mut self, signal: &str) -> Result<(), ClientError> {
        self.tell(
            &Request::Signal {
                signal: signal.to_owned(),
            },
            &[],
        )
    }

    /// Replaces the instance's `/etc/hosts`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn hosts(&mut self, content: &str) -> Result<(), ClientError> {
        self.tell(
            &Request::Hosts {
                content: content.to_owned(),
            },
            &[],
        )
    }

    /// Marks the instance as draining or not.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn set_draining(&mut self, draining: bool) -> Result<(), ClientError> {
        self.tell(&Request::SetDraining { draining }, &[])
    }

    /// Lets the shim of an ended instance go. Its `exit.json` stays.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ack_exit(&mut self) -> Result<(), ClientError> {
        self.tell(&Request::AckExit, &[])
    }

    /// Stops the instance if it runs; the shim goes when that is done.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn shutdown(&mut self, grace: Option<Duration>) -> Result<(), ClientError> {
        self.tell(
            &Request::Shutdown {
                grace_ms: grace.map(millis),
            },
            &[],
        )
    }

    /// Keeps descriptors for the next start, one per name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn store_fds(&mut self, names: &[&str], fds: &[BorrowedFd<'_>]) -> Result<(), ClientError> {
        self.tell(
            &Request::StoreFds {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
            },
            fds,
        )
    }

    /// Starts a program in the instance with these descriptors as stdin, stdout and stderr, and gives
    /// its pid. Its end comes as [`Event::ExecExit`]; it is killed when this connection is closed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn exec_start(
        &mut self,
        argv: &[&str],
        env: &BTreeMap<String, String>,
        cwd: Option<&Path>,
        tty: bool,
        stdio: [BorrowedFd<'_>; 3],
    ) -> Result<i32, ClientError> {
        let request = Request::Exec {
            argv: argv.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.clone(),
            cwd: cwd.map(Path::to_owned),
            tty,
        };
        match self.ask(&request, &stdio)? {
            Reply::ExecStarted { pid } => Ok(pid),
            _ => Err(self.unexpected()),
        }
    }

    /// [`Client::exec_start`], and waits for the end; `None` after the time, with the program still running.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn exec(
        &mut self,
        argv: &[&str],
        stdio: [BorrowedFd<'_>; 3],
        timeout: Duration,
    ) -> Result<Option<ExecOutcome>, ClientError> {
        self.exec_start(argv, &BTreeMap::new(), None, false, stdio)?;
        let give_up = Instant::now() + timeout;
        loop {
            match self.next_event(give_up.saturating_duration_since(Instant::now()))? {
                Some(Event::ExecExit(exit)) => return Ok(Some(ExecOutcome { exit })),
                Some(Event::State(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// Sends a signal to the program of [`Client::exec_start`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn exec_signal(&mut self, signal: &str) -> Result<(), ClientError> {
        self.tell(
            &Request::ExecSignal {
                signal: signal.to_owned(),
            },
            &[],
        )
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, line: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(line).map_err(|source| ClientError::Protocol {
            path: self.path().to_owned(),
            source,
        })
    }

    fn unexpected(&self) -> ClientError {
        ClientError::Unexpected {
            path: self.path().to_owned(),
        }
    }
}

/// A reply has `result` as its first key, an event `event`; the shim writes tags first.
fn is_event(line: &[u8]) -> bool {
    line.starts_with(b"{\"event\"")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
