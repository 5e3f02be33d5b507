//! What the shim is told about its instance: `spec.json`.
//!
//! Format 1 only gains optional fields: an older shim ignores what it does not know, a newer one
//! has defaults. Secret values never stand here; texts may hold *tokens* whose values come by pipe.
//! Every duration is in milliseconds, every size in bytes.

mod limits;
mod probe;
mod process;
mod validate;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use limits::{Cgroup, Limits};
pub use probe::{Check, OnUnhealthy, Probe};
pub use process::{Capabilities, Process, Rlimit, User};
pub use validate::SpecError;

/// The format that this version writes.
pub const FORMAT: u32 = 1;
/// The name of the file in the state directory.
pub const FILE: &str = "spec.json";
/// A larger file is refused.
const MAX_FILE: u64 = 4 << 20;

/// One instance, complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// [`FORMAT`]; a newer one is refused.
    pub format: u32,
    /// The instance's id: 1 to 64 characters of `[A-Za-z0-9._-]`.
    pub id: String,
    /// The site it belongs to.
    #[serde(default)]
    pub site: String,
    /// The home it belongs to; with the id, unique on this machine.
    #[serde(default)]
    pub home: String,
    /// Its address, for people: `services.api#2`.
    pub address: String,
    /// The control socket: absolute, at most 100 bytes, in a folder with mode 0700.
    pub control: PathBuf,
    /// What to run.
    pub process: Process,
    /// The tokens in this file that stand for secret values.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Files with secret content, in memory only.
    #[serde(default)]
    pub secret_files: Vec<SecretFile>,
    /// How the instance gets its own view of the file system.
    #[serde(default)]
    pub namespaces: Namespaces,
    /// What that view holds beside the host's files.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// The content of its `/etc/hosts`.
    #[serde(default)]
    pub hosts: Option<String>,
    /// Its host name.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Tracking and limits.
    #[serde(default)]
    pub cgroup: Option<Cgroup>,
    /// Health checks; at most 8.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Service or one-shot.
    #[serde(default)]
    pub mode: Mode,
    /// What follows an exit.
    #[serde(default)]
    pub restart: Restart,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// Where its output goes.
    #[serde(default)]
    pub logging: Logging,
    /// What a killed shim means for the instance.
    #[serde(default)]
    pub on_shim_loss: OnShimLoss,
    /// How many descriptors it may have kept for its next start; 0 is none. With more, the instance
    /// finds the control socket in `CONSORT_FDSTORE`.
    #[serde(default)]
    pub fd_store: u32,
    /// The instance starts shims of its own (it is a server): only its main process is ended with it.
    /// What it started belongs to others and goes on.
    #[serde(default)]
    pub supervises_others: bool,
    /// How long the shim of an ended instance waits for `ack_exit`.
    #[serde(default = "five_minutes")]
    pub linger_ms: u64,
}

fn five_minutes() -> u64 {
    300_000
}

/// A service runs until it is stopped; a one-shot runs to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Mode {
    /// Kept running as its restart policy says.
    #[default]
    Service,
    /// Run once. Never restarted.
    OneShot {
        /// Stopped when it takes longer.
        #[serde(default)]
        deadline_ms: Option<u64>,
    },
}

/// A file with secret content: its text after the tokens were replaced, on a tmpfs.
///
/// With namespaces it exists in the instance's view only. Without, `target` must lie in a folder
/// on a tmpfs of the host that is there already; the shim removes the file at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFile {
    /// Absolute path.
    pub target: PathBuf,
    /// Text with tokens.
    pub content: String,
    /// Permission bits.
    #[serde(default = "owner_reads")]
    pub mode: u32,
    /// The owner; default: the user of the process.
    #[serde(default)]
    pub uid: Option<u32>,
    /// The group; default: that of the process.
    #[serde(default)]
    pub gid: Option<u32>,
}

fn owner_reads() -> u32 {
    0o400
}

/// The rungs of the ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespaces {
    /// The host's own view: no mounts, no hosts file, no host name.
    #[default]
    None,
    /// A mount namespace made as root.
    RootMountNs,
    /// A user and mount namespace, for a shim without privileges. The user id stays what it is.
    UserMountNs,
}

/// One thing in the instance's view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path, which need not exist on the host.
    pub target: PathBuf,
    /// What appears there.
    #[serde(flatten)]
    pub source: MountSource,
    /// Not writable. Of a bound folder only its own file system, not those mounted below it.
    #[serde(default)]
    pub read_only: bool,
}

/// The source of a [`Mount`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum MountSource {
    /// A folder or file of the host, which must exist.
    Bind {
        /// Absolute path.
        source: PathBuf,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Its size; default: what the kernel gives.
        #[serde(default)]
        size: Option<u64>,
        /// Permission bits of its root.
        #[serde(default = "anyone_writes")]
        mode: u32,
    },
}

fn anyone_writes() -> u32 {
    0o1777
}

/// What follows an exit of a service. Counters survive the shim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Restart {
    /// When to start again.
    pub policy: RestartPolicy,
    /// After so many restarts within [`Restart::window_ms`] it is `failed`; 0 is no limit.
    pub max_attempts: u32,
    /// The window; 0 counts all since the launch.
    pub window_ms: u64,
    /// The first delay is drawn from 0 to this; each further bound is twice the one before.
    pub initial_ms: u64,
    /// The largest bound.
    pub cap_ms: u64,
    /// A run of this length begins the delays anew.
    pub reset_after_ms: u64,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::No,
            max_attempts: 0,
            window_ms: 0,
            initial_ms: 100,
            cap_ms: 60_000,
            reset_after_ms: 10_000,
        }
    }
}

/// Compose's `restart`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// After any exit.
    Always,
    /// After an exit that was not code 0.
    OnFailure,
    /// Like always; a stopped one has no shim that could start it again.
    UnlessStopped,
}

/// How the instance is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stop {
    /// The signal to the main process: `SIGTERM`, `INT`, `37`.
    pub signal: String,
    /// How long it has before all its processes are killed.
    pub grace_ms: u64,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            signal: "SIGTERM".to_owned(),
            grace_ms: 10_000,
        }
    }
}

/// Where the output goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// The way.
    pub mode: LogMode,
    /// Rotated before it grows larger; 0 is never.
    pub max_size: u64,
    /// How many files are kept, the current one included; at least 1, at most 100.
    pub max_file: u32,
    /// Secret values in the output are replaced by their tokens.
    pub scrub: bool,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            mode: LogMode::Pipe,
            max_size: 16 << 20,
            max_file: 3,
            scrub: true,
        }
    }
}

/// The way of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogMode {
    /// Through the shim: records with time and stream, rotation, scrubbing.
    #[default]
    Pipe,
    /// The instance appends to `output.raw` itself: no records, no rotation, no scrubbing.
    File,
    /// Nowhere.
    None,
}

/// What a killed shim means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnShimLoss {
    /// The instance goes on, and the next shim on the directory takes it over.
    #[default]
    Adopt,
    /// The kernel kills the main process with the shim (`PR_SET_PDEATHSIG`).
    Kill,
}

impl Spec {
    /// Reads and checks `spec.json` of a state directory.
    ///
    /// # Errors
    /// [`SpecError`]: no such file, too large, not JSON, a newer format, or a value out of its bounds.
    pub fn load(state_dir: &Path) -> Result<Self, SpecError> {
        let path = state_dir.join(FILE);
        let unreadable = |source| SpecError::Unreadable {
            path: path.clone(),
            source,
        };
        let size = std::fs::metadata(&path).map_err(unreadable)?.len();
        if size > MAX_FILE {
            return Err(SpecError::TooLarge { path, size });
        }
        let bytes = std::fs::read(&path).map_err(unreadable)?;
        let spec: Self = serde_json::from_slice(&bytes).map_err(|source| SpecError::Malformed {
            path: path.clone(),
            source,
        })?;
        spec.validate()?;
        Ok(spec)
    }

    /// Checks and writes `spec.json` by rename, with fsync. The directory must exist.
    ///
    /// # Errors
    /// [`SpecError`]: a value out of its bounds, or a file that cannot be written.
    pub fn store(&self, state_dir: &Path) -> Result<(), SpecError> {
        self.validate()?;
        crate::record::write_json(state_dir, FILE, self, crate::record::Survives::Boot).map_err(
            |source| SpecError::Unwritable {
                path: state_dir.join(FILE),
                source,
            },
        )
    }

    /// What marks all processes of the instance in their environment (`CONSORT_INSTANCE`).
    pub(crate) fn tag(&self) -> String {
        format!("{}/{}", self.home, self.id)
    }
}
