//! A subscription that is resumed where it broke.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::program::{Failure, chain};
use crate::sse::{Event, Parser};

/// How long the beginning of an answer is waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The hub sends a comment every 15 seconds; who says nothing for longer is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(40);
/// The wait before a stream is resumed.
const PAUSE: Duration = Duration::from_millis(100);

/// A subscription.
pub struct Subscription {
    url: String,
    last: Option<String>,
    client: Client<HttpConnector, Empty<Bytes>>,
    stream: Option<(Incoming, Parser)>,
    ready: Vec<Event>,
    /// How often the stream began.
    pub connects: u64,
}

impl Subscription {
    /// A subscription to this URL, not connected yet.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self {
            url,
            last: None,
            client: Client::builder(TokioExecutor::new()).build_http(),
            stream: None,
            ready: Vec::new(),
            connects: 0,
        }
    }

    /// Connects, as often as it takes.
    pub async fn connect(&mut self) {
        while self.stream.is_none() {
            if let Err(error) = self.try_connect().await {
                warn!(error = chain(error.as_ref()), "cannot subscribe");
                sleep(PAUSE).await;
            }
        }
    }

    async fn try_connect(&mut self) -> Result<(), Failure> {
        let mut request = Request::get(&self.url).header(header::ACCEPT, "text/event-stream");
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Empty::new())?;
        let response = timeout(ANSWER_LIMIT, self.client.request(request)).await??;
        if !response.status().is_success() {
            return Err(format!("the hub answered {}", response.status()).into());
        }
        self.connects += 1;
        info!(last = self.last, "subscribed");
        self.stream = Some((response.into_body(), Parser::default()));
        Ok(())
    }

    /// The next event. Cancel-safe: what has arrived is kept.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready.pop() {
                self.last = Some(event.id.clone());
                return event;
            }
            self.connect().await;
            if let Err(reason) = self.read().await {
                info!(reason = chain(reason.as_ref()), "the stream ended");
                self.stream = None;
                sleep(PAUSE).await;
            }
        }
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let Some((body, parser)) = &mut self.stream else {
            return Ok(());
        };
        let frame = timeout(SILENCE_LIMIT, body.frame())
            .await?
            .ok_or("by the hub")??;
        if let Some(bytes) = frame.data_ref() {
            self.ready = parser.feed(bytes)?;
            self.ready.reverse();
        }
        Ok(())
    }
}
