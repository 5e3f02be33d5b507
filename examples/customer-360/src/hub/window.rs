//! The last messages of the mailbox, in memory, for the streams that are up to date.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::mailbox::message::Stored;

/// Messages that are kept.
const KEPT: usize = 4096;

/// A message, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place in the mailbox.
    pub offset: u64,
    /// The customer to whom it goes.
    pub customer: u32,
    /// The message as JSON, on one line.
    pub json: String,
}

impl Line {
    /// The line of a message of the mailbox.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn new(stored: &Stored) -> Result<Self, serde_json::Error> {
        Ok(Self {
            offset: stored.offset,
            customer: stored.message.customer_id,
            json: serde_json::to_string(stored)?,
        })
    }
}

/// What the window knows of the time after an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// These came, and perhaps more after them.
    Lines(Vec<Line>),
    /// Nothing came.
    Nothing,
    /// What came first is no longer in the window: ask the mailbox.
    TooOld,
}

/// The last messages and the offset of the last one of all.
#[derive(Debug)]
pub struct Window {
    lines: Mutex<VecDeque<Line>>,
    /// Nothing until the mailbox was reached.
    head: watch::Sender<Option<u64>>,
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    /// An empty window that has not reached the mailbox.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lines: Mutex::new(VecDeque::new()),
            head: watch::Sender::new(None),
        }
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The offset of the last message, to be watched.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Option<u64>> {
        self.head.subscribe()
    }

    /// Starts at this offset, as the mailbox was reached.
    pub fn begin(&self, head: u64) {
        self.lines().clear();
        self.head.send_replace(Some(head));
    }

    /// Adds messages that follow on the last one.
    pub fn extend(&self, new: impl IntoIterator<Item = Line>) {
        let mut lines = self.lines();
        lines.extend(new);
        let excess = lines.len().saturating_sub(KEPT);
        lines.drain(..excess);
        if let Some(last) = lines.back() {
            self.head.send_replace(Some(last.offset));
        }
    }

    /// At most `limit` messages after an offset.
    #[must_use]
    pub fn since(&self, offset: u64, limit: usize) -> Since {
        let lines = self.lines();
        let head = *self.head.borrow();
        match (head, lines.front()) {
            (None, _) => Since::Nothing,
            (Some(head), _) if offset >= head => Since::Nothing,
            (Some(_), Some(first)) if offset + 1 >= first.offset => {
                let skip = (offset + 1 - first.offset) as usize;
                Since::Lines(lines.iter().skip(skip).take(limit).cloned().collect())
            }
            (Some(_), _) => Since::TooOld,
        }
    }
}
