//! The feed: one CloudEvent per order, in order, each repeated with the same
//! content until it is accepted.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use serde::Serialize;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::client::Client;
use crate::program::chain;

use super::book::Book;
use super::progress::Progress;

/// How long an answer is waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The waits between repetitions: doubled from the first up to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Where events go.
#[derive(Debug, Clone)]
pub struct Sink {
    url: String,
    token: Option<String>,
    client: Client,
}

impl Sink {
    /// A sink at this URL, with a bearer token if the URL does not hold one.
    #[must_use]
    pub fn new(url: &str, token: Option<String>) -> Self {
        Self {
            url: url.to_owned(),
            token,
            client: Client::new(ANSWER_LIMIT),
        }
    }

    /// Posts an event; anything but 202 is a failure.
    async fn post(&self, event: Bytes) -> Result<(), String> {
        let headers = [(
            header::CONTENT_TYPE,
            "application/cloudevents+json; charset=utf-8",
        )];
        let reply = self.client.send(
            Method::POST,
            &self.url,
            &headers,
            self.token.as_deref(),
            event,
        );
        match reply.await.map_err(|error| chain(&error))?.success() {
            Ok(reply) if reply.status.as_u16() == 202 => Ok(()),
            Ok(reply) => Err(format!("the sink answered {}, not 202", reply.status)),
            Err(error) => Err(chain(&error)),
        }
    }
}

/// The state of the feed, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Orders that there are.
    pub total: u32,
    #[serde(flatten)]
    /// How far the replay has come.
    pub progress: Progress,
    /// Id of the last event that was accepted.
    pub last: Option<String>,
    /// Whether all that was asked for is accepted.
    pub idle: bool,
    /// Why the event under way was not accepted yet.
    pub last_error: Option<String>,
}

/// Replays orders up to a target that may be raised.
#[derive(Debug)]
pub struct Feed {
    book: Arc<Book>,
    sink: Option<Sink>,
    path: PathBuf,
    state: Mutex<State>,
    raised: Notify,
}

#[derive(Debug)]
struct State {
    progress: Progress,
    last_error: Option<String>,
}

/// A rate that the feed can keep, if this is one.
#[must_use]
pub fn valid_rate(rate: f64) -> Option<f64> {
    (0.01..=10_000.0).contains(&rate).then_some(rate)
}

/// The id of the event of an order: the same each time.
#[must_use]
pub fn event_id(order: u32) -> String {
    format!("order-{order}")
}

impl Feed {
    /// A feed that goes on from `progress`, kept at `path`.
    #[must_use]
    pub fn new(book: Arc<Book>, sink: Option<Sink>, path: PathBuf, progress: Progress) -> Self {
        let state = Mutex::new(State {
            progress,
            last_error: None,
        });
        Self {
            book,
            sink,
            path,
            state,
            raised: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is somewhere to send events.
    #[must_use]
    pub fn has_sink(&self) -> bool {
        self.sink.is_some()
    }

    /// The number of orders placed so far.
    #[must_use]
    pub fn placed(&self) -> u32 {
        self.state().progress.placed
    }

    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = self.state();
        let progress = state.progress.clone();
        Status {
            total: self.book.len(),
            last: (progress.acknowledged > 0).then(|| event_id(progress.acknowledged)),
            idle: progress.acknowledged >= progress.target,
            last_error: state.last_error.clone(),
            progress,
        }
    }

    /// Asks for all orders up to a number, at a rate. A lower number changes nothing.
    pub async fn raise(&self, choose: impl FnOnce(u32) -> u32, rate: Option<f64>) -> Status {
        self.change(|progress| {
            progress.target = choose(progress.target).clamp(progress.target, self.book.len());
            progress.rate = rate;
        })
        .await;
        self.raised.notify_one();
        self.status()
    }

    /// Changes the progress and makes that durable. Where that fails, the change
    /// holds in memory: a restart would repeat events, which is harmless.
    async fn change(&self, edit: impl FnOnce(&mut Progress)) {
        let progress = {
            let mut state = self.state();
            edit(&mut state.progress);
            state.progress.clone()
        };
        let path = self.path.clone();
        let saved = tokio::task::spawn_blocking(move || progress.save(&path)).await;
        let failure = match saved {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => chain(&failure),
            Err(failure) => chain(&failure),
        };
        warn!(failure, "progress is in memory only");
    }

    /// Sends what is asked for until `stop` is cancelled.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut slot = Instant::now();
        loop {
            // Cancel-safe: what was placed and not acknowledged is sent after a restart.
            tokio::select! {
                () = self.step(&mut slot) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn step(&self, slot: &mut Instant) {
        let progress = self.state().progress.clone();
        let order = progress.acknowledged + 1;
        let (Some(sink), true) = (&self.sink, order <= progress.target) else {
            self.raised.notified().await;
            *slot = Instant::now();
            return;
        };
        if let Some(rate) = progress.rate {
            sleep_until(*slot).await;
            // What was late is not made up for: the rate is an upper bound.
            *slot = (*slot).max(Instant::now() - Duration::from_millis(100))
                + Duration::from_secs_f64(1.0 / rate);
        }
        if progress.placed < order {
            let now = jiff::Timestamp::now();
            self.change(|progress| {
                progress.placed = order;
                progress.placed_at = Some(format!("{now:.6}"));
            })
            .await;
        }
        let Some(event) = self.event(order) else {
            return self.raised.notified().await;
        };
        self.deliver(sink, order, event).await;
    }

    async fn deliver(&self, sink: &Sink, order: u32, event: Bytes) {
        let mut wait = BACK_OFF.0;
        while let Err(error) = sink.post(event.clone()).await {
            {
                let mut state = self.state();
                state.progress.sent += 1;
                state.progress.retries += 1;
                state.last_error = Some(error.clone());
            }
            warn!(
                event = event_id(order),
                error,
                wait_ms = wait.as_millis() as u64,
                "not accepted"
            );
            sleep(wait).await;
            wait = (wait * 2).min(BACK_OFF.1);
        }
        self.state().last_error = None;
        self.change(|progress| {
            progress.sent += 1;
            progress.acknowledged = order;
        })
        .await;
        info!(event = event_id(order), "accepted");
    }

    fn event(&self, order: u32) -> Option<Bytes> {
        let customer = self.book.get(order)?.customer;
        let event = json!({
            "specversion": "1.0",
            "id": event_id(order),
            "source": "/orders",
            "type": "shop.purchase",
            "subject": format!("customers/{customer}"),
            "time": self.state().progress.placed_at,
            "datacontenttype": "application/json",
            "data": {"order_id": order, "customer_id": customer},
        });
        Some(Bytes::from(event.to_string()))
    }
}
