//! Asking the checks.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, connect, send, socket_with, sockopt,
};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{After, StopReason, Supervisor};
use crate::health::{Timing, Tracker};
use crate::protocol::{Health, ProbeStatus};
use crate::spec::{Check, OnUnhealthy, Probe};
use crate::sys;

/// Kept of what a failed check said.
const MAX_OUTPUT: usize = 4096;
/// A status line is not longer.
const MAX_ANSWER: usize = 512;

/// One check and its question under way.
pub(super) struct Runner {
    probe: Probe,
    tracker: Option<Tracker>,
    question: Option<Question>,
    output: String,
}

struct Question {
    asked: Instant,
    give_up: Instant,
    text: Vec<u8>,
    kind: Kind,
}

enum Kind {
    /// A program, and the reading end of its output.
    Exec {
        pid: i32,
        out: Option<OwnedFd>,
    },
    Connecting {
        socket: OwnedFd,
    },
    /// Waiting for the status line.
    Answering {
        socket: OwnedFd,
    },
}

/// The answer to a question.
struct Answer {
    success: bool,
    text: String,
}

impl Runner {
    pub(super) fn new(probe: Probe) -> Self {
        Self {
            probe,
            tracker: None,
            question: None,
            output: String::new(),
        }
    }

    /// A new run of the program began.
    pub(super) fn begin(&mut self, now: Instant) {
        self.end();
        self.tracker = Some(Tracker::new(Timing::from(&self.probe), now));
    }

    /// The run is over; a question under way is forgotten (its process dies with the instance).
    pub(super) fn end(&mut self) {
        if let Some(Question {
            kind: Kind::Exec { pid, .. },
            ..
        }) = self.question.take()
        {
            sys::kill_group(pid, libc::SIGKILL);
        }
        self.tracker = None;
        self.output.clear();
    }

    pub(super) fn gates(&self) -> bool {
        self.probe.gates_ready
    }

    pub(super) fn status(&self) -> ProbeStatus {
        ProbeStatus {
            name: self.probe.name.clone(),
            health: self
                .tracker
                .as_ref()
                .map_or(Health::Starting, Tracker::health),
            failures: self.tracker.as_ref().map_or(0, Tracker::failures),
            output: self.output.clone(),
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match &self.question {
            Some(question) => Some(question.give_up),
            None => self.tracker.as_ref().map(Tracker::due),
        }
    }

    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        Some(match &self.question.as_ref()?.kind {
            Kind::Exec { out, .. } => (out.as_ref()?.as_fd(), PollFlags::IN),
            Kind::Connecting { socket } => (socket.as_fd(), PollFlags::OUT),
            Kind::Answering { socket } => (socket.as_fd(), PollFlags::IN),
        })
    }

    /// Takes an answer. True if the instance has just become unhealthy.
    fn answer(&mut self, answer: Answer, asked: Instant) -> bool {
        let Some(tracker) = &mut self.tracker else {
            return false;
        };
        let changed = tracker.answer(answer.success, asked, Instant::now());
        self.output = if answer.success {
            String::new()
        } else {
            answer.text
        };
        changed && tracker.health() == Health::Unhealthy
    }

    /// Reads what the program says, so that it never blocks.
    fn drain(&mut self) {
        let Some(Question {
            kind: Kind::Exec { out, .. },
            text,
            ..
        }) = &mut self.question
        else {
            return;
        };
        let (Some(fd), mut buffer) = (out.as_ref(), [0; 1024]) else {
            return;
        };
        for _ in 0..64 {
            match rustix::io::read(fd, &mut buffer) {
                Ok(count) if count > 0 => {
                    let space = MAX_OUTPUT.saturating_sub(text.len());
                    text.extend_from_slice(&buffer[..count.min(space)]);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                _ => {
                    *out = None;
                    return;
                }
            }
        }
    }

    /// Goes on with a network question; an answer if it is there.
    fn advance(&mut self) -> Option<Answer> {
        let question = self.question.as_mut()?;
        let failed = |text: String| {
            Some(Answer {
                success: false,
                text,
            })
        };
        match &mut question.kind {
            Kind::Exec { .. } => None,
            Kind::Connecting { socket } => {
                match sockopt::socket_error(&*socket) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) | Err(error) => {
                        return failed(format!("cannot connect: {error}"));
                    }
                }
                let Check::Http {
                    address,
                    path,
                    host,
                } = &self.probe.check
                else {
                    return Some(Answer {
                        success: true,
                        text: String::new(),
                    });
                };
                let host = host.as_ref().unwrap_or(address);
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: consort-shim\r\nAccept: */*\r\nConnection: close\r\n\r\n"
                );
                match send(&*socket, request.as_bytes(), SendFlags::NOSIGNAL) {
                    Ok(count) if count == request.len() => {}
                    Ok(_) => return failed("cannot send the request".to_owned()),
                    Err(error) => return failed(format!("cannot send the request: {error}")),
                }
                let Ok(copy) = socket.try_clone() else {
                    return failed("out of descriptors".to_owned());
                };
                question.kind = Kind::Answering { socket: copy };
                None
            }
            Kind::Answering { socket } => {
                let mut buffer = [0; MAX_ANSWER];
                let space = MAX_ANSWER - question.text.len().min(MAX_ANSWER - 1);
                match rustix::io::read(&*socket, &mut buffer[..space]) {
                    Ok(0) => {
                        return failed("the connection was closed without an answer".to_owned());
                    }
                    Ok(count) => question.text.extend_from_slice(&buffer[..count]),
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return None,
                    Err(error) => return failed(format!("no answer: {error}")),
                }
                status_line(&question.text)
            }
        }
    }
}

/// Judges the first line of an answer, once it is there.
fn status_line(text: &[u8]) -> Option<Answer> {
    let end = text.iter().position(|byte| *byte == b'\n');
    if end.is_none() && text.len() < MAX_ANSWER - 1 {
        return None;
    }
    let line = String::from_utf8_lossy(&text[..end.unwrap_or(text.len())])
        .trim_end()
        .to_owned();
    let mut parts = line.split(' ');
    let http = parts
        .next()
        .is_some_and(|version| version.starts_with("HTTP/1."));
    let status = parts
        .next()
        .and_then(|status| status.parse::<u16>().ok())
        .filter(|_| http);
    Some(Answer {
        success: status.is_some_and(|status| (200..400).contains(&status)),
        text: line,
    })
}

impl Supervisor {
    pub(super) fn tick_probes(&mut self, now: Instant) {
        for index in 0..self.probes.len() {
            let runner = &self.probes[index];
            match &runner.question {
                Some(question) if question.give_up <= now => self.give_up_question(index),
                None if runner.due().is_some_and(|due| due <= now) => self.ask(index, now),
                _ => {}
            }
        }
    }

    fn ask(&mut self, index: usize, now: Instant) {
        let probe = self.probes[index].probe.clone();
        let kind = match &probe.check {
            Check::Exec { argv } => self.ask_program(index, argv),
            Check::Http { address, .. } | Check::Tcp { address } => begin_connect(address),
        };
        match kind {
            Ok(kind) => {
                let give_up = now + Duration::from_millis(probe.timeout_ms);
                self.probes[index].question = Some(Question {
                    asked: now,
                    give_up,
                    text: Vec::new(),
                    kind,
                });
            }
            Err(text) => self.take_answer(
                index,
                Answer {
                    success: false,
                    text,
                },
                now,
            ),
        }
    }

    fn ask_program(&mut self, index: usize, argv: &[String]) -> Result<Kind, String> {
        let pipe = || {
            let (out, inside) = pipe_with(PipeFlags::CLOEXEC)?;
            fcntl_setfl(&out, OFlags::NONBLOCK)?;
            Ok::<_, std::io::Error>((out, inside, crate::child::null()?))
        };
        let (out, inside, null) = pipe().map_err(|error| error.to_string())?;
        let stdio = [null.as_fd(), inside.as_fd(), inside.as_fd()];
        // Its fault goes to the same place as its output: both are why it failed.
        let argv = argv.iter().map(|arg| self.secrets.expand(arg)).collect();
        let joined = self.join_instance(
            &format!("probe{index}"),
            argv,
            Vec::new(),
            None,
            stdio,
            false,
            inside.as_fd(),
        );
        let (pid, _) = joined.map_err(|error| error.to_string())?;
        Ok(Kind::Exec {
            pid,
            out: Some(out),
        })
    }

    pub(super) fn on_probe_io(&mut self, index: usize) {
        self.probes[index].drain();
        if let Some(answer) = self.probes[index].advance() {
            self.finish_question(index, answer);
        }
    }

    /// True if the process was a probe's.
    pub(super) fn on_probe_exit(&mut self, pid: i32, status: i32) -> bool {
        let found = self.probes.iter().position(|runner| {
            matches!(&runner.question, Some(Question { kind: Kind::Exec { pid: asked, .. }, .. }) if *asked == pid)
        });
        let Some(index) = found else { return false };
        self.probes[index].drain();
        let text = self.probes[index]
            .question
            .as_ref()
            .map(|question| question.text.clone())
            .unwrap_or_default();
        let exit = super::stop::exit_of(Some(status));
        let text = String::from_utf8_lossy(&text).trim_end().to_owned();
        // A program that leaves processes behind leaves them in its group only until here.
        self.tree().kill_leaf(&format!("probe{index}"));
        self.finish_question(
            index,
            Answer {
                success: exit.code == Some(0),
                text,
            },
        );
        true
    }

    fn give_up_question(&mut self, index: usize) {
        if let Some(Question {
            kind: Kind::Exec { pid, .. },
            ..
        }) = &self.probes[index].question
        {
            sys::kill_group(*pid, libc::SIGKILL);
            self.tree().kill_leaf(&format!("probe{index}"));
        }
        let limit = self.probes[index].probe.timeout_ms;
        self.finish_question(
            index,
            Answer {
                success: false,
                text: format!("no answer within {limit} ms"),
            },
        );
    }

    fn finish_question(&mut self, index: usize, answer: Answer) {
        if let Some(question) = self.probes[index].question.take() {
            self.take_answer(index, answer, question.asked);
        }
    }

    fn take_answer(&mut self, index: usize, answer: Answer, asked: Instant) {
        let answer = Answer {
            text: self.secrets.scrub_text(answer.text),
            ..answer
        };
        let became_unhealthy = self.probes[index].answer(answer, asked);
        if became_unhealthy && self.probes[index].probe.on_unhealthy == OnUnhealthy::Restart {
            self.publish();
            self.stop(After::Policy, StopReason::Unhealthy, None, None);
        }
    }
}

fn begin_connect(address: &str) -> Result<Kind, String> {
    let address: SocketAddr = address
        .parse()
        .map_err(|_| format!("{address:?} is no numeric ADDRESS:PORT"))?;
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(family, SocketType::STREAM, flags, None).map_err(|error| error.to_string())?;
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(Kind::Connecting { socket }),
        Err(error) => Err(format!("cannot connect: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::status_line;

    #[test]
    fn judges_status_lines() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(true)),
            ("HTTP/1.0 399 \r\n", Some(true)),
            ("HTTP/1.1 404 Not Found\r\n", Some(false)),
            ("HTTP/1.1 500\r\n", Some(false)),
            ("SSH-2.0-OpenSSH\r\n", Some(false)),
            ("HTTP/1.1 20", None),
            ("", None),
        ] {
            assert_eq!(
                status_line(text.as_bytes()).map(|answer| answer.success),
                expected,
                "{text:?}"
            );
        }
        assert_eq!(
            status_line(&[b'x'; 600]).map(|answer| answer.success),
            Some(false)
        );
    }
}
