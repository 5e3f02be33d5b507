//! What is told to watchers.

use serde::{Deserialize, Serialize};

use super::ListenerKey;

/// A change that a watcher is told of. At the start of a watch the current state is told in the same
/// words, so that nobody needs to have seen the change itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A target that drains carries nothing any more.
    Drained {
        /// The listener.
        key: ListenerKey,
        /// The target.
        target: String,
    },
    /// A listener has a ready target, after it had none.
    FirstReady {
        /// The listener.
        key: ListenerKey,
    },
    /// A listener has no ready target any more; its clients wait.
    NoneReady {
        /// The listener.
        key: ListenerKey,
    },
    /// The watcher read too slowly and missed this many events: ask for `counts`.
    Missed {
        /// How many.
        events: u64,
    },
}
