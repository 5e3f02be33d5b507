//! What is answered.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{ListenerKey, ListenerSpec, TargetSpec};

/// One line to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Reply {
    /// To `hello`.
    Hello {
        /// The version that is spoken from here on.
        protocol: u32,
        /// The version of the program.
        version: String,
        /// The process id of the holder.
        pid: u32,
    },
    /// To `bind`.
    Bound {
        /// What the listener listens on.
        address: SocketAddr,
    },
    /// To `unbind`, `targets` and `shutdown`: done, and recorded.
    Done,
    /// To `drain`.
    Draining {
        /// Connections, requests or sessions that the target still carries.
        open: u64,
    },
    /// To `counts`.
    Counts {
        /// In the order of their keys.
        listeners: Vec<ListenerCounts>,
    },
    /// To `list`.
    List {
        /// In the order of their keys.
        listeners: Vec<ListenerInfo>,
        /// The address blocks that this home holds, for example `127.81.4.0/24`.
        blocks: Vec<String>,
    },
    /// To `watch`; events follow.
    Watching,
    /// To `event_address`.
    EventAddress {
        /// `http://ADDRESS:PORT`.
        url: String,
    },
    /// To `blocks`.
    Blocks {
        /// For example `127.81.4.0/24`.
        blocks: Vec<String>,
    },
    /// To `batch`, in the order of its requests.
    Batch {
        /// One per request.
        replies: Vec<Reply>,
    },
    /// The request was refused.
    Error(Failure),
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For programs.
    pub code: FailureCode,
    /// For people: where, what, and how to mend it.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// Not JSON, no such request, a wrong type, or a value out of its range.
    BadRequest,
    /// The connection did not begin with `hello`.
    HelloMissing,
    /// No common protocol version.
    UnsupportedProtocol,
    /// No listener of that key.
    UnknownListener,
    /// No target of that id.
    UnknownTarget,
    /// The listener is bound with another specification.
    ListenerDiffers,
    /// A lower generation than the last, or the same with other targets.
    StaleGeneration,
    /// Another program listens there.
    AddressInUse,
    /// The address belongs to no interface of this machine.
    AddressNotAvailable,
    /// A port below the first unprivileged one, or another refusal of the kernel.
    PermissionDenied,
    /// A limit of the holder or the machine is reached.
    LimitReached,
    /// The change is in effect, but would not outlive the process: the state could not be written, or
    /// the descriptor not be kept.
    NotRecorded,
    /// Anything else.
    Internal,
}

/// The numbers of a listener since the holder started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerCounts {
    /// The listener.
    pub key: ListenerKey,
    /// Client connections that are open now.
    pub open: u64,
    /// Client connections accepted.
    pub accepted: u64,
    /// Clients that waited for a ready target in vain (reset, or answered 503), and datagrams dropped.
    pub unserved: u64,
    /// Per target, in the order of the set.
    pub targets: Vec<TargetCounts>,
}

/// The numbers of a target since the holder learned of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCounts {
    /// The target.
    pub id: String,
    /// Whether it takes work now.
    pub ready: bool,
    /// Whether it was told to take no more.
    pub draining: bool,
    /// Connections (`l4`), requests and upgraded connections (`http`) or sessions (UDP) under way.
    pub open: u64,
    /// The same, all in all.
    pub total: u64,
    /// Attempts to connect that failed, and answers that were cut short.
    pub failures: u64,
}

/// A listener as `list` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerInfo {
    /// What was asked for.
    pub spec: ListenerSpec,
    /// What it listens on; nothing while it could not be opened again after a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Why it is not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The generation of its targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Its targets, with drains applied.
    pub targets: Vec<TargetSpec>,
}
