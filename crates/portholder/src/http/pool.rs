//! Idle connections to one target.
//!
//! A target may close an idle connection at any moment, also while a request is on its way over it, and
//! then nobody knows whether the request was accepted. So connections are kept for less than the
//! shortest common keep-alive (Node.js: 5 s), and a request that may not be repeated is given only one
//! that was in use a moment ago, or a new one.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use super::Sender;
use crate::clock::now_ms;
use crate::tasks::{MOST_WORKERS, worker_index};

const KEEP_MS: u64 = 4_000;
const KEEP_UNREPEATABLE_MS: u64 = 1_000;
/// Per thread.
const MOST_IDLE: usize = 256;

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: u64,
}

/// The idle connections, apart for each thread, as a connection stays on the thread that made it.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    shelves: [Mutex<Vec<Idle>>; MOST_WORKERS],
    shut: AtomicBool,
}

impl Pool {
    fn shelf(&self) -> &Mutex<Vec<Idle>> {
        &self.shelves[worker_index().min(MOST_WORKERS - 1)]
    }

    /// The connection used last, if it may carry such a request.
    pub(crate) fn take(&self, repeatable: bool) -> Option<Sender> {
        let keep = if repeatable {
            KEEP_MS
        } else {
            KEEP_UNREPEATABLE_MS
        };
        let mut idle = self.shelf().lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(last) = idle.pop() {
            if now_ms().saturating_sub(last.since) >= keep {
                // All others are older still.
                idle.push(last);
                return None;
            }
            if last.sender.is_ready() {
                return Some(last.sender);
            }
        }
        None
    }

    pub(crate) fn put(&self, sender: Sender) {
        let mut idle = self.shelf().lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that closing either sees it or prevents it.
        if idle.len() < MOST_IDLE && !self.shut.load(SeqCst) {
            idle.push(Idle {
                sender,
                since: now_ms(),
            });
        }
    }

    /// Opens, or closes all and keeps none: a target that drains is not to hold connections.
    pub(crate) fn set_open(&self, open: bool) {
        self.shut.store(!open, SeqCst);
        if !open {
            for shelf in &self.shelves {
                shelf.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
        }
    }

    /// Drops what is closed or too old.
    pub(crate) fn purge(&self) {
        let now = now_ms();
        for shelf in &self.shelves {
            let mut idle = shelf.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|idle| {
                now.saturating_sub(idle.since) < KEEP_MS && !idle.sender.is_closed()
            });
            idle.shrink_to(8);
        }
    }
}
