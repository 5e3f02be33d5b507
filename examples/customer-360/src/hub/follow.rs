//! Following the mailbox by long polls.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::client::{Client, ClientError};
use crate::mailbox::message::Stored;
use crate::program::chain;

use super::window::{Line, Window};

/// Seconds that one poll waits at the mailbox.
const WAIT: u32 = 20;
/// How long an answer is waited for; longer than a poll.
const ANSWER_LIMIT: Duration = Duration::from_secs(25);
/// The waits after failures: doubled from the first up to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The mailbox, as the hub asks it.
#[derive(Debug, Clone)]
pub struct Source {
    url: String,
    client: Client,
}

/// A page of messages.
#[derive(Debug, Deserialize)]
pub struct Page {
    messages: Vec<Stored>,
    /// The offset of the last message of all.
    pub head: u64,
}

impl Page {
    /// The messages, ready to be sent.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        // What came as JSON can be written as JSON.
        self.messages
            .iter()
            .filter_map(|stored| Line::new(stored).ok())
    }
}

impl Source {
    /// The mailbox at this base URL.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self {
            url,
            client: Client::new(ANSWER_LIMIT),
        }
    }

    /// Messages after an offset, at most `limit`, waiting for the first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn page(&self, after: u64, limit: usize, wait: u32) -> Result<Page, ClientError> {
        let url = format!(
            "{}/messages?after={after}&limit={limit}&wait={wait}",
            self.url
        );
        self.client.get(&url, None).await?.success()?.json()
    }
}

/// Keeps the window up to date until `stop` is cancelled.
///
/// A mailbox that is away is asked again with back-off: streams stay open meanwhile.
pub async fn follow(source: &Source, window: &Window, stop: &CancellationToken) {
    let mut wait = BACK_OFF.0;
    let mut at = None;
    loop {
        let step = step(source, window, at);
        // Cancel-safe: the offset is kept outside, and the mailbox keeps the messages.
        let result = tokio::select! {
            result = step => result,
            () = stop.cancelled() => return,
        };
        match result {
            Ok(offset) => {
                if at.is_none() {
                    info!(offset, "reached the mailbox");
                }
                at = Some(offset);
                wait = BACK_OFF.0;
            }
            Err(error) => {
                warn!(error = chain(&error), "the mailbox does not answer");
                // Cancel-safe, as above.
                tokio::select! {
                    () = sleep(wait) => {}
                    () = stop.cancelled() => return,
                }
                wait = (wait * 2).min(BACK_OFF.1);
            }
        }
    }
}

async fn step(source: &Source, window: &Window, at: Option<u64>) -> Result<u64, ClientError> {
    let Some(at) = at else {
        let head = source.page(u64::MAX, 1, 0).await?.head;
        window.begin(head);
        return Ok(head);
    };
    let page = source.page(at, 1000, WAIT).await?;
    if page.head < at {
        // Another mailbox answers, with a log of its own: begin where it is.
        warn!(before = at, now = page.head, "the mailbox was replaced");
        window.begin(page.head);
        return Ok(page.head);
    }
    let lines: Vec<Line> = page.lines().collect();
    let last = lines.last().map_or(at, |line| line.offset);
    window.extend(lines);
    Ok(last)
}
