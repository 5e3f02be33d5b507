//! Waiting for the next change of a service's instances.

use std::path::PathBuf;
use std::time::Duration;

use consort_driver::{Context, DriverError, InstanceStatus};
use consort_model::Address;
use consort_shim::protocol::{Event, Request};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{InstanceRecord, list, look, status};
use crate::error;
use crate::layout::Layout;
use crate::runtime::Runtime;

/// What no shim tells (a lost shim, a folder that another server removed) is looked for so often.
const LOOK: Duration = Duration::from_secs(2);
/// A status with all its texts is far shorter.
const LINE: u64 = 4 << 20;

pub(super) async fn wait(
    runtime: &Runtime,
    context: &Context,
    service: &Address,
    seen: &[InstanceStatus],
    limit: Duration,
) -> Result<Vec<InstanceStatus>, DriverError> {
    let give_up = Instant::now() + limit;
    // Subscribed before the look, so that no change falls between.
    let mut told = runtime.changed.subscribe();
    loop {
        told.mark_unchanged();
        let now = look::all(runtime, context, Some(service)).await?;
        if now != seen || Instant::now() >= give_up {
            return Ok(now);
        }
        let mut watchers = watch_all(context, service, &now).await?;
        let until = give_up.min(Instant::now() + LOOK);
        // All arms are cancel-safe: what was missed is seen by the next look.
        tokio::select! {
            _ = told.changed() => {}
            Some(_) = watchers.join_next(), if !watchers.is_empty() => {}
            () = sleep_until(until) => {}
        }
    }
}

/// One task per instance that ends when its shim tells of a change. They end with the set.
async fn watch_all(
    context: &Context,
    service: &Address,
    now: &[InstanceStatus],
) -> Result<JoinSet<()>, DriverError> {
    let (layout, node) = (Layout::of(context)?, service.node());
    let records = error::blocking(move || list(&layout, Some(&node))).await??;
    let mut watchers = JoinSet::new();
    for (_, record) in records {
        let known = now.iter().find(|status| status.id == record.id);
        if let Some(known) = known.filter(|status| status.phase.may_run()) {
            watchers.spawn(differs(record, known.clone()));
        }
    }
    Ok(watchers)
}

/// Ends when the shim says something else than what is known, or nothing any more.
async fn differs(record: InstanceRecord, known: InstanceStatus) {
    let Ok(mut events) = subscribe(&record.control).await else {
        // Nobody to listen to: the regular look finds out.
        return std::future::pending().await;
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut events).take(LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if let Ok(Event::State(now)) = serde_json::from_slice(&line)
            && status::alive(&record, &now) != known
        {
            return;
        }
    }
}

/// A stream of events from a shim.
async fn subscribe(control: &PathBuf) -> std::io::Result<BufReader<UnixStream>> {
    let mut stream = UnixStream::connect(control).await?;
    let mut request = serde_json::to_vec(&Request::Watch)?;
    request.push(b'\n');
    stream.write_all(&request).await?;
    Ok(BufReader::new(stream))
}

/// Waits until a shim says that its instance is over, its connection ends, or the time has passed.
pub(crate) async fn until_over(control: &PathBuf, give_up: Instant) {
    let Ok(mut events) = subscribe(control).await else {
        return;
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        match timeout_at(
            give_up,
            (&mut events).take(LINE).read_until(b'\n', &mut line),
        )
        .await
        {
            Ok(Ok(0) | Err(_)) | Err(_) => return,
            Ok(Ok(_)) => {}
        }
        if let Ok(Event::State(now)) = serde_json::from_slice::<Event>(&line)
            && now.state.is_over()
        {
            return;
        }
    }
}
