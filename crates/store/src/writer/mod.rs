//! The one thread that writes.

mod queue;
mod session;
mod thread;
mod work;

use std::sync::atomic::{AtomicU8, Ordering};

pub(crate) use queue::Queue;
pub(crate) use session::{CachedRun, Session};
pub(crate) use thread::{Setup, Watchers, start};

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Condition {
    /// All is well.
    Good = 0,
    /// The disk is full: nothing new is begun, what is under way is recorded as long as it goes.
    SpaceLow = 1,
    /// A commit failed. Nothing is written any more; the process is to stop.
    Failed = 2,
}

/// The condition, for all threads to see.
#[derive(Debug, Default)]
pub(crate) struct SharedCondition(AtomicU8);

impl SharedCondition {
    pub(crate) fn set(&self, condition: Condition) {
        self.0.store(condition as u8, Ordering::Release);
    }
    pub(crate) fn get(&self) -> Condition {
        match self.0.load(Ordering::Acquire) {
            0 => Condition::Good,
            1 => Condition::SpaceLow,
            _ => Condition::Failed,
        }
    }
}
