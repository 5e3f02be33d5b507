//! The events of one subscriber: from its offset on, without gaps or repetitions.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::program::chain;

use super::follow::Source;
use super::window::{Line, Since, Window};

/// Messages taken at one time.
const PAGE: usize = 500;
/// How soon a browser reconnects when the stream ends.
const RECONNECT: Duration = Duration::from_millis(200);

/// Where a subscriber begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After this offset.
    After(u64),
    /// With so many of the last messages.
    Last(u64),
}

/// A subscriber. The stream ends when `stop` is cancelled; it then goes on at
/// another replica, as the browser says the last id that it saw.
pub struct Subscriber {
    /// What the hub holds in memory.
    pub window: Arc<Window>,
    /// Where older messages are.
    pub source: Source,
    /// Ends the stream.
    pub stop: CancellationToken,
    /// Only messages of this customer, if one is named.
    pub customer: Option<u32>,
    /// Counts against the number of subscribers.
    pub permit: OwnedSemaphorePermit,
}

struct State {
    subscriber: Subscriber,
    head: watch::Receiver<Option<u64>>,
    start: Option<Start>,
    cursor: u64,
    pending: VecDeque<Line>,
}

/// The events of a subscriber.
pub fn events(
    subscriber: Subscriber,
    start: Start,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let state = State {
        head: subscriber.window.head(),
        subscriber,
        start: Some(start),
        cursor: 0,
        pending: VecDeque::new(),
    };
    stream::unfold(state, |mut state| async move {
        let event = state.next().await?;
        Some((Ok(event), state))
    })
}

impl State {
    async fn next(&mut self) -> Option<Event> {
        if let Some(start) = self.start.take() {
            // The first bytes tell the browser that it is connected.
            self.cursor = self.begin(start).await?;
            return Some(Event::default().retry(RECONNECT).comment("subscribed"));
        }
        loop {
            if self.subscriber.stop.is_cancelled() {
                return None;
            }
            let Some(line) = self.pending.pop_front() else {
                self.fill().await;
                continue;
            };
            self.cursor = line.offset;
            if self
                .subscriber
                .customer
                .is_none_or(|id| id == line.customer)
            {
                return Some(Event::default().id(line.offset.to_string()).data(line.json));
            }
        }
    }

    /// The cursor to begin with, once the mailbox was reached.
    async fn begin(&mut self, start: Start) -> Option<u64> {
        let known = self.head.wait_for(Option::is_some);
        // Both arms only look.
        let head = tokio::select! {
            head = known => (*head.ok()?)?,
            () = self.subscriber.stop.cancelled() => return None,
        };
        Some(match start {
            Start::After(offset) => offset,
            Start::Last(count) => head.saturating_sub(count),
        })
    }

    /// Gets more lines, or returns after a change or a pause.
    async fn fill(&mut self) {
        self.head.mark_unchanged();
        match self.subscriber.window.since(self.cursor, PAGE) {
            Since::Lines(lines) => self.pending.extend(lines),
            // Both arms only look.
            Since::Nothing => tokio::select! {
                _ = self.head.changed() => {}
                () = self.subscriber.stop.cancelled() => {}
            },
            Since::TooOld => self.fill_from_mailbox().await,
        }
    }

    async fn fill_from_mailbox(&mut self) {
        let page = self.subscriber.source.page(self.cursor, PAGE, 0);
        // The page is asked for again if it is dropped.
        let page = tokio::select! {
            page = page => page,
            () = self.subscriber.stop.cancelled() => return,
        };
        match page {
            Ok(page) => self.pending.extend(page.lines()),
            Err(error) => warn!(error = chain(&error), "cannot read older messages"),
        }
        if self.pending.is_empty() {
            // Neither an answer nor a message: do not ask in a tight loop.
            tokio::select! {
                () = sleep(Duration::from_millis(250)) => {}
                () = self.subscriber.stop.cancelled() => {}
            }
        }
    }
}
