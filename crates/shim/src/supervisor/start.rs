//! Starting the main process.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use super::daemon::{FailedKind, Refusal, chain, tell};
use super::{Ack, After, Main, Phase, StopReason, Supervisor};
use crate::child::{self, Common, Image, Launch};
use crate::mounts::{View, Wanted};
use crate::record::{self, Exit, PidRecord, Survives};
use crate::spec::{Namespaces, OnShimLoss};
use crate::sys::{self, Forked};
use crate::time::Timestamp;
use crate::{fault, procfs};

/// A program must be executed in this time: mounts and a slow disk included.
const START_LIMIT: Duration = Duration::from_secs(60);

impl Supervisor {
    /// Starts a run. What goes wrong before the fork is an error; after it, it shows on the fault pipe.
    pub(super) fn start(&mut self) -> Result<(), Refusal> {
        (self.after, self.stop_reason) = (After::Policy, StopReason::None);
        let hosts_file = self
            .write_hosts_file()
            .map_err(|error| Refusal::setup("cannot write the hosts file", &error))?;
        self.write_secret_files()
            .map_err(|error| Refusal::setup("cannot write a secret file", &error))?;
        let staging = self
            .staging()
            .map_err(|error| Refusal::setup("cannot make a folder for the view", &error))?;
        let wanted = Wanted {
            spec: &self.spec,
            secrets: &self.secrets,
            hosts_file,
            staging,
        };
        let view = View::plan(&wanted).map_err(|error| Refusal {
            kind: FailedKind::Setup,
            message: chain(&error),
            errno: None,
        })?;
        self.launch(view)
            .map_err(|error| Refusal::setup("cannot make a process", &error))
    }

    fn launch(&mut self, view: Option<View>) -> io::Result<()> {
        let ends = self.output.open(self.spec.process.user.as_ref())?;
        let (faults, child_faults) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&faults, OFlags::NONBLOCK)?;
        let (child_release, release) = pipe_with(PipeFlags::CLOEXEC)?;
        let null = child::null()?;
        let oom_before = self.groups.oom_kills();
        let mut launch = Launch {
            common: Common {
                stdio: [null.as_fd(), ends.fds[0].as_fd(), ends.fds[1].as_fd()],
                join: self.groups.join_files("main"),
                process: &self.spec.process,
                image: self.image()?,
                cwd: self.spec.process.cwd.clone(),
            },
            view,
            dies_with: (self.spec.on_shim_loss == OnShimLoss::Kill)
                .then(|| rustix::process::getpid().as_raw_nonzero().get()),
            listen: self.fds.numbers(),
            listen_names: self.fds.names().join(":"),
            release: child_release.as_fd(),
            faults: child_faults.as_fd(),
        };
        let (pid, pidfd) = match sys::fork_process()? {
            Forked::Child => {
                // Its end of the release pipe would keep the pipe open when the shim dies.
                drop(release);
                launch.run()
            }
            Forked::Parent { pid, pidfd } => (pid, pidfd),
        };
        drop(launch);
        fault::point("forked");
        let started_at = Timestamp::now().to_string();
        let record = self.record_of(pid, ends.pipes, started_at.clone());
        drop((ends, child_faults, child_release));
        let main = Main {
            pid,
            pidfd,
            ours: true,
            started: Instant::now(),
            started_at,
            ended: None,
            oom_before,
        };
        self.main = Some(main);
        self.phase = Phase::Starting {
            faults,
            text: Vec::new(),
            give_up: Instant::now() + START_LIMIT,
            released: false,
        };
        // If it cannot be recorded, the end of the release pipe makes the child go; it ends like any run.
        record::write_json(&self.dir, record::PID_FILE, &record, Survives::Process)?;
        fault::point("pid_recorded");
        rustix::io::write(&release, b"!")?;
        if let Phase::Starting { released, .. } = &mut self.phase {
            *released = true;
        }
        fault::point("released");
        Ok(())
    }

    fn record_of(&self, pid: i32, pipes: Option<[u64; 2]>, started_at: String) -> PidRecord {
        PidRecord {
            pid,
            starttime: procfs::stat(pid).map_or(0, |stat| stat.starttime),
            boot_id: self.boot_id.clone(),
            cgroup: self
                .groups
                .tracking()
                .map(|path| path.display().to_string()),
            shim: rustix::process::getpid().as_raw_nonzero().get(),
            shim_exe: procfs::exe(None).unwrap_or_default(),
            pipes,
            started_at,
        }
    }

    /// The program with all values in place.
    fn image(&self) -> io::Result<Image> {
        let process = &self.spec.process;
        let program = self.secrets.expand(&process.program);
        let mut args = vec![
            process
                .arg0
                .as_ref()
                .map_or_else(|| program.clone(), |name| self.secrets.expand(name)),
        ];
        args.extend(process.args.iter().map(|arg| self.secrets.expand(arg)));
        Image::new(program, args, &self.environment())
    }

    /// The environment of every process of the instance.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let given = self.spec.process.env.iter();
        let mut env: Vec<_> = given
            .map(|(name, value)| (name.clone(), self.secrets.expand(value)))
            .collect();
        env.push(("CONSORT_INSTANCE".to_owned(), self.tag.clone()));
        if self.spec.fd_store > 0 {
            env.push((
                "CONSORT_FDSTORE".to_owned(),
                self.spec.control.display().to_string(),
            ));
        }
        env
    }

    fn write_hosts_file(&self) -> io::Result<Option<PathBuf>> {
        let Some(content) = &self.spec.hosts else {
            return Ok(None);
        };
        let path = self.dir.join("hosts");
        if !path.exists() {
            super::requests::write_in_place(&path, content)?;
        }
        Ok(Some(path))
    }

    fn staging(&self) -> io::Result<PathBuf> {
        let path = self.dir.join("root");
        if self.spec.namespaces != Namespaces::None && !path.exists() {
            fs::DirBuilder::new().mode(0o700).create(&path)?;
        }
        Ok(path)
    }

    /// Without namespaces, secret files stand in folders of the host that are in memory.
    fn write_secret_files(&self) -> io::Result<()> {
        if self.spec.namespaces != Namespaces::None {
            return Ok(());
        }
        for file in &self.spec.secret_files {
            let user = self.spec.process.user.as_ref();
            let content = self.secrets.expand(&file.content);
            let owner = (
                file.uid.or_else(|| user.map(|user| user.uid)),
                file.gid.or_else(|| user.map(|user| user.gid)),
            );
            write_in_memory(&file.target, content.as_bytes(), file.mode, owner).map_err(
                |error| io::Error::new(error.kind(), format!("{}: {error}", file.target.display())),
            )?;
        }
        Ok(())
    }

    /// Something came on the fault pipe, or its end.
    pub(super) fn on_faults(&mut self) {
        let Phase::Starting { faults, text, .. } = &mut self.phase else {
            return;
        };
        if !read_to_end(faults, text) {
            return;
        }
        let (warnings, failure) = child::read_faults(text);
        match failure {
            // The end of the process follows; it takes the text along.
            Some(_) => {}
            None => {
                warnings.into_iter().for_each(|warning| self.warn(warning));
                self.on_running();
            }
        }
    }

    pub(super) fn on_running(&mut self) {
        self.phase = Phase::Running;
        let now = Instant::now();
        self.probes.iter_mut().for_each(|probe| probe.begin(now));
        if let (Some(mut ack), Some(main)) = (self.ack.take(), &self.main) {
            tell(
                &mut ack,
                &Ack::Started {
                    pid: main.pid,
                    rescued: self.rescued,
                },
            );
            fault::point("acknowledged");
        }
    }

    /// What kept a process that ended in `Starting` from running its program; `None` if it ran.
    pub(super) fn take_fault(&mut self) -> Option<child::Fault> {
        let Phase::Starting {
            faults,
            text,
            released,
            ..
        } = &mut self.phase
        else {
            return None;
        };
        read_to_end(faults, text);
        let unrecorded =
            || child::Fault::new("cannot record the process", &io::ErrorKind::Other.into());
        child::read_faults(text)
            .1
            .or_else(|| (!*released).then(unrecorded))
    }

    /// The first start did not work: nothing of it stays.
    pub(super) fn abandon(&mut self, refusal: Refusal) {
        let _ = record::remove(&self.dir, record::PID_FILE);
        self.remove_traces();
        self.let_go();
        if let Some(mut ack) = self.ack.take() {
            let message = self.secrets.scrub_text(refusal.message);
            tell(
                &mut ack,
                &Ack::Failed {
                    kind: refusal.kind,
                    message,
                    errno: refusal.errno,
                },
            );
        }
        self.phase = Phase::Leaving;
    }

    /// A start that failed later counts as a run that failed.
    pub(super) fn start_again(&mut self) {
        if let Err(refusal) = self.start() {
            if self.main.is_some() {
                self.warn(refusal.message);
                return;
            }
            let exit = Exit {
                error: Some(refusal.message),
                at: Timestamp::now().to_string(),
                ..Exit::default()
            };
            self.output.close(&self.secrets);
            self.conclude(exit, Duration::ZERO);
        }
    }
}

/// True at the end of the stream.
fn read_to_end(from: &OwnedFd, text: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 1024];
    loop {
        match rustix::io::read(from, &mut buffer) {
            Ok(0) => return true,
            Ok(count) if text.len() < 16 * 1024 => text.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return false,
            Err(_) => return true,
        }
    }
}

fn write_in_memory(
    path: &std::path::Path,
    content: &[u8],
    mode: u32,
    owner: (Option<u32>, Option<u32>),
) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let kind = u64::try_from(rustix::fs::statfs(folder)?.f_type).unwrap_or(0);
    if !matches!(kind, TMPFS | RAMFS) {
        return Err(io::Error::other(
            "the folder is not on a tmpfs; secrets are never written to a disk",
        ));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    if owner != (None, None) {
        fchown(&file, owner.0, owner.1)?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))
}
