//! What a client may ask.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ListenerKey, ListenerSpec};

/// One line from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The first line of every connection.
    Hello {
        /// The version that the client speaks.
        protocol: u32,
    },
    /// Opens a listener. Repeating it with the same specification answers with the same port.
    Bind(ListenerSpec),
    /// Closes a listener for good. A listener that is not there is no error.
    Unbind {
        /// The listener.
        key: ListenerKey,
    },
    /// Replaces the targets of a listener.
    Targets(TargetsRequest),
    /// Gives a target no new connections or requests. [`super::Event::Drained`] tells when it carries none.
    Drain {
        /// The listener.
        key: ListenerKey,
        /// The target's id.
        target: String,
    },
    /// Asks for the numbers of one listener, or of all.
    Counts {
        /// Only this listener.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ListenerKey>,
    },
    /// Asks for all listeners with their addresses and targets.
    List,
    /// Turns the connection into a stream of events.
    Watch,
    /// Asks for the address of a `unix_http` listener.
    EventAddress {
        /// The listener.
        key: ListenerKey,
    },
    /// Claims address blocks until the home holds `count` of them, and answers with all.
    Blocks {
        /// How many blocks the home needs.
        count: usize,
    },
    /// Many requests, carried out in order and recorded in one go. Refusals do not stop the rest.
    Batch {
        /// Any requests but `hello`, `watch`, `shutdown` and `batch`.
        requests: Vec<Request>,
    },
    /// Ends the port holder. What is bound stays recorded, and comes back at the next start.
    Shutdown,
}

impl Request {
    /// Whether it changes what is recorded.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Self::Bind(_)
            | Self::Unbind { .. }
            | Self::Targets(_)
            | Self::Drain { .. }
            | Self::Blocks { .. } => true,
            Self::Hello { .. }
            | Self::Counts { .. }
            | Self::List
            | Self::Watch
            | Self::EventAddress { .. }
            | Self::Batch { .. }
            | Self::Shutdown => false,
        }
    }
}

/// The targets that a listener balances over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetsRequest {
    /// The listener.
    pub key: ListenerKey,
    /// Orders these requests: one with a lower generation than the last is refused, so that a late
    /// sender is harmless.
    pub generation: u64,
    /// All targets; one that was there and is not named is forgotten.
    pub targets: Vec<TargetSpec>,
}

/// One back end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// Names the target; keeps its numbers over changes of the set.
    pub id: String,
    /// Where it listens.
    pub address: IpAddr,
    /// Where it listens.
    pub port: u16,
    /// Whether it may be given work.
    pub state: TargetState,
    /// The control socket of its shim, whose readiness is followed while no server runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<PathBuf>,
}

/// What the sender of the targets knows of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Takes work, unless its shim says otherwise.
    Ready,
    /// Takes no work until its shim says that it is ready.
    Waiting,
    /// Takes no new work.
    Draining,
}
