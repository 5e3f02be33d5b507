//! Starting a shim.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::procfs;
use crate::secrets::SecretValues;
use crate::supervisor::{Ack, FailedKind};
use crate::sys;

/// A start includes mounts, cgroups and two fsyncs on a busy disk; the shim itself gives up after 60 s.
const TIMEOUT: Duration = Duration::from_secs(75);
/// No answer of a shim comes near.
const MAX_ANSWER: usize = 256 * 1024;

/// How a shim is executed: `consort-shim`, or `consort __shim`. The state directory is added.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// The program.
    pub program: PathBuf,
    /// Arguments before the state directory.
    pub args: Vec<OsString>,
    /// The shim's environment: nothing but this. Only tests need it.
    pub env: Vec<(OsString, OsString)>,
}

impl Launcher {
    /// A shim binary without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
        }
    }
}

/// An instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its main process.
    pub pid: i32,
    /// The shim.
    pub shim: i32,
    /// The instance ran already and was taken over.
    pub rescued: bool,
}

/// Why no instance runs. Nothing of it is left, but for [`LaunchError::AlreadyRunning`] and, as far
/// as its text says, [`LaunchError::TimedOut`].
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The shim itself.
    #[error("cannot execute the shim {}", program.display())]
    NoShim {
        /// Its program.
        program: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A shim owns the directory: adopt it.
    #[error("{message}")]
    AlreadyRunning {
        /// Which directory.
        message: String,
    },
    /// The specification or a secret.
    #[error("{message}")]
    BadSpec {
        /// What is wrong.
        message: String,
    },
    /// Something on the way to the program.
    #[error("the instance cannot be set up: {message}")]
    Setup {
        /// What was tried, and the kernel's words.
        message: String,
        /// The kernel's error number.
        errno: Option<i32>,
    },
    /// The program cannot be executed, or its credentials, view or folder cannot be had.
    #[error("the program was not started: {message}")]
    Exec {
        /// What was tried, and the kernel's words.
        message: String,
        /// The kernel's error number: 2 is "no such file", 13 "permission denied".
        errno: i32,
    },
    /// The shim ended without an answer.
    #[error("the shim in {} died while it started the instance; its shim.log may say why", dir.display())]
    Died {
        /// The state directory.
        dir: PathBuf,
    },
    /// No answer. The shim was told to stop the instance and go.
    #[error("the shim in {} did not start the instance in time; it was told to stop it", dir.display())]
    TimedOut {
        /// The state directory.
        dir: PathBuf,
    },
}

/// Starts a shim on a directory with a `spec.json`, or lets a new shim take over an instance whose
/// shim was lost. Blocks until the program is executed (not until it is ready).
///
/// # Errors
/// [`LaunchError`].
pub fn launch(
    state_dir: &Path,
    launcher: &Launcher,
    secrets: &SecretValues,
) -> Result<Started, LaunchError> {
    let give_up = Instant::now() + TIMEOUT;
    let no_shim = |source| LaunchError::NoShim {
        program: launcher.program.clone(),
        source,
    };
    let mut child = Command::new(&launcher.program)
        .args(&launcher.args)
        .arg(state_dir)
        .env_clear()
        .envs(launcher.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(no_shim)?;
    // The shim reads to the end before it forks; a broken pipe shows as a missing answer.
    if let (Some(mut input), Ok(text)) = (child.stdin.take(), serde_json::to_vec(&secrets.0)) {
        let _ = input.write_all(&text);
    }
    let result = listen(&mut child, state_dir, give_up);
    // The process that was started has forked the shim and ended, or it failed. It is always reaped.
    if matches!(result, Err(LaunchError::TimedOut { .. })) {
        let _ = child.kill();
    }
    let _ = child.wait();
    result
}

fn listen(child: &mut Child, dir: &Path, give_up: Instant) -> Result<Started, LaunchError> {
    let died = || LaunchError::Died {
        dir: dir.to_owned(),
    };
    let mut output = child.stdout.take().ok_or_else(died)?;
    let (mut text, mut shim) = (Vec::new(), None);
    loop {
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            match serde_json::from_slice(&line).map_err(|_| died())? {
                Ack::Shim(pid) => shim = Some((pid, procfs::stat(pid).map(|stat| stat.starttime))),
                Ack::Started { pid, rescued } => {
                    return Ok(Started {
                        pid,
                        rescued,
                        shim: shim.map_or(0, |(pid, _)| pid),
                    });
                }
                Ack::Failed {
                    kind,
                    message,
                    errno,
                } => return Err(failure(kind, message, errno)),
            }
        }
        let left = give_up.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(0),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => {
                stop_shim(shim);
                return Err(LaunchError::TimedOut {
                    dir: dir.to_owned(),
                });
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return Err(died()),
        }
        let mut buffer = [0; 4096];
        match output.read(&mut buffer) {
            Ok(0) => return Err(died()),
            Ok(count) if text.len() < MAX_ANSWER => text.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return Err(died()),
        }
    }
}

/// SIGTERM makes a shim stop its instance, record the end and go.
fn stop_shim(shim: Option<(i32, Option<u64>)>) {
    if let Some((pid, Some(starttime))) = shim
        && let Some(pidfd) = procfs::open_exact(pid, starttime)
    {
        let _ = sys::pidfd_signal(&pidfd, libc::SIGTERM);
    }
}

fn failure(kind: FailedKind, message: String, errno: Option<i32>) -> LaunchError {
    match kind {
        FailedKind::Running => LaunchError::AlreadyRunning { message },
        FailedKind::Spec => LaunchError::BadSpec { message },
        FailedKind::Setup => LaunchError::Setup { message, errno },
        FailedKind::Exec => LaunchError::Exec {
            message,
            errno: errno.unwrap_or(libc::EIO),
        },
    }
}
