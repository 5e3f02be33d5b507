//! The begin of a supervisor: a fresh start, or a lost instance taken over.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::control::Control;
use super::daemon::{FailedKind, Refusal};
use super::output::Output;
use super::probes::Runner;
use super::{After, Main, Phase, StopReason, Supervisor};
use crate::cgroup::Instance;
use crate::fd_store::FdStore;
use crate::protocol::Status;
use crate::record::{self, Counters, PidRecord};
use crate::secrets::Secrets;
use crate::spec::Spec;
use crate::{fault, procfs};

/// How long a process may be between its release and its program.
const EXEC_LIMIT: Duration = Duration::from_secs(5);

impl Supervisor {
    pub(super) fn new(
        dir: PathBuf,
        lock: File,
        spec: Spec,
        secrets: Secrets,
        signals: OwnedFd,
    ) -> Result<Self, Refusal> {
        let boot_id =
            procfs::boot_id().map_err(|error| Refusal::setup("cannot read the boot id", &error))?;
        let control = Control::bind(&spec.control).map_err(|error| {
            Refusal::setup(
                format_args!("control socket {}", spec.control.display()),
                &error,
            )
        })?;
        fault::point("socket_bound");
        let groups = Instance::make(spec.cgroup.as_ref());
        fault::point("cgroup_made");
        let counters: Counters = record::read_json(&dir, record::COUNTERS_FILE)
            .ok()
            .flatten()
            .unwrap_or_default();
        let output = Output::new(&dir, &spec.logging, counters.log_dropped);
        Ok(Self {
            tag: spec.tag(),
            probes: spec.probes.iter().cloned().map(Runner::new).collect(),
            fds: FdStore::new(spec.fd_store),
            status: Status {
                id: spec.id.clone(),
                address: spec.address.clone(),
                ..Status::default()
            },
            lock: Some(lock),
            phase: Phase::Leaving,
            after: After::Policy,
            stop_reason: StopReason::None,
            main: None,
            sessions: Vec::new(),
            ack: None,
            draining: false,
            rescued: false,
            leave_at_end: false,
            warnings: Vec::new(),
            dir,
            spec,
            secrets,
            boot_id,
            groups,
            output,
            counters,
            control,
            signals,
        })
    }

    /// The rest of this process's life.
    pub(super) fn run(mut self) -> ExitCode {
        if !self.take_over() {
            self.start_fresh();
        }
        let failed = matches!(self.phase, Phase::Leaving);
        self.publish();
        while !matches!(self.phase, Phase::Leaving) {
            self.turn();
        }
        self.let_go();
        if failed {
            ExitCode::from(1)
        } else {
            ExitCode::SUCCESS
        }
    }

    /// If the main process of an earlier shim still runs, it is ours from now on.
    fn take_over(&mut self) -> bool {
        let Ok(Some(found)) = record::read_json::<PidRecord>(&self.dir, record::PID_FILE) else {
            return false;
        };
        if found.boot_id != self.boot_id {
            return false;
        }
        let Some(pidfd) = self.open_executed(&found) else {
            return false;
        };
        self.rescued = true;
        if let Some(pipes) = found.pipes {
            let mut members = vec![found.pid];
            members.extend(self.tree().members());
            for name in self.output.reopen(pipes, &members) {
                self.warn(format!(
                    "{name} of the instance cannot be read since its shim was lost"
                ));
            }
        }
        let known = std::mem::take(&mut self.counters.fds);
        for name in self.fds.recover(&pidfd, found.pid, &known) {
            self.warn(format!("the kept descriptor {name} was lost with the shim"));
        }
        self.main = Some(Main {
            pid: found.pid,
            pidfd,
            ours: false,
            started: Instant::now(),
            started_at: found.started_at,
            ended: None,
            oom_before: self.groups.oom_kills(),
        });
        self.save_counters();
        self.on_running();
        true
    }

    /// The main process, if it runs its program. A child whose shim died before it was released goes
    /// by itself in a moment, and one that was released executes its program in a moment.
    fn open_executed(&self, found: &PidRecord) -> Option<OwnedFd> {
        let give_up = Instant::now() + EXEC_LIMIT;
        loop {
            let pidfd = procfs::open_exact(found.pid, found.starttime)?;
            let is_shim = procfs::exe(Some(found.pid)).is_some_and(|exe| exe == found.shim_exe);
            let waits = is_shim && !procfs::is_tagged(found.pid, &self.tag);
            if !waits || Instant::now() > give_up {
                return Some(pidfd);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// No instance runs here. What an earlier one left is killed first.
    fn start_fresh(&mut self) {
        if let Err(refusal) = self.clear_leftovers() {
            return self.abandon(refusal);
        }
        // A shim that was lost between two runs leaves counters and no end: they go on.
        let ended = record::read_json::<record::Exit>(&self.dir, record::EXIT_FILE)
            .ok()
            .flatten()
            .is_some();
        if ended {
            self.counters = Counters::default();
        }
        self.counters.fds.clear();
        for name in [record::EXIT_FILE, record::PID_FILE] {
            let _ = record::remove(&self.dir, name);
        }
        let _ = std::fs::remove_file(self.dir.join("hosts"));
        self.save_counters();
        match self.start() {
            Err(refusal) if self.main.is_none() => self.abandon(refusal),
            Err(refusal) => self.warn(refusal.message),
            Ok(()) => {}
        }
    }

    fn clear_leftovers(&self) -> Result<(), Refusal> {
        let give_up = Instant::now() + Duration::from_secs(10);
        loop {
            let members = self.tree().members();
            if members.is_empty() {
                return Ok(());
            }
            if Instant::now() > give_up {
                let message = format!("processes {members:?} of an earlier start cannot be killed");
                return Err(Refusal {
                    kind: FailedKind::Setup,
                    message,
                    errno: None,
                });
            }
            self.tree().kill();
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
