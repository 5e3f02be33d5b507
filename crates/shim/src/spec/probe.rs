//! Health checks.

use serde::{Deserialize, Serialize};

/// One check with Compose's timing. Until the first success the shim also asks earlier than
/// `interval` says; such an early question can make the instance healthy, never unhealthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// For people.
    #[serde(default)]
    pub name: String,
    /// What is asked.
    #[serde(flatten)]
    pub check: Check,
    /// Between two questions.
    #[serde(default = "thirty_seconds")]
    pub interval_ms: u64,
    /// No answer in this time is a failure.
    #[serde(default = "thirty_seconds")]
    pub timeout_ms: u64,
    /// So many failures in a row are unhealthy.
    #[serde(default = "three")]
    pub retries: u32,
    /// Failures before the first success do not count for so long.
    #[serde(default)]
    pub start_period_ms: u64,
    /// Between two questions in the start period.
    #[serde(default = "five_seconds")]
    pub start_interval_ms: u64,
    /// The instance is ready only while this check is healthy.
    #[serde(default = "yes")]
    pub gates_ready: bool,
    /// What unhealthy leads to.
    #[serde(default)]
    pub on_unhealthy: OnUnhealthy,
}

fn thirty_seconds() -> u64 {
    30_000
}
fn five_seconds() -> u64 {
    5_000
}
fn three() -> u32 {
    3
}
fn yes() -> bool {
    true
}

impl Probe {
    /// A check with Compose's defaults.
    pub fn new(check: Check) -> Self {
        Self {
            name: String::new(),
            check,
            interval_ms: thirty_seconds(),
            timeout_ms: thirty_seconds(),
            retries: three(),
            start_period_ms: 0,
            start_interval_ms: five_seconds(),
            gates_ready: true,
            on_unhealthy: OnUnhealthy::None,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "check")]
pub enum Check {
    /// A program inside the instance that must exit with 0. Compose's `CMD-SHELL` is `["/bin/sh", "-c", …]`.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// `GET` must answer with a status from 200 to 399.
    Http {
        /// A numeric address and port: `127.64.3.7:80`.
        address: String,
        /// Starts with `/`.
        path: String,
        /// The `Host` header; default: the address.
        #[serde(default)]
        host: Option<String>,
    },
    /// A connection must be accepted.
    Tcp {
        /// A numeric address and port.
        address: String,
    },
}

/// What unhealthy leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnhealthy {
    /// It is said, and that is all.
    #[default]
    None,
    /// The instance is stopped and follows its restart policy as after a failure.
    Restart,
}
