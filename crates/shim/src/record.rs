//! The files of a state directory that the shim writes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Name of the [`PidRecord`].
pub const PID_FILE: &str = "pid.json";
/// Name of the [`Exit`] record.
pub const EXIT_FILE: &str = "exit.json";
/// Name of the [`Counters`].
pub const COUNTERS_FILE: &str = "state.json";
/// Held by the living shim.
pub const LOCK_FILE: &str = "lock";

/// No record of ours comes near; a larger file is not ours.
const MAX_RECORD: u64 = 1 << 20;

/// Who the main process is. Written before its program is executed, so that no instance is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PidRecord {
    /// The main process; also its session.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: a pid is trusted only together with it.
    pub starttime: u64,
    /// Of the boot in which all this is true.
    pub boot_id: String,
    /// The tracking cgroup, absolute.
    #[serde(default)]
    pub cgroup: Option<String>,
    /// The shim that started it.
    #[serde(default)]
    pub shim: i32,
    /// The shim's program, which the process still is until it executes its own.
    #[serde(default)]
    pub shim_exe: String,
    /// Inode numbers of the output pipes, stdout and stderr.
    #[serde(default)]
    pub pipes: Option<[u64; 2]>,
    /// When it was started.
    #[serde(default)]
    pub started_at: String,
}

/// How a run of the program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exit {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Nobody could tell how: the shim was lost before.
    pub unknown: bool,
    /// The kernel killed a process of it for memory.
    pub oom: bool,
    /// Somebody asked for the stop.
    pub stopped: bool,
    /// A one-shot over its deadline.
    pub timed_out: bool,
    /// The restart budget is used up.
    pub failed: bool,
    /// What went wrong besides, such as a program that cannot be executed.
    pub error: Option<String>,
    /// Use of the main process and its reaped children.
    pub usage: Option<Usage>,
    /// When, in RFC 3339.
    pub at: String,
    /// When the run began.
    pub started_at: String,
    /// Restarts before this end.
    pub restarts: u64,
    /// Processes that could not be killed (in an uninterruptible wait).
    pub leftover: u32,
    /// Of the boot in which it ended.
    pub boot_id: String,
}

impl Exit {
    /// Code 0, and nothing else is wrong.
    pub fn is_success(&self) -> bool {
        self.code == Some(0) && self.error.is_none() && !self.timed_out
    }
}

/// Resource use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Processor time in programs, in milliseconds.
    pub user_ms: u64,
    /// Processor time in the kernel, in milliseconds.
    pub system_ms: u64,
    /// The largest resident size, in bytes.
    pub max_rss: u64,
}

/// What must survive the shim itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Restarts since the launch.
    pub restarts: u64,
    /// Consecutive short runs: the exponent of the delay.
    pub step: u32,
    /// Recent restarts, in milliseconds since the epoch; at most 1024.
    pub attempts: Vec<u64>,
    /// Kept descriptors: name and inode of the socket, in order.
    pub fds: Vec<(String, u64)>,
    /// Records of output that found no place on the disk.
    pub log_dropped: u64,
    /// How the last run ended.
    pub last_exit: Option<Exit>,
}

/// What a record must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survives {
    /// A loss of power: it is on the disk when the call returns.
    Boot,
    /// A kill of this process. After another boot nothing that it says is true anyway.
    Process,
}

/// Writes a record by rename, so that a reader sees the old one or the new one, whole.
pub(crate) fn write_json(
    dir: &Path,
    name: &str,
    value: &impl Serialize,
    survives: Survives,
) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}.new"));
    let bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    let written = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&bytes)?;
        if survives == Survives::Boot {
            file.sync_all()?;
        }
        fs::rename(&temporary, dir.join(name))
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    if survives == Survives::Boot {
        File::open(dir)?.sync_all()
    } else {
        Ok(())
    }
}

/// Reads a record; `None` if there is none.
///
/// # Errors
/// What the kernel says, or `InvalidData` for a file that is not such a record.
pub fn read_json<T: DeserializeOwned>(dir: &Path, name: &str) -> io::Result<Option<T>> {
    let path = dir.join(name);
    let bytes = match fs::metadata(&path) {
        Ok(found) if found.len() > MAX_RECORD => return Err(io::ErrorKind::FileTooLarge.into()),
        Ok(_) => fs::read(&path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Removes a record; that there is none is fine.
pub(crate) fn remove(dir: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(dir.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
