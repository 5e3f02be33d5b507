//! The shim's life: become a daemon, start or take over the instance, loop, leave.

mod control;
mod daemon;
mod events;
mod exec;
mod output;
mod probes;
mod question;
mod requests;
mod rescue;
mod start;
mod status;
mod stop;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Instant;

pub(crate) use daemon::{Ack, FailedKind};
pub use daemon::{run, usage};

use crate::cgroup::{Instance, Tree};
use crate::fd_store::FdStore;
use crate::protocol::Status;
use crate::record::{Counters, Exit};
use crate::secrets::Secrets;
use crate::spec::Spec;

/// Remarks are kept up to here.
const MAX_WARNINGS: usize = 32;

/// All that one shim knows.
pub(crate) struct Supervisor {
    dir: PathBuf,
    /// Given back at the end of this shim.
    lock: Option<File>,
    spec: Spec,
    secrets: Secrets,
    tag: String,
    boot_id: String,
    groups: Instance,
    phase: Phase,
    /// What follows the end of the current run.
    after: After,
    /// Why the current run is being stopped, for the exit record.
    stop_reason: StopReason,
    main: Option<Main>,
    output: output::Output,
    probes: Vec<probes::Runner>,
    counters: Counters,
    control: control::Control,
    sessions: Vec<exec::Session>,
    fds: FdStore,
    signals: OwnedFd,
    ack: Option<File>,
    draining: bool,
    rescued: bool,
    /// Go at the end without waiting for `ack_exit`.
    leave_at_end: bool,
    warnings: Vec<String>,
    status: Status,
}

/// The main process of the current run.
struct Main {
    pid: i32,
    pidfd: OwnedFd,
    /// A child of this shim, whose end is reaped; else it belongs to init since its shim was lost.
    ours: bool,
    started: Instant,
    started_at: String,
    /// Set when the pidfd says that it ended and the kernel may not yet say how.
    ended: Option<Instant>,
    oom_before: u64,
}

/// Where the instance is.
enum Phase {
    /// Forked, and released once its pid is recorded; the end of `faults` says whether the program runs.
    Starting {
        faults: OwnedFd,
        text: Vec<u8>,
        give_up: Instant,
        released: bool,
    },
    Running,
    /// The stop signal is sent. After `kill_at` everything is killed, again and again.
    Stopping {
        kill_at: Instant,
    },
    /// The main process is gone; what it left is killed until nothing is there.
    Clearing {
        exit: Exit,
        ran: std::time::Duration,
        next: Instant,
        give_up: Instant,
    },
    Backoff {
        until: Instant,
        at: String,
    },
    /// The end is recorded.
    Over {
        exit: Exit,
        leave_at: Instant,
    },
    Leaving,
}

/// What follows the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Policy,
    Again,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopReason {
    None,
    Asked,
    Unhealthy,
    Deadline,
}

impl Supervisor {
    fn tree(&self) -> Tree<'_> {
        Tree {
            groups: &self.groups,
            tag: &self.tag,
            is_shim: true,
            descendants: !self.spec.supervises_others,
        }
    }

    /// The end of this shim, so that whoever sees it can launch at once: the socket goes while the
    /// directory is still ours, then the directory is free, and only then connections end.
    fn let_go(&mut self) {
        self.control.unlink();
        self.lock = None;
        self.control.close();
    }

    fn warn(&mut self, text: String) {
        let text = self.secrets.scrub_text(text);
        eprintln!("{} {text}", crate::time::Timestamp::now());
        if self.warnings.len() < MAX_WARNINGS && !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    fn save_counters(&mut self) {
        self.counters.fds = self.fds.inodes();
        self.counters.log_dropped = self.output.dropped();
        let survives = crate::record::Survives::Process;
        if let Err(error) = crate::record::write_json(
            &self.dir,
            crate::record::COUNTERS_FILE,
            &self.counters,
            survives,
        ) {
            self.warn(format!(
                "cannot keep counters in {}: {error}",
                self.dir.display()
            ));
        }
    }
}
