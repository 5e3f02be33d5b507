//! What the workload asks of `crm`.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;
use tracing::warn;

use crate::client::{Client, ClientError, Reply};
use crate::crm::database::Assignment;
use crate::program::chain;

use super::history::History;

/// Attempts of one request; with the waits between them about a minute.
const ATTEMPTS: u32 = 15;
/// The waits: doubled from the first up to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Pages of histories, at most.
const PAGES: usize = 1000;

/// `crm`, with a token.
#[derive(Debug)]
pub struct Remote {
    url: String,
    token: String,
    client: Client,
}

#[derive(Deserialize)]
struct Page {
    customers: Vec<History>,
    next: Option<u32>,
}

impl Remote {
    /// `crm` at this base URL.
    #[must_use]
    pub fn new(url: String, token: String) -> Self {
        Self {
            url,
            token,
            client: Client::new(Duration::from_secs(30)),
        }
    }

    /// The histories of all customers until the end of the calibration period.
    ///
    /// # Errors
    /// [`ClientError`], where repeating did not help.
    pub async fn histories(&self) -> Result<Vec<History>, ClientError> {
        let mut all = Vec::new();
        let mut after = 0;
        for _ in 0..PAGES {
            let url = format!("{}/purchases/summary?after={after}", self.url);
            let page: Page = self
                .persist(|| self.client.get(&url, Some(&self.token)))
                .await?
                .json()?;
            all.extend(page.customers);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        Ok(all)
    }

    /// Publishes segments; repeating changes nothing.
    ///
    /// # Errors
    /// [`ClientError`], where repeating did not help.
    pub async fn publish(&self, segments: &[Assignment]) -> Result<(), ClientError> {
        let url = format!("{}/segments", self.url);
        let body = json!({"segments": segments});
        self.persist(|| {
            self.client
                .send_json(Method::PUT, &url, Some(&self.token), &body)
        })
        .await?;
        Ok(())
    }

    /// Repeats a request while repeating may help, a bounded number of times.
    async fn persist<F>(&self, request: impl Fn() -> F) -> Result<Reply, ClientError>
    where
        F: Future<Output = Result<Reply, ClientError>>,
    {
        let mut wait = BACK_OFF.0;
        for _ in 1..ATTEMPTS {
            match request().await.and_then(Reply::success) {
                Err(error) if error.retryable() => {
                    warn!(error = chain(&error), "trying again");
                    sleep(wait).await;
                    wait = (wait * 2).min(BACK_OFF.1);
                }
                result => return result,
            }
        }
        request().await.and_then(Reply::success)
    }
}
