//! Sends what runs have emitted: at least once, under a fixed id, so receivers can drop doubles.
//! Events go to the inbox of their deployment, which drops doubles itself.

use std::sync::Arc;
use std::time::Duration;

use consort_journal::{Batch, Event, OutboxRow};
use consort_model::revision::Principal;
use consort_model::{Code, Problem, Value};
use tokio_util::sync::CancellationToken;

use super::enrich::INBOX;
use super::host::Host;
use crate::clock;
use crate::engine::Engine;

const PAGE: u32 = 100;
const LOOK_EVERY: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// Sends what is in the outbox.
pub(super) async fn dispatch(engine: Arc<Engine>, host: Arc<Host>, stop: CancellationToken) {
    loop {
        let wait = match send(&engine).await {
            Ok(0) => LOOK_EVERY,
            Ok(_) => Duration::ZERO,
            Err(problem) => {
                tracing::warn!(%problem, "events wait to be sent");
                PAUSE
            }
        };
        // Each arm is cancel-safe: a notice that came before is kept.
        tokio::select! {
            () = stop.cancelled() => return,
            () = host.outbox.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Sends one page; how many went.
async fn send(engine: &Engine) -> Result<usize, Problem> {
    let rows = engine.store.outbox_list(PAGE).await?;
    let mut batch = Batch::new(Principal::system(), clock::now());
    for row in rows {
        match event(&row) {
            Some(event) => {
                engine.store.inbox_put(event, clock::now()).await?;
            }
            None => {
                let problem = Problem::new(Code::STORE_CORRUPT, "what is to be sent is no event");
                tracing::error!(run = %row.run, sink = %row.sink, %problem, "it is left out");
            }
        }
        batch.sent.push(row.id);
    }
    let sent = batch.sent.len();
    if sent > 0 {
        engine.store.append(batch).await?;
    }
    Ok(sent)
}

fn event(row: &OutboxRow) -> Option<Event> {
    let deployment = row.sink.strip_prefix(INBOX)?;
    let text = |name: &str| row.body.get(name).and_then(Value::as_str);
    Some(Event {
        deployment: deployment.to_owned(),
        source: text("source")?.to_owned(),
        id: text("id")?.to_owned(),
        event_type: text("type")?.to_owned(),
        body: row.body.clone(),
    })
}
