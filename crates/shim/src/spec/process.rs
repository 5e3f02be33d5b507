//! The program and its credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What to run, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// A path, or a name that is looked up in `PATH` of [`Process::env`]. A path with a slash that is
    /// not absolute starts at the working directory.
    pub program: String,
    /// The arguments after the program's name.
    pub args: Vec<String>,
    /// What the program sees as its own name; default: [`Process::program`].
    pub arg0: Option<String>,
    /// The working directory, in the instance's view; default `/`.
    pub cwd: Option<PathBuf>,
    /// The whole environment; nothing of the shim's own is added but `CONSORT_INSTANCE`, and
    /// `LISTEN_*` and `CONSORT_FDSTORE` where descriptors are kept.
    pub env: BTreeMap<String, String>,
    /// The user; default: the shim's own.
    pub user: Option<User>,
    /// The file creation mask; default 0o022.
    pub umask: Option<u32>,
    /// Compose's `ulimits`, by name: `nofile`.
    pub rlimits: BTreeMap<String, Rlimit>,
    /// What a root process keeps.
    pub capabilities: Capabilities,
    /// Set-user-id programs give nothing.
    pub no_new_privs: bool,
    /// -1000 to 1000; lowering may be refused by the kernel, which is a warning.
    pub oom_score_adj: Option<i32>,
}

/// Numbers, for names are the driver's to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The primary group id.
    pub gid: u32,
    /// Further groups.
    #[serde(default)]
    pub groups: Vec<u32>,
}

/// One resource limit; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// The limit that holds.
    pub soft: Option<u64>,
    /// How far the process may raise it.
    pub hard: Option<u64>,
}

/// Compose's `cap_drop` and `cap_add`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// `ALL`, `NET_RAW` or `CAP_NET_RAW`.
    pub drop: Vec<String>,
    /// Those that `drop` leaves.
    pub keep: Vec<String>,
}
