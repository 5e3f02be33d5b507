//! Programs that join the running instance: `exec` of clients, and probes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::thread::ThreadNameSpaceType;

use super::Supervisor;
use crate::child::{self, Common, Image, Join};
use crate::protocol::{Event, Reply};
use crate::record::Exit;
use crate::spec::Namespaces;
use crate::sys::{self, Forked, Reaped};

/// At most so many at a time.
const MAX_SESSIONS: usize = 32;

/// One program that a client started.
pub(super) struct Session {
    pub(super) client: u64,
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    faults: OwnedFd,
}

/// What a client asked for.
pub(super) struct Wanted {
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) terminal: bool,
}

impl Supervisor {
    pub(super) fn exec(&mut self, client: u64, wanted: Wanted, fds: Vec<OwnedFd>) -> Reply {
        let started = self.check_exec(client, &wanted, fds).and_then(|stdio| {
            self.start_session(client, wanted, &stdio)
                .map_err(|source| ("failed", format!("cannot start the program: {source}")))
        });
        match started {
            Ok(session) => {
                let pid = session.pid;
                self.sessions.push(session);
                Reply::ExecStarted { pid }
            }
            Err((code, message)) => Reply::Error {
                code: code.to_owned(),
                message,
            },
        }
    }

    fn check_exec(
        &self,
        client: u64,
        wanted: &Wanted,
        fds: Vec<OwnedFd>,
    ) -> Result<[OwnedFd; 3], (&'static str, String)> {
        if self.main.is_none() {
            return Err((
                "not_running",
                "the instance does not run; wait until it does".to_owned(),
            ));
        }
        let busy = self.sessions.iter().any(|session| session.client == client);
        if busy || self.sessions.len() >= MAX_SESSIONS {
            return Err((
                "limit",
                format!("one program per connection and {MAX_SESSIONS} at a time"),
            ));
        }
        let env = wanted.env.iter().flat_map(|(name, value)| [name, value]);
        if wanted.argv.is_empty()
            || wanted
                .argv
                .iter()
                .chain(env)
                .any(|text| text.contains('\0'))
        {
            return Err((
                "bad_request",
                "name a program; texts must not contain NUL bytes".to_owned(),
            ));
        }
        <[OwnedFd; 3]>::try_from(fds).map_err(|_| {
            (
                "bad_request",
                "pass three descriptors: stdin, stdout and stderr".to_owned(),
            )
        })
    }

    fn start_session(
        &self,
        client: u64,
        wanted: Wanted,
        stdio: &[OwnedFd; 3],
    ) -> io::Result<Session> {
        let (faults, inside) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&faults, OFlags::NONBLOCK)?;
        let stdio = stdio.each_ref().map(AsFd::as_fd);
        let (pid, pidfd) = self.join_instance("exec", wanted, stdio, inside.as_fd())?;
        Ok(Session {
            client,
            pid,
            pidfd,
            faults,
        })
    }

    /// Starts a program inside the instance.
    pub(super) fn join_instance(
        &self,
        leaf: &str,
        wanted: Wanted,
        stdio: [BorrowedFd<'_>; 3],
        faults: BorrowedFd<'_>,
    ) -> io::Result<(i32, OwnedFd)> {
        let Wanted {
            argv,
            env,
            cwd,
            terminal,
        } = wanted;
        let main = self.main.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut whole = self.environment();
        whole.retain(|(name, _)| !env.iter().any(|(other, _)| other == name));
        whole.extend(env);
        let program = argv.first().cloned().unwrap_or_default();
        let join = Join {
            common: Common {
                stdio,
                join: self.groups.join_files(leaf),
                process: &self.spec.process,
                image: Image::new(program, argv, &whole)?,
                cwd: cwd.or_else(|| self.spec.process.cwd.clone()),
            },
            main: main.pidfd.as_fd(),
            namespaces: self.namespaces(),
            terminal,
            faults,
        };
        match sys::fork_process()? {
            Forked::Child => join.run(),
            Forked::Parent { pid, pidfd } => Ok((pid, pidfd)),
        }
    }

    fn namespaces(&self) -> ThreadNameSpaceType {
        let mut all = match self.spec.namespaces {
            Namespaces::None => return ThreadNameSpaceType::empty(),
            Namespaces::RootMountNs => ThreadNameSpaceType::MOUNT,
            Namespaces::UserMountNs => ThreadNameSpaceType::MOUNT | ThreadNameSpaceType::USER,
        };
        if self.spec.hostname.is_some() {
            all |= ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME;
        }
        all
    }

    pub(super) fn on_session_exit(&mut self, reaped: &Reaped) {
        let Some(index) = self
            .sessions
            .iter()
            .position(|session| session.pid == reaped.pid)
        else {
            return;
        };
        let session = self.sessions.swap_remove(index);
        let mut text = [0; 4096];
        let count = rustix::io::read(&session.faults, &mut text).unwrap_or(0);
        let (_, fault) = child::read_faults(&text[..count]);
        let exit = Exit {
            error: fault.map(|fault| self.secrets.scrub_text(fault.message())),
            usage: Some(reaped.usage),
            ..super::stop::exit_of(Some(reaped.status))
        };
        self.control.event(session.client, &Event::ExecExit(exit));
    }

    /// A client is gone: its program has nobody to talk to.
    pub(super) fn end_sessions_of(&self, client: u64) {
        for session in self
            .sessions
            .iter()
            .filter(|session| session.client == client)
        {
            sys::kill_group(session.pid, libc::SIGKILL);
            let _ = sys::pidfd_signal(&session.pidfd, libc::SIGKILL);
        }
    }
}
