//! The control protocol: JSON lines over a Unix stream socket, descriptors by `SCM_RIGHTS`.
//!
//! The client speaks first: any [`Request`], each answered by one [`Reply`] in order. After `watch`
//! and `exec` [`Event`]s come between. A reply has the key `result`, an event the key `event`.
//! Version 1 only gains requests and optional fields; receivers ignore what they do not know.
//! Descriptors go with the first byte of the request that uses them.
//!
//! Only the shim's own user and root may connect (`SO_PEERCRED`). A line has at most [`MAX_LINE`]
//! bytes; a client that sends more, leaves a line unfinished for 10 s, or does not read is dropped.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::record::Exit;

/// The version that this code speaks.
pub const PROTOCOL: u32 = 1;
/// The longest request, in bytes, without the newline.
pub const MAX_LINE: usize = 64 * 1024;
/// The longest hosts file, in bytes: it fits into a request.
pub const MAX_HOSTS: usize = 48 * 1024;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Tells versions. Not required.
    Hello {
        /// The client's [`PROTOCOL`].
        #[serde(default)]
        protocol: u32,
    },
    /// Asks for the [`Status`].
    State,
    /// The status now and after each change. A slow reader gets the newest, not each one.
    Watch,
    /// Stops the instance; answered at once, done when the status says `exited`.
    Stop {
        /// Instead of the one of the specification.
        #[serde(default)]
        signal: Option<String>,
        /// Instead of the one of the specification, in milliseconds.
        #[serde(default)]
        grace_ms: Option<u64>,
    },
    /// Stops and starts it again, without back-off. Not for one-shots.
    Restart {
        /// Instead of the one of the specification, in milliseconds.
        #[serde(default)]
        grace_ms: Option<u64>,
    },
    /// Sends a signal to the main process.
    Signal {
        /// `HUP`, `SIGUSR1`, `37`.
        signal: String,
    },
    /// Runs a program in the instance, with its credentials, view and cgroup. Three descriptors
    /// come along: stdin, stdout, stderr. It is killed when this connection ends.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
        /// Added to the instance's environment.
        #[serde(default)]
        env: BTreeMap<String, String>,
        /// Instead of the instance's working directory.
        #[serde(default)]
        cwd: Option<PathBuf>,
        /// Stdin is a terminal that becomes the controlling one.
        #[serde(default)]
        tty: bool,
    },
    /// Sends a signal to the program that was started by `exec` on this connection.
    ExecSignal {
        /// `INT`, for example.
        signal: String,
    },
    /// Replaces the content of the instance's `/etc/hosts`, in place.
    Hosts {
        /// The whole file; at most [`MAX_HOSTS`] bytes.
        content: String,
    },
    /// The end of the instance is recorded elsewhere: the shim of an ended instance goes.
    AckExit,
    /// Keeps one descriptor per name for the next start. A known name is replaced.
    StoreFds {
        /// 1 to 200 bytes each, without `:` and control characters.
        names: Vec<String>,
    },
    /// Forgets kept descriptors.
    RemoveFds {
        /// Unknown ones are fine.
        names: Vec<String>,
    },
    /// Marks the instance as draining (not ready, whatever its probes say), or not.
    SetDraining {
        /// The mark.
        draining: bool,
    },
    /// Stops the instance if it runs, records its end, and goes without waiting for `ack_exit`.
    Shutdown {
        /// Instead of the one of the specification, in milliseconds.
        #[serde(default)]
        grace_ms: Option<u64>,
    },
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Reply {
    /// Done, or begun.
    Ok,
    /// The answer to `hello`.
    Hello {
        /// The shim's [`PROTOCOL`].
        protocol: u32,
        /// The shim's version.
        version: String,
        /// The instance.
        id: String,
        /// The shim's pid.
        shim: i32,
    },
    /// The answer to `state`.
    State(Box<Status>),
    /// The program runs; [`Event::ExecExit`] follows.
    ExecStarted {
        /// Its pid.
        pid: i32,
    },
    /// Refused; nothing was done.
    Error {
        /// A stable word: `bad_request`, `not_running`, `not_allowed`, `failed`, `limit`.
        code: String,
        /// What is wrong and how to mend it.
        message: String,
    },
}

/// What is told without a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The status now.
    State(Box<Status>),
    /// The end of the program that was started by `exec`.
    ExecExit(Exit),
}

/// All about the instance now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Raised with each change.
    pub seq: u64,
    /// The instance.
    pub id: String,
    /// Its address.
    pub address: String,
    /// Where it is.
    pub state: State,
    /// It may get work: running, healthy by all checks that gate, and not draining.
    pub ready: bool,
    /// Set by `set_draining` and by a stop.
    pub draining: bool,
    /// All checks that gate, together.
    pub health: Health,
    /// Each check.
    pub probes: Vec<ProbeStatus>,
    /// The main process.
    pub pid: Option<i32>,
    /// When it was started, in RFC 3339.
    pub started_at: Option<String>,
    /// Restarts since the launch.
    pub restarts: u64,
    /// In `backoff`: when the next start is due.
    pub next_start_at: Option<String>,
    /// How the last run ended.
    pub last_exit: Option<Exit>,
    /// How it all ended; set in `exited` and `failed`.
    pub exit: Option<Exit>,
    /// This shim took the instance over from a lost one.
    pub rescued: bool,
    /// Which level of tracking was reached.
    pub cgroup: crate::cgroup::Level,
    /// Limits and views that were asked for and are not enforced, each with the reason.
    pub not_enforced: Vec<String>,
    /// Other things that went on though they failed.
    pub warnings: Vec<String>,
    /// Records of output that found no place on the disk.
    pub log_dropped: u64,
    /// Names of the kept descriptors.
    pub fds: Vec<String>,
}

/// Where an instance is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its process is made, its program not executed yet.
    #[default]
    Starting,
    /// Its program runs.
    Running,
    /// It is being stopped, or what it left is being cleared.
    Stopping,
    /// It waits for its next start.
    Backoff,
    /// It is over.
    Exited,
    /// It is over because the restart budget is used up.
    Failed,
}

impl State {
    /// Nothing of it runs, and nothing will.
    pub fn is_over(self) -> bool {
        match self {
            Self::Exited | Self::Failed => true,
            Self::Starting | Self::Running | Self::Stopping | Self::Backoff => false,
        }
    }
}

/// What checks say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// There is no check.
    #[default]
    None,
    /// No success yet, and not enough failures.
    Starting,
    /// The last answer that counts was good.
    Healthy,
    /// Too many failures in a row.
    Unhealthy,
}

/// One check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeStatus {
    /// From the specification.
    pub name: String,
    /// What it says.
    pub health: Health,
    /// Failures in a row that count.
    pub failures: u32,
    /// What the last failure said; at most 4 KiB.
    pub output: String,
}
