//! Asking the checks.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use super::exec::Wanted;
use super::question::{Answer, Kind, Question, begin_connect};
use super::{After, StopReason, Supervisor};
use crate::health::{Timing, Tracker};
use crate::protocol::{Health, ProbeStatus};
use crate::spec::{Check, OnUnhealthy, Probe};
use crate::sys;

/// Kept of what a failed check said.
const MAX_OUTPUT: usize = 4096;

/// One check and its question under way.
pub(super) struct Runner {
    probe: Probe,
    tracker: Option<Tracker>,
    question: Option<Question>,
    output: String,
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
        match question.advance(&self.probe.check) {
            Ok(answer) => answer,
            Err(text) => Some(Answer {
                success: false,
                text,
            }),
        }
    }
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
        let wanted = Wanted {
            argv,
            env: Vec::new(),
            cwd: None,
            terminal: false,
        };
        let joined = self.join_instance(&format!("probe{index}"), wanted, stdio, inside.as_fd());
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
        let text = crate::child::single_fault(&text)
            .unwrap_or_else(|| String::from_utf8_lossy(&text).trim_end().to_owned());
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
