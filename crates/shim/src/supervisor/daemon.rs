//! From the launcher's child to a process of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::{FlockOperation, Mode, fcntl_lock};
use rustix::process::{
    DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior, setsid, umask,
};
use serde::{Deserialize, Serialize};

use super::Supervisor;
use crate::fault;
use crate::record::LOCK_FILE;
use crate::secrets::Secrets;
use crate::spec::Spec;
use crate::sys;

/// Where the shim's own remarks go; begun anew beyond this size.
const LOG_FILE: &str = "shim.log";
const MAX_LOG: u64 = 256 * 1024;

/// What the shim tells its launcher on standard output, one JSON line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ack {
    /// The daemon's pid.
    Shim(i32),
    /// The program runs.
    Started { pid: i32, rescued: bool },
    /// It does not, and nothing is left.
    Failed {
        kind: FailedKind,
        message: String,
        errno: Option<i32>,
    },
}

/// Which error a launcher makes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailedKind {
    Running,
    Spec,
    Setup,
    Exec,
}

/// Why there is no supervisor.
pub(super) struct Refusal {
    pub(super) kind: FailedKind,
    pub(super) message: String,
    pub(super) errno: Option<i32>,
}

impl Refusal {
    pub(super) fn setup(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self {
            kind: FailedKind::Setup,
            message: format!("{what}: {error}"),
            errno: error.raw_os_error(),
        }
    }
}

/// Prints how the shim is called; exit code 64.
pub fn usage() -> ExitCode {
    eprintln!(
        "usage: consort-shim STATE_DIR\nIt is started by consort; secrets come by standard input as a JSON map."
    );
    ExitCode::from(64)
}

/// The shim's main function. Call it first thing in `main`, while the process has one thread.
///
/// Reads secrets from standard input to its end, forks, and answers on standard output; the
/// process that was started returns at once. In the daemon it returns when the shim is done.
/// Exit codes: 0; 1 for a launch that failed (the reason is in the answer); 70 for a call in a
/// process with threads.
pub fn run(state_dir: &Path) -> ExitCode {
    if crate::procfs::threads() != 1 {
        eprintln!(
            "the shim must be the first thing that its process does: there are other threads"
        );
        return ExitCode::from(70);
    }
    let (Ok(input), Ok(output)) = (sys::take_standard(0), sys::take_standard(1)) else {
        return ExitCode::from(70);
    };
    let mut ack = File::from(output);
    let prepared = Secrets::read(File::from(input))
        .and_then(|secrets| Ok((secrets, fs::canonicalize(state_dir)?)))
        .map_err(|error| {
            Refusal::setup(
                format_args!("cannot begin in {}", state_dir.display()),
                &error,
            )
        });
    let (secrets, dir) = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return refuse(&mut ack, refusal),
    };
    match sys::fork() {
        Ok(Some(_)) => ExitCode::SUCCESS,
        Ok(None) => match begin(&dir, secrets, &mut ack) {
            Ok(mut supervisor) => {
                supervisor.ack = Some(ack);
                supervisor.run()
            }
            Err(refusal) => refuse(&mut ack, refusal),
        },
        Err(error) => refuse(&mut ack, Refusal::setup("cannot fork", &error)),
    }
}

fn refuse(ack: &mut File, refusal: Refusal) -> ExitCode {
    let Refusal {
        kind,
        message,
        errno,
    } = refusal;
    tell(
        ack,
        &Ack::Failed {
            kind,
            message,
            errno,
        },
    );
    ExitCode::from(1)
}

/// The launcher may be gone; the shim goes on all the same.
pub(super) fn tell(ack: &mut File, message: &Ack) {
    if let Ok(mut line) = serde_json::to_vec(message) {
        line.push(b'\n');
        let _ = ack.write_all(&line);
    }
}

fn begin(dir: &Path, secrets: Secrets, ack: &mut File) -> Result<Supervisor, Refusal> {
    let _ = setsid();
    umask(Mode::from_raw_mode(0o077));
    // No core file and no ptrace by others: this memory holds secrets.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    set_child_subreaper(Some(getpid()))
        .map_err(|error| Refusal::setup("cannot be a subreaper", &error.into()))?;
    redirect(dir).map_err(|error| Refusal::setup(dir.display(), &error))?;
    let _ = std::env::set_current_dir("/");
    if let Err(error) = fs::write("/proc/self/oom_score_adj", "-999") {
        eprintln!(
            "{} cannot lower oom_score_adj of the shim: {error}",
            crate::time::Timestamp::now()
        );
    }
    tell(ack, &Ack::Shim(getpid().as_raw_nonzero().get()));
    fault::point("started");
    let lock = lock(dir)?;
    fault::point("locked");
    let spec = Spec::load(dir).map_err(|error| Refusal {
        kind: FailedKind::Spec,
        message: chain(&error),
        errno: None,
    })?;
    if let Some(token) = secrets.first_missing(&spec.secrets) {
        let message =
            format!("no value was passed for the secret {token}; launch again with all values");
        return Err(Refusal {
            kind: FailedKind::Spec,
            message,
            errno: None,
        });
    }
    if spec.supervises_others {
        // What the instance started is init's, not ours, when its parent ends.
        set_child_subreaper(None)
            .map_err(|error| Refusal::setup("cannot stop being a subreaper", &error.into()))?;
    }
    let signals = sys::block_and_open_signalfd()
        .map_err(|error| Refusal::setup("cannot receive signals", &error))?;
    Supervisor::new(PathBuf::from(dir), lock, spec, secrets, signals)
}

/// Standard descriptors that belong to nobody else.
fn redirect(dir: &Path) -> io::Result<()> {
    let path = dir.join(LOG_FILE);
    let fresh = fs::metadata(&path).is_ok_and(|found| found.len() > MAX_LOG);
    let mut options = OpenOptions::new();
    options
        .create(true)
        .append(!fresh)
        .write(true)
        .truncate(fresh)
        .mode(0o600);
    let log = options.open(&path)?;
    let null = crate::child::null()?;
    for (fd, number) in [
        (null.as_raw_fd(), 0),
        (null.as_raw_fd(), 1),
        (log.as_raw_fd(), 2),
    ] {
        sys::place(fd, number)?;
    }
    Ok(())
}

/// One shim per directory, for as long as it lives. A lock of the process (fcntl), not of the open
/// file (flock): children do not inherit it.
fn lock(dir: &Path) -> Result<File, Refusal> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| Refusal::setup(path.display(), &error))?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Err(Refusal {
            kind: FailedKind::Running,
            message: format!("a shim already owns {}; adopt it", dir.display()),
            errno: None,
        }),
        Err(error) => Err(Refusal::setup(path.display(), &error.into())),
    }
}

/// The one place of this process that prints an error with its sources.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
