//! The log in memory, and the one thread that writes it: what waits at the same
//! time shares one sync.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::file::{AppendError, LogFile, Recovered};
use super::frame;
use super::message::{Message, Stored};

/// Messages that may wait for the writer; more are refused.
const QUEUE: usize = 1024;
/// Messages in one commit.
const BATCH: usize = 128;

/// A message that was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendFailed {
    /// Too many wait; send it again later.
    #[error("too many messages wait to be written")]
    Busy,
    /// The disk or the log is full.
    #[error("there is no room for the message")]
    Full,
    /// The log is out of order until the next start.
    #[error("the log is out of order")]
    Broken,
    /// Another message has this id.
    #[error("another message has this id, at offset {0}")]
    Differs(u64),
}

/// Where a message is, and whether it was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its offset.
    pub offset: u64,
    /// Whether it was there before.
    pub duplicate: bool,
}

/// Counts of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Messages stored.
    pub messages: u64,
    /// Offset of the last one; 0 where there is none.
    pub last_offset: u64,
    /// Length of the log.
    pub log_bytes: u64,
    /// Messages that came again since the start.
    pub duplicates: u64,
    /// Syncs since the start.
    pub commits: u64,
    /// Most messages that shared a sync.
    pub largest_commit: u64,
    /// Bytes of a torn commit that the start cut off.
    pub torn_bytes: u64,
}

type Answer = Result<Appended, AppendFailed>;
type Request = (Message, oneshot::Sender<Answer>);

/// A handle to the log; clones share it.
#[derive(Debug, Clone)]
pub struct Log {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    head: watch::Receiver<u64>,
}

#[derive(Debug)]
struct Shared {
    content: RwLock<Content>,
    broken: CancellationToken,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Content {
    messages: Vec<Arc<Stored>>,
    stats: Stats,
}

impl Log {
    /// Starts the writer. It ends when the last handle is dropped.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub fn start(file: LogFile, recovered: Recovered) -> io::Result<Self> {
        let stats = Stats {
            torn_bytes: recovered.torn_bytes,
            log_bytes: file.length(),
            ..Stats::default()
        };
        let content = RwLock::new(Content {
            messages: Vec::new(),
            stats,
        });
        let shared = Arc::new(Shared {
            content,
            broken: CancellationToken::new(),
            closed: CancellationToken::new(),
        });
        let (requests, queue) = mpsc::channel(QUEUE);
        let (head_sender, head) = watch::channel(0);
        let mut writer = Writer {
            file,
            ids: HashMap::new(),
            shared: Arc::clone(&shared),
            head: head_sender,
        };
        writer.publish(recovered.messages);
        let closed = shared.closed.clone();
        std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || {
                // Cancelled after the file is closed, also if the writer panicked: then
                // the queue is gone, and those who wait are told that it is broken.
                let _closed = closed.drop_guard();
                writer.run(queue);
            })?;
        Ok(Self {
            shared,
            requests,
            head,
        })
    }

    /// Stores a message; the answer comes after the sync.
    ///
    /// # Errors
    /// [`AppendFailed`].
    pub async fn append(&self, message: Message) -> Answer {
        let (sender, receiver) = oneshot::channel();
        match self.requests.try_send((message, sender)) {
            Ok(()) => receiver.await.unwrap_or(Err(AppendFailed::Broken)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(AppendFailed::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AppendFailed::Broken),
        }
    }

    /// At most `limit` messages after an offset, of one customer or of all.
    #[must_use]
    pub fn after(&self, offset: u64, limit: usize, customer: Option<u32>) -> Vec<Arc<Stored>> {
        let content = self
            .shared
            .content
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        content
            .messages
            .get(start..)
            .unwrap_or_default()
            .iter()
            .filter(|stored| customer.is_none_or(|id| stored.message.customer_id == id))
            .take(limit)
            .cloned()
            .collect()
    }

    /// The offset of the last message, to be watched.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<u64> {
        self.head.clone()
    }

    /// Counts.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let content = self
            .shared
            .content
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        content.stats.clone()
    }

    /// Whether messages can be stored.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let Shared {
            content: _,
            broken,
            closed,
        } = &*self.shared;
        !broken.is_cancelled() && !closed.is_cancelled()
    }

    /// Cancelled once the last handle is dropped and the file is closed.
    #[must_use]
    pub fn closed(&self) -> &CancellationToken {
        &self.shared.closed
    }

    /// Cancelled once the log can no longer be trusted.
    #[must_use]
    pub fn broken(&self) -> &CancellationToken {
        &self.shared.broken
    }
}

struct Writer {
    file: LogFile,
    ids: HashMap<String, u64>,
    shared: Arc<Shared>,
    head: watch::Sender<u64>,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH {
                let Ok(request) = queue.try_recv() else { break };
                batch.push(request);
            }
            if self.commit(batch).is_break() {
                return; // The queue closes; those who wait are told that the log is broken.
            }
        }
    }

    /// Writes what is new in the batch, then answers all of it.
    fn commit(&mut self, batch: Vec<Request>) -> std::ops::ControlFlow<()> {
        let first = self.ids.len() as u64 + 1;
        let mut new: Vec<Message> = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        for (message, sender) in batch {
            let answer = self.place(&mut new, message);
            answers.push((sender, answer));
        }
        let written = match frame::encode(first, &new) {
            _ if new.is_empty() => Ok(()),
            Ok(frame) => self.file.append(&frame),
            Err(failure) => Err(AppendError::Refused(failure)),
        };
        let duplicates = answers
            .iter()
            .filter(|(_, a)| {
                matches!(
                    a,
                    Ok(Appended {
                        duplicate: true,
                        ..
                    })
                )
            })
            .count();
        let failure = match written {
            Ok(()) => {
                self.count(&new, duplicates as u64);
                self.publish(new);
                None
            }
            Err(AppendError::Refused(cause)) => {
                error!(%cause, "cannot write");
                Some(AppendFailed::Full)
            }
            Err(AppendError::Broken(cause)) => {
                error!(%cause, "cannot sync");
                self.shared.broken.cancel();
                Some(AppendFailed::Broken)
            }
        };
        for (sender, answer) in answers {
            let unwritten = answer.is_ok_and(|appended| appended.offset >= first);
            let answer = failure.filter(|_| unwritten).map_or(answer, Err);
            // Who asked may have gone; the message is stored all the same.
            let _ = sender.send(answer);
        }
        match failure {
            Some(AppendFailed::Broken) => std::ops::ControlFlow::Break(()),
            Some(_) | None => std::ops::ControlFlow::Continue(()),
        }
    }

    /// The offset that a message has or will have once `new` is written.
    fn place(&self, new: &mut Vec<Message>, message: Message) -> Answer {
        let next = self.ids.len() as u64 + 1;
        let in_batch = new.iter().position(|other| other.id == message.id);
        let (offset, same) = if let Some(&offset) = self.ids.get(&message.id) {
            let content = self
                .shared
                .content
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let stored = content.messages.get(offset as usize - 1);
            (
                offset,
                stored.is_some_and(|stored| stored.message == message),
            )
        } else if let Some(index) = in_batch {
            (next + index as u64, new[index] == message)
        } else {
            new.push(message);
            return Ok(Appended {
                offset: next + new.len() as u64 - 1,
                duplicate: false,
            });
        };
        match same {
            true => Ok(Appended {
                offset,
                duplicate: true,
            }),
            false => Err(AppendFailed::Differs(offset)),
        }
    }

    fn count(&self, new: &[Message], duplicates: u64) {
        let mut content = self
            .shared
            .content
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let stats = &mut content.stats;
        stats.duplicates += duplicates;
        stats.commits += u64::from(!new.is_empty());
        stats.largest_commit = stats.largest_commit.max(new.len() as u64);
        stats.log_bytes = self.file.length();
    }

    fn publish(&mut self, new: Vec<Message>) {
        let mut content = self
            .shared
            .content
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for message in new {
            let offset = self.ids.len() as u64 + 1;
            self.ids.insert(message.id.clone(), offset);
            content.messages.push(Arc::new(Stored { offset, message }));
        }
        let last = self.ids.len() as u64;
        content.stats.messages = last;
        content.stats.last_offset = last;
        drop(content);
        self.head.send_replace(last);
    }
}
