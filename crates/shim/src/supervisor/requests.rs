//! What clients ask for.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::event::PollFlags;

use super::control::Input;
use super::{After, Phase, StopReason, Supervisor, exec};
use crate::protocol::{MAX_HOSTS, MAX_LINE, PROTOCOL, Reply, Request};
use crate::spec::Mode;
use crate::{fault, signal, sys};

fn error(code: &str, message: impl Into<String>) -> Reply {
    Reply::Error {
        code: code.to_owned(),
        message: message.into(),
    }
}

impl Supervisor {
    pub(super) fn on_client(&mut self, id: u64, flags: PollFlags) {
        if flags.contains(PollFlags::OUT) {
            self.control.writable(id, &self.status);
        }
        if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.read_client(id);
        }
    }

    fn read_client(&mut self, id: u64) {
        // Reads once per turn of the loop, then takes all lines that are whole: their number is
        // bounded by what one read brings.
        let mut read = true;
        loop {
            match self.control.input(id, read) {
                Input::Line(line) => self.on_line(id, &line),
                Input::TooLong => {
                    let message = format!("a request has at most {MAX_LINE} bytes");
                    self.control.send(id, &error("bad_request", message));
                    self.control.close_after_flush(id);
                    return;
                }
                Input::Nothing => return,
                Input::End => return self.control.drop_client(id),
            }
            if matches!(self.phase, Phase::Leaving) {
                return;
            }
            read = false;
        }
    }

    fn on_line(&mut self, id: u64, line: &[u8]) {
        let request = match serde_json::from_slice::<Request>(line) {
            Ok(request) => request,
            Err(source) => {
                self.control.take_fds(id);
                // The text of the parser quotes names only, not values.
                let message = format!("not a request of protocol {PROTOCOL}: {source}");
                return self.control.send(id, &error("bad_request", message));
            }
        };
        let watches = matches!(request, Request::Watch);
        let reply = self.handle(id, request);
        self.control.send(id, &reply);
        if watches {
            self.control.watch(id);
            self.control.event(id, &self.state_event());
        }
        if matches!(self.phase, Phase::Leaving) {
            return;
        }
        self.publish();
    }

    fn handle(&mut self, id: u64, request: Request) -> Reply {
        let fds = self.control.take_fds(id);
        let grace = |ms: Option<u64>| ms.map(Duration::from_millis);
        match request {
            Request::Hello { .. } => Reply::Hello {
                protocol: PROTOCOL,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                id: self.spec.id.clone(),
                shim: rustix::process::getpid().as_raw_nonzero().get(),
            },
            Request::State => {
                self.publish();
                Reply::State(Box::new(self.status().clone()))
            }
            Request::Watch => {
                self.publish();
                Reply::Ok
            }
            Request::Stop { signal, grace_ms } => match signal.as_deref().map(signal::number) {
                Some(None) => error("bad_request", "no such signal"),
                given => {
                    self.stop(
                        After::End,
                        StopReason::Asked,
                        given.flatten(),
                        grace(grace_ms),
                    );
                    Reply::Ok
                }
            },
            Request::Restart { grace_ms } => self.restart(grace(grace_ms)),
            Request::Signal { signal } => self.send_signal(&signal),
            Request::Exec {
                argv,
                env,
                cwd,
                tty,
            } => {
                let wanted = exec::Wanted {
                    argv,
                    env: env.into_iter().collect(),
                    cwd,
                    terminal: tty,
                };
                self.exec(id, wanted, fds)
            }
            Request::ExecSignal { signal } => self.signal_session(id, &signal),
            Request::Hosts { content } => self.set_hosts(&content),
            Request::AckExit => self.ack_exit(),
            Request::StoreFds { names } => match self.fds.store(names, fds) {
                Ok(()) => {
                    self.save_counters();
                    Reply::Ok
                }
                Err((code, message)) => error(code, message),
            },
            Request::RemoveFds { names } => {
                self.fds.remove(&names);
                self.save_counters();
                Reply::Ok
            }
            Request::SetDraining { draining } => {
                self.draining = draining;
                Reply::Ok
            }
            Request::Shutdown { grace_ms } => self.shut_down(grace(grace_ms)),
        }
    }

    fn restart(&mut self, grace: Option<Duration>) -> Reply {
        if matches!(self.spec.mode, Mode::OneShot { .. }) {
            return error("not_allowed", "a one-shot runs once; launch a new instance");
        }
        if matches!(self.phase, Phase::Over { .. }) || self.after == After::End {
            return error(
                "not_running",
                "the instance is over or being stopped; launch it again",
            );
        }
        self.counters.restarts += 1;
        self.counters.step = 0;
        self.save_counters();
        self.stop(After::Again, StopReason::Asked, None, grace);
        Reply::Ok
    }

    fn send_signal(&self, name: &str) -> Reply {
        match signal::number(name) {
            None => error("bad_request", "no such signal"),
            Some(number) if self.signal_main(number) => Reply::Ok,
            Some(_) => error("not_running", "the instance does not run"),
        }
    }

    fn signal_session(&self, id: u64, name: &str) -> Reply {
        let session = self.sessions.iter().find(|session| session.client == id);
        match (signal::number(name), session) {
            (None, _) => error("bad_request", "no such signal"),
            (_, None) => error("not_running", "no program was started on this connection"),
            (Some(number), Some(session)) => {
                sys::kill_group(session.pid, number);
                Reply::Ok
            }
        }
    }

    fn set_hosts(&mut self, content: &str) -> Reply {
        if self.spec.hosts.is_none() {
            return error("not_allowed", "the instance has no hosts file of its own");
        }
        if content.len() > MAX_HOSTS {
            return error(
                "limit",
                format!("a hosts file has at most {MAX_HOSTS} bytes"),
            );
        }
        match write_in_place(&self.dir.join("hosts"), content) {
            Ok(()) => Reply::Ok,
            Err(source) => error("failed", format!("cannot write the hosts file: {source}")),
        }
    }

    fn ack_exit(&mut self) -> Reply {
        if !matches!(self.phase, Phase::Over { .. }) {
            return error("not_allowed", "the instance is not over");
        }
        fault::point("exit_acknowledged");
        self.phase = Phase::Leaving;
        Reply::Ok
    }

    fn shut_down(&mut self, grace: Option<Duration>) -> Reply {
        self.leave_at_end = true;
        if matches!(self.phase, Phase::Over { .. }) {
            self.phase = Phase::Leaving;
        } else {
            self.stop(After::End, StopReason::Asked, None, grace);
        }
        Reply::Ok
    }
}

/// Rewrites a file without a rename, which would break the mount of it. The old length is cut last,
/// so that a reader in between sees lines of both, never an empty file.
pub(super) fn write_in_place(path: &Path, content: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.write_all(content.as_bytes())?;
    file.set_len(content.len() as u64)
}
