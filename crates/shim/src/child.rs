//! From the fork to the exec, in the child.
//!
//! Everything that can be is prepared in [`Launch`] and [`Join`] before the fork. The child reports
//! the first failure over a pipe that closes on exec, so silence is success.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid, chdir, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit, setsid, umask,
};
use rustix::thread::{
    ThreadNameSpaceType, move_into_thread_name_spaces, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use serde::{Deserialize, Serialize};

use crate::mounts::View;
use crate::spec::Process;
use crate::{child_caps, sys};

/// Looked at when the instance's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why the program does not run, as the child tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// What was tried.
    pub(crate) step: String,
    /// The kernel's error number.
    pub(crate) errno: i32,
    /// The program runs all the same.
    #[serde(default)]
    pub(crate) warning: bool,
}

impl Fault {
    pub(crate) fn new(step: impl Into<String>, error: &io::Error) -> Self {
        Self {
            step: step.into(),
            errno: error.raw_os_error().unwrap_or(libc::EINVAL),
            warning: false,
        }
    }

    /// One sentence with the kernel's words.
    pub(crate) fn message(&self) -> String {
        format!(
            "{}: {}",
            self.step,
            io::Error::from_raw_os_error(self.errno)
        )
    }
}

fn step<E: Into<io::Error>>(name: impl Into<String>) -> impl FnOnce(E) -> Fault {
    move |error| Fault::new(name, &error.into())
}

/// Program, arguments and environment with all values in place.
pub(crate) struct Image {
    program: String,
    args: Vec<CString>,
    env: Vec<CString>,
    path: String,
}

impl Image {
    pub(crate) fn new(
        program: String,
        args: Vec<String>,
        env: &[(String, String)],
    ) -> io::Result<Self> {
        let path = env
            .iter()
            .find(|(name, _)| name == "PATH")
            .map_or(DEFAULT_PATH, |(_, value)| value)
            .to_owned();
        let env = env
            .iter()
            .map(|(name, value)| CString::new(format!("{name}={value}")))
            .collect::<Result<_, _>>()?;
        let args = args
            .into_iter()
            .map(CString::new)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            program,
            args,
            env,
            path,
        })
    }

    /// Executes it, found as execvp(3) does. Returns only with what went wrong.
    fn exec(&self) -> Fault {
        let name = || format!("cannot execute {}", self.program);
        let candidates: Vec<PathBuf> = if self.program.contains('/') {
            vec![PathBuf::from(&self.program)]
        } else {
            self.path
                .split(':')
                .filter(|dir| !dir.is_empty())
                .map(|dir| Path::new(dir).join(&self.program))
                .collect()
        };
        let mut result = io::Error::from_raw_os_error(libc::ENOENT);
        for path in candidates {
            let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
                continue;
            };
            let error = sys::exec(&path, &self.args, &self.env);
            // A program that is there but may not run is the better answer than "not found".
            if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) {
                result = error;
                if !matches!(result.raw_os_error(), Some(libc::EACCES)) {
                    break;
                }
            }
        }
        Fault::new(name(), &result)
    }
}

/// What any process of the instance shares: standard descriptors, cgroups, credentials.
pub(crate) struct Common<'a> {
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    pub(crate) join: Vec<PathBuf>,
    pub(crate) process: &'a Process,
    pub(crate) image: Image,
    pub(crate) cwd: Option<PathBuf>,
}

/// A start of the main process.
pub(crate) struct Launch<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) view: Option<View>,
    /// The shim's pid, if its death kills the instance.
    pub(crate) dies_with: Option<i32>,
    /// Descriptors that are passed from number 3 on, and their names.
    pub(crate) listen: Vec<RawFd>,
    pub(crate) listen_names: String,
    /// A byte here means that the pid is recorded; the end of the stream, that the shim is gone.
    pub(crate) release: BorrowedFd<'a>,
    pub(crate) faults: BorrowedFd<'a>,
}

/// A process that joins a running instance: an exec or a probe.
pub(crate) struct Join<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) main: BorrowedFd<'a>,
    pub(crate) namespaces: ThreadNameSpaceType,
    pub(crate) terminal: bool,
    pub(crate) faults: BorrowedFd<'a>,
}

impl Launch<'_> {
    /// The child's whole life before its program.
    pub(crate) fn run(&mut self) -> ! {
        let faults = self.faults;
        guarded(faults, || self.prepare())
    }

    fn prepare(&mut self) -> Result<std::convert::Infallible, Fault> {
        sys::reset_signals();
        let mut byte = [0];
        let released = rustix::io::retry_on_intr(|| rustix::io::read(self.release, &mut byte));
        if released != Ok(1) {
            sys::exit_now(125);
        }
        // What follows needs an own `/proc/self` that belongs to this user.
        let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
        let _ = setsid();
        self.common.join_groups()?;
        if let Some(view) = &self.view {
            view.enter().map_err(|fault| {
                Fault::new(format!("cannot set up {}", fault.place), &fault.source)
            })?;
        }
        let faults = self.place_descriptors()?;
        self.common.drop_privileges(faults)?;
        if let Some(shim) = self.dies_with {
            set_parent_process_death_signal(Some(Signal::KILL))
                .map_err(step("cannot follow the shim's death"))?;
            // It may have died before the call.
            if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(shim) {
                sys::exit_now(125);
            }
        }
        let fault = self.common.image.exec();
        report(faults, &fault);
        sys::exit_now(127)
    }

    /// Standard descriptors, then the kept ones from 3 on. Gives the number at which faults go.
    fn place_descriptors(&mut self) -> Result<RawFd, Fault> {
        let failed = "cannot pass descriptors";
        let first_free = 3 + RawFd::try_from(self.listen.len()).unwrap_or(RawFd::MAX - 3);
        let faults = sys::copy_above(self.faults.as_raw_fd(), first_free).map_err(step(failed))?;
        let stdio = self.common.stdio.map(|fd| fd.as_raw_fd());
        let above: Result<Vec<RawFd>, _> = stdio
            .iter()
            .chain(&self.listen)
            .map(|fd| sys::copy_above(*fd, first_free))
            .collect();
        for (number, fd) in above.map_err(step(failed))?.into_iter().enumerate() {
            sys::place(fd, RawFd::try_from(number).unwrap_or(RawFd::MAX)).map_err(step(failed))?;
        }
        sys::close_on_exec_from(first_free);
        if !self.listen.is_empty() {
            let pid = std::process::id();
            let count = self.listen.len();
            let names = &self.listen_names;
            for text in [
                format!("LISTEN_PID={pid}"),
                format!("LISTEN_FDS={count}"),
                format!("LISTEN_FDNAMES={names}"),
            ] {
                self.common
                    .image
                    .env
                    .push(CString::new(text).map_err(step(failed))?);
            }
        }
        Ok(faults)
    }
}

impl Join<'_> {
    /// The child's whole life before its program.
    pub(crate) fn run(&self) -> ! {
        guarded(self.faults, || self.prepare())
    }

    fn prepare(&self) -> Result<std::convert::Infallible, Fault> {
        sys::reset_signals();
        let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
        let _ = setsid();
        self.common.join_groups()?;
        if !self.namespaces.is_empty() {
            move_into_thread_name_spaces(self.main, self.namespaces)
                .map_err(step("cannot enter the instance"))?;
        }
        let failed = "cannot pass descriptors";
        let faults = sys::copy_above(self.faults.as_raw_fd(), 3).map_err(step(failed))?;
        for (number, fd) in self.common.stdio.iter().enumerate() {
            let copy = sys::copy_above(fd.as_raw_fd(), 3).map_err(step(failed))?;
            sys::place(copy, RawFd::try_from(number).unwrap_or(RawFd::MAX))
                .map_err(step(failed))?;
        }
        sys::close_on_exec_from(3);
        if self.terminal {
            sys::take_terminal().map_err(step("cannot take the terminal"))?;
        }
        self.common.drop_privileges(faults)?;
        let fault = self.common.image.exec();
        report(faults, &fault);
        sys::exit_now(127)
    }
}

impl Common<'_> {
    fn join_groups(&self) -> Result<(), Fault> {
        for file in &self.join {
            fs::write(file, "0").map_err(step(format!("cannot join {}", file.display())))?;
        }
        Ok(())
    }

    /// Limits, mask, folder, capabilities and identity, in the order that the kernel needs.
    fn drop_privileges(&self, faults: RawFd) -> Result<(), Fault> {
        let process = self.process;
        for (name, limit) in &process.rlimits {
            let Some(resource) = resource(name) else {
                continue;
            };
            set_limit(
                resource,
                Rlimit {
                    current: limit.soft,
                    maximum: limit.hard,
                },
            )
            .or_else(|error| warn(faults, format!("cannot raise the limit {name}"), &error))?;
        }
        // The shim's own is low. Lowering further needs CAP_SYS_RESOURCE.
        fs::write(
            "/proc/self/oom_score_adj",
            process.oom_score_adj.unwrap_or(0).to_string(),
        )
        .or_else(|error| warn(faults, "cannot set oom_score_adj", &error))?;
        umask(Mode::from_raw_mode(process.umask.unwrap_or(0o022)));
        let dropped = child_caps::dropped(&process.capabilities);
        child_caps::drop_bounding(dropped).map_err(step("cannot drop capabilities"))?;
        if let Some(user) = &process.user {
            let groups: Vec<Gid> = user.groups.iter().map(|id| Gid::from_raw(*id)).collect();
            let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
            set_thread_groups(&groups).map_err(step("cannot set groups"))?;
            set_thread_res_gid(gid, gid, gid)
                .map_err(step(format!("cannot become group {}", user.gid)))?;
            set_thread_res_uid(uid, uid, uid)
                .map_err(step(format!("cannot become user {}", user.uid)))?;
        }
        if !dropped.is_empty() {
            child_caps::drop_own(dropped).map_err(step("cannot drop capabilities"))?;
        }
        if process.no_new_privs {
            set_no_new_privs(true).map_err(step("cannot set no_new_privs"))?;
        }
        let cwd = self.cwd.as_deref().unwrap_or_else(|| Path::new("/"));
        chdir(cwd).map_err(step(format!(
            "cannot enter the working directory {}",
            cwd.display()
        )))
    }
}

/// Tells what is missing and goes on, if the kernel refuses for want of a privilege.
fn warn(faults: RawFd, name: impl Into<String>, error: &io::Error) -> Result<(), Fault> {
    let mut fault = Fault::new(name, error);
    if !matches!(fault.errno, libc::EPERM | libc::EACCES) {
        return Err(fault);
    }
    fault.warning = true;
    report(faults, &fault);
    Ok(())
}

/// Sets a limit; where it may not be raised, as high as it may be, and that is still an error.
fn set_limit(resource: Resource, wanted: Rlimit) -> io::Result<()> {
    let Err(error) = setrlimit(resource, wanted) else {
        return Ok(());
    };
    let ceiling = getrlimit(resource).maximum;
    let clamp = |value: Option<u64>| match (value, ceiling) {
        (Some(value), Some(most)) => Some(value.min(most)),
        (None, most) => most,
        (value, None) => value,
    };
    let _ = setrlimit(
        resource,
        Rlimit {
            current: clamp(wanted.current),
            maximum: clamp(wanted.maximum),
        },
    );
    Err(error.into())
}

/// Runs the child's preparation. It never returns to the caller's loop, not even by a panic.
fn guarded(
    faults: BorrowedFd<'_>,
    prepare: impl FnOnce() -> Result<std::convert::Infallible, Fault>,
) -> ! {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(prepare)) {
        Ok(Ok(never)) => match never {},
        Ok(Err(fault)) => report(faults.as_raw_fd(), &fault),
        Err(_) => {}
    }
    sys::exit_now(126)
}

fn report(to: RawFd, fault: &Fault) {
    if let Ok(mut line) = serde_json::to_vec(fault) {
        line.push(b'\n');
        sys::write_raw(to, &line);
    }
}

/// What a fault pipe says once it is at its end: warnings, and the failure if there is one.
pub(crate) fn read_faults(text: &[u8]) -> (Vec<String>, Option<Fault>) {
    let unreadable = || Fault {
        step: "cannot start the program".to_owned(),
        errno: libc::EIO,
        warning: false,
    };
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let faults = lines.map(|line| serde_json::from_slice(line).unwrap_or_else(|_| unreadable()));
    let (warnings, failures): (Vec<Fault>, Vec<Fault>) = faults.partition(|fault| fault.warning);
    (
        warnings.iter().map(Fault::message).collect(),
        failures.into_iter().next(),
    )
}

/// The message of a text that is one fault and nothing else.
pub(crate) fn single_fault(text: &[u8]) -> Option<String> {
    serde_json::from_slice::<Fault>(text)
        .ok()
        .map(|fault| fault.message())
}

/// A resource by Compose's name of a ulimit.
pub(crate) fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return None,
    })
}

/// `/dev/null`, for what has no input.
pub(crate) fn null() -> io::Result<OwnedFd> {
    Ok(fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?
        .into())
}
