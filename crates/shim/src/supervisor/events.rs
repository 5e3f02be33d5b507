//! One turn of the loop: wait, then look at everything that happened.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{After, Phase, StopReason, Supervisor};
use crate::spec::Mode;
use crate::sys;

/// The kernel knows how a process ended only after init has reaped it; longer than this it is unknown.
const STATUS_LIMIT: Duration = Duration::from_secs(2);
const STATUS_PAUSE: Duration = Duration::from_millis(10);
/// After an error of `poll` itself.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// What a polled descriptor belongs to.
#[derive(Clone, Copy)]
pub(super) enum Token {
    Signals,
    Listener,
    Client(u64),
    Main,
    Faults,
    Output(usize),
    Probe(usize),
}

impl Supervisor {
    pub(super) fn turn(&mut self) {
        for (token, flags) in self.wait() {
            match token {
                Token::Signals => self.on_signals(),
                Token::Listener => self.control.accept(),
                Token::Client(id) => self.on_client(id, flags),
                Token::Main => self.on_pidfd(),
                Token::Faults => self.on_faults(),
                Token::Output(index) => {
                    self.output.read(index, &self.secrets);
                }
                Token::Probe(index) => self.on_probe_io(index),
            }
            if matches!(self.phase, Phase::Leaving) {
                return;
            }
        }
        self.tick();
        self.publish();
    }

    /// Waits for any descriptor or the next moment at which something is due.
    fn wait(&self) -> Vec<(Token, PollFlags)> {
        let mut tokens = Vec::with_capacity(16);
        let mut fds = Vec::with_capacity(16);
        let mut add = |token, fd, flags| {
            tokens.push(token);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        };
        add(Token::Signals, self.signals.as_fd(), PollFlags::IN);
        self.control.poll(&mut add);
        if let Some(main) = self
            .main
            .as_ref()
            .filter(|main| !main.ours && main.ended.is_none())
        {
            add(Token::Main, main.pidfd.as_fd(), PollFlags::IN);
        }
        if let Phase::Starting { faults, .. } = &self.phase {
            add(Token::Faults, faults.as_fd(), PollFlags::IN);
        }
        for (index, pipe) in self.output.open_pipes() {
            add(Token::Output(index), pipe, PollFlags::IN);
        }
        for (index, probe) in self.probes.iter().enumerate() {
            if let Some((fd, flags)) = probe.interest() {
                add(Token::Probe(index), fd, flags);
            }
        }
        let timeout = self.next_due().map(|due| {
            let left = due.saturating_duration_since(Instant::now());
            // Rounded up, so that what is due is due when the wait is over.
            let left = left + Duration::from_micros(50);
            Timespec {
                tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Vec::new(),
            Err(_) => {
                std::thread::sleep(ERROR_PAUSE);
                return Vec::new();
            }
        }
        let happened = fds.iter().map(PollFd::revents);
        tokens
            .into_iter()
            .zip(happened)
            .filter(|(_, flags)| !flags.is_empty())
            .collect()
    }

    fn next_due(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Starting { give_up, .. } => Some(*give_up),
            Phase::Stopping { kill_at } => Some(*kill_at),
            Phase::Clearing { next, .. } => Some(*next),
            Phase::Backoff { until, .. } => Some(*until),
            Phase::Over { leave_at, .. } => Some(*leave_at),
            Phase::Running | Phase::Leaving => None,
        };
        let running = matches!(self.phase, Phase::Running);
        let probes = self
            .probes
            .iter()
            .filter(|_| running)
            .filter_map(super::probes::Runner::due);
        let status = self
            .main
            .as_ref()
            .and_then(|main| main.ended)
            .map(|_| Instant::now() + STATUS_PAUSE);
        phase
            .into_iter()
            .chain(probes)
            .chain(status)
            .chain(self.deadline())
            .chain(self.control.due())
            .min()
    }

    /// When a one-shot has taken too long.
    fn deadline(&self) -> Option<Instant> {
        let Mode::OneShot {
            deadline_ms: Some(limit),
        } = self.spec.mode
        else {
            return None;
        };
        let running = matches!(self.phase, Phase::Running);
        self.main
            .as_ref()
            .filter(|_| running)
            .and_then(|main| main.started.checked_add(Duration::from_millis(limit)))
    }

    /// Does what is due.
    fn tick(&mut self) {
        let now = Instant::now();
        self.control.tick(now);
        for session in self
            .sessions
            .iter()
            .filter(|session| !self.control.has_client(session.client))
        {
            self.end_sessions_of(session.client);
        }
        if self.main.as_ref().is_some_and(|main| main.ended.is_some()) {
            self.on_pidfd();
        }
        if self.deadline().is_some_and(|due| due <= now) {
            self.stop(After::End, StopReason::Deadline, None, None);
        }
        match &self.phase {
            Phase::Starting { give_up, .. } if *give_up <= now => {
                self.warn("its program was not executed in time".to_owned());
                self.kill_all();
            }
            Phase::Running => self.tick_probes(now),
            Phase::Stopping { kill_at } if *kill_at <= now => self.kill_all(),
            Phase::Clearing { next, .. } if *next <= now => self.clear(),
            Phase::Backoff { until, .. } if *until <= now => self.start_again(),
            Phase::Over { leave_at, .. } if *leave_at <= now => self.phase = Phase::Leaving,
            _ => {}
        }
    }

    fn on_signals(&mut self) {
        // The size of `signalfd_siginfo`, signalfd(2); its first four bytes are the number.
        let mut info = [0; 128];
        while let Ok(128) = rustix::io::read(&self.signals, &mut info) {
            let number = i32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
            if number == libc::SIGTERM {
                self.leave_at_end = true;
                if matches!(self.phase, Phase::Over { .. }) {
                    self.phase = Phase::Leaving;
                    return;
                }
                self.stop(After::End, StopReason::Asked, None, None);
            }
        }
        // Signals of one kind merge, so all ended children are looked for.
        while let Some(reaped) = sys::reap() {
            if self
                .main
                .as_ref()
                .is_some_and(|main| main.ours && main.pid == reaped.pid)
            {
                self.on_main_exit(Some(reaped.status), Some(reaped.usage));
            } else if !self.on_probe_exit(reaped.pid, reaped.status) {
                self.on_session_exit(&reaped);
            }
        }
        if matches!(self.phase, Phase::Clearing { .. }) {
            self.clear();
        }
    }

    /// A process that is not our child ended, or may have told how by now.
    fn on_pidfd(&mut self) {
        let Some(main) = &mut self.main else { return };
        let ended = *main.ended.get_or_insert_with(Instant::now);
        let status = sys::pidfd_exit_status(&main.pidfd);
        if status.is_some() || ended.elapsed() >= STATUS_LIMIT {
            self.on_main_exit(status, None);
        }
    }
}
