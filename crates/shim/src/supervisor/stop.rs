//! From a run to its end: stop, clear what is left, record, and what follows.

use std::time::{Duration, Instant};

use super::daemon::{FailedKind, Refusal};
use super::{After, Phase, StopReason, Supervisor};
use crate::record::{self, Exit, Survives, Usage};
use crate::restart::{self, Next};
use crate::spec::{Mode, Namespaces};
use crate::time::Timestamp;
use crate::{fault, signal, sys};

/// Between two looks at what is still there.
const CLEAR_PAUSE: Duration = Duration::from_millis(20);
/// Processes that live longer after SIGKILL hang in the kernel; they are reported and left.
const CLEAR_LIMIT: Duration = Duration::from_secs(15);

impl Supervisor {
    /// Begins a stop, or makes one that is under way more urgent.
    pub(super) fn stop(
        &mut self,
        after: After,
        reason: StopReason,
        signal: Option<i32>,
        grace: Option<Duration>,
    ) {
        let grace = grace.unwrap_or_else(|| Duration::from_millis(self.spec.stop.grace_ms));
        let kill_at = Instant::now() + grace;
        if self.after != After::End {
            self.after = after;
        }
        if self.stop_reason != StopReason::Asked {
            self.stop_reason = reason;
        }
        match &mut self.phase {
            Phase::Starting { .. } | Phase::Running => {
                self.draining |= after == After::End;
                self.probes.iter_mut().for_each(super::probes::Runner::end);
                let signal = signal
                    .or_else(|| signal::number(&self.spec.stop.signal))
                    .unwrap_or(libc::SIGTERM);
                self.signal_main(signal);
                fault::point("stop_signalled");
                self.phase = Phase::Stopping { kill_at };
            }
            Phase::Stopping { kill_at: before } => *before = kill_at.min(*before),
            Phase::Backoff { .. } if after == After::Again => self.start_again(),
            Phase::Backoff { .. } => {
                let last = self.counters.last_exit.clone().unwrap_or_default();
                self.finish(Exit {
                    stopped: true,
                    ..last
                });
            }
            Phase::Clearing { .. } | Phase::Over { .. } | Phase::Leaving => {}
        }
    }

    pub(super) fn signal_main(&self, signal: i32) -> bool {
        self.main
            .as_ref()
            .is_some_and(|main| sys::pidfd_signal(&main.pidfd, signal).is_ok())
    }

    /// The grace is over: everything is killed, until the main process is gone.
    pub(super) fn kill_all(&mut self) {
        self.tree().kill();
        self.signal_main(libc::SIGKILL);
        fault::point("killed");
        self.phase = Phase::Stopping {
            kill_at: Instant::now() + CLEAR_PAUSE,
        };
    }

    /// The main process ended. A status of `None` is unknown.
    pub(super) fn on_main_exit(&mut self, status: Option<i32>, usage: Option<Usage>) {
        fault::point("main_exited");
        let fault = self.take_fault();
        if let Some(fault) = &fault
            && let Some(_ack) = &self.ack
        {
            let refusal = Refusal {
                kind: FailedKind::Exec,
                message: fault.message(),
                errno: Some(fault.errno),
            };
            self.main = None;
            self.output.close(&self.secrets);
            return self.abandon(refusal);
        }
        if matches!(self.phase, Phase::Starting { .. }) && fault.is_none() {
            self.on_running();
        }
        let Some(main) = self.main.take() else { return };
        self.probes.iter_mut().for_each(super::probes::Runner::end);
        let exit = Exit {
            oom: self.groups.oom_kills() > main.oom_before,
            stopped: self.stop_reason == StopReason::Asked,
            timed_out: self.stop_reason == StopReason::Deadline,
            error: fault.map(|fault| fault.message()).or_else(|| {
                (self.stop_reason == StopReason::Unhealthy)
                    .then(|| "stopped because it was unhealthy".to_owned())
            }),
            usage,
            started_at: main.started_at,
            ..exit_of(status)
        };
        let now = Instant::now();
        let ran = now.duration_since(main.started);
        self.phase = Phase::Clearing {
            exit,
            ran,
            next: now,
            give_up: now + CLEAR_LIMIT,
        };
        self.clear();
    }

    /// Kills what the main process left, until nothing is there.
    pub(super) fn clear(&mut self) {
        let Phase::Clearing {
            exit,
            ran,
            next,
            give_up,
        } = &mut self.phase
        else {
            return;
        };
        let (mut exit, ran, now, over) = (
            exit.clone(),
            *ran,
            Instant::now(),
            Instant::now() >= *give_up,
        );
        *next = now + CLEAR_PAUSE;
        let members = self.tree().members();
        if !members.is_empty() && !over {
            return self.tree().kill();
        }
        exit.leftover = u32::try_from(members.len()).unwrap_or(u32::MAX);
        fault::point("tree_cleared");
        self.output.close(&self.secrets);
        self.conclude(exit, ran);
    }

    /// A run is over, nothing of it is left: start again, wait, or end.
    pub(super) fn conclude(&mut self, mut exit: Exit, ran: Duration) {
        exit.restarts = self.counters.restarts;
        exit.boot_id.clone_from(&self.boot_id);
        let exit = Exit {
            error: exit.error.map(|text| self.secrets.scrub_text(text)),
            ..exit
        };
        if self.ack.is_some() {
            // The launcher still waits: this instance has never run.
            let message = exit
                .error
                .unwrap_or_else(|| "it was stopped while it was being started".to_owned());
            return self.abandon(Refusal {
                kind: FailedKind::Setup,
                message,
                errno: None,
            });
        }
        self.counters.last_exit = Some(exit.clone());
        let one_shot = matches!(self.spec.mode, Mode::OneShot { .. });
        match self.after {
            After::End => self.finish(exit),
            After::Policy if one_shot => self.finish(exit),
            After::Again => self.start_again(),
            After::Policy => self.follow_policy(exit, ran),
        }
    }

    fn follow_policy(&mut self, exit: Exit, ran: Duration) {
        let (now, policy) = (Timestamp::now(), &self.spec.restart);
        match restart::decide(
            policy,
            &mut self.counters,
            &exit,
            ran,
            now.unix_ms(),
            chance(),
        ) {
            Next::End => self.finish(exit),
            Next::Failed => self.finish(Exit {
                failed: true,
                ..exit
            }),
            Next::After(delay) => {
                self.save_counters();
                fault::point("restart_counted");
                let at = now.after(delay).to_string();
                self.phase = Phase::Backoff {
                    until: Instant::now() + delay,
                    at,
                };
            }
        }
    }

    /// The end: traces go, the record stays, and only then the socket says so.
    pub(super) fn finish(&mut self, exit: Exit) {
        self.fds.clear();
        self.remove_traces();
        fault::point("cgroup_removed");
        if let Err(error) = record::write_json(&self.dir, record::EXIT_FILE, &exit, Survives::Boot)
        {
            self.warn(format!(
                "cannot record the end in {}: {error}",
                self.dir.display()
            ));
        }
        let _ = record::remove(&self.dir, record::PID_FILE);
        fault::point("exit_recorded");
        let leave_at = Instant::now() + Duration::from_millis(self.spec.linger_ms);
        self.phase = if self.leave_at_end {
            Phase::Leaving
        } else {
            Phase::Over {
                exit: exit.clone(),
                leave_at,
            }
        };
        if self.leave_at_end {
            self.publish_end(exit);
        }
    }

    /// Groups, secret files, the folder of the view. What cannot go is said.
    pub(super) fn remove_traces(&mut self) {
        let mut left = self.groups.remove();
        // A process that was killed may hold its group for a moment longer.
        for _ in 0..20 {
            if left.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
            left = self.groups.remove();
        }
        for path in left {
            self.warn(format!("cannot remove the cgroup {}", path.display()));
        }
        if self.spec.namespaces == Namespaces::None {
            for file in &self.spec.secret_files {
                let _ = std::fs::remove_file(&file.target);
            }
        }
        let _ = std::fs::remove_dir(self.dir.join("root"));
    }
}

/// A wait status as a record.
pub(super) fn exit_of(status: Option<i32>) -> Exit {
    let at = Timestamp::now().to_string();
    match status {
        None => Exit {
            unknown: true,
            at,
            ..Exit::default()
        },
        Some(status) if libc::WIFSIGNALED(status) => Exit {
            signal: Some(libc::WTERMSIG(status)),
            at,
            ..Exit::default()
        },
        Some(status) => Exit {
            code: Some(libc::WEXITSTATUS(status)),
            at,
            ..Exit::default()
        },
    }
}

/// Four random bytes; without any, no jitter at all rather than none of the delay.
fn chance() -> u32 {
    let mut bytes = [0xff; 4];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u32::from_ne_bytes(bytes)
}
