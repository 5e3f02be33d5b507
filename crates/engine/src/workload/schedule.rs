//! Starts workloads and jobs at their times.
//!
//! For each schedule the store keeps from when on its ticks count. A tick is (node, nominal time),
//! which is also the idempotency key of its run: a crash between the start and the note of it starts
//! nothing twice. Of several missed ticks only the last is made up for, and while a run of the same
//! node goes on its ticks wait, as if they had been missed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consort_journal::{Batch, Change, RunFilter, RuntimeChange};
use consort_model::revision::{Deployment, Principal};
use consort_model::{Address, Kind, Problem, Timestamp, Value};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::cron::Schedule;
use crate::clock;
use crate::control::StartRequest;
use crate::engine::Engine;

/// The scope of runtime facts under which it is kept from when on ticks count.
const SCOPE: &str = "schedule";
/// The longest sleep: the clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A tick that has to wait, or whose start failed for a reason that may pass, is looked at again
/// after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// Starts workloads and jobs at their times until told to stop.
pub(crate) async fn run_schedules(engine: Arc<Engine>, stop: CancellationToken) {
    let mut changes = engine.changes.subscribe();
    loop {
        let wait = match look(&engine).await {
            Ok(wait) => wait,
            Err(problem) => {
                tracing::warn!(%problem, "schedules cannot be looked at");
                AGAIN
            }
        };
        let sleep = tokio::time::sleep(wait);
        tokio::pin!(sleep);
        loop {
            // Cancel-safe: nothing is taken out but notices.
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut sleep => break,
                change = changes.recv() => match change {
                    Ok(Change::State(_)) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => break,
                    Ok(_) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }
}

/// One schedule of a node.
struct Entry {
    deployment: String,
    address: Address,
    /// Names this schedule, and none of an earlier deployment of the same name.
    key: String,
    cron: String,
    zone: String,
}

/// Fires what is due; how long until the next look.
async fn look(engine: &Arc<Engine>) -> Result<Duration, Problem> {
    let mut kept: BTreeMap<String, Value> = engine
        .store
        .runtime_list(SCOPE)
        .await?
        .into_iter()
        .collect();
    let mut wait = LOOK_EVERY;
    for deployment in engine.store.deployment_list().await? {
        for entry in entries(engine, &deployment).await? {
            let fact = kept.remove(&entry.key);
            match tick(engine, &entry, fact.as_ref()).await {
                Ok(next) => wait = wait.min(next),
                Err(problem) => {
                    tracing::warn!(node = %entry.address, deployment = entry.deployment, %problem, "a scheduled run cannot be started");
                    wait = wait.min(AGAIN);
                }
            }
        }
    }
    // What is left belongs to schedules that are gone.
    for key in kept.into_keys() {
        note(engine, key, None).await?;
    }
    Ok(wait)
}

async fn entries(engine: &Engine, deployment: &Deployment) -> Result<Vec<Entry>, Problem> {
    let state = engine.store.state_list(&deployment.name).await?;
    let mut found = Vec::new();
    for entry in state {
        if !matches!(entry.address.kind(), Kind::Workload | Kind::Job) {
            continue;
        }
        let triggers = entry
            .object
            .as_ref()
            .and_then(|object| object.desired.get("triggers"));
        for (cron, zone) in triggers.map(schedules).unwrap_or_default() {
            found.push(Entry {
                deployment: deployment.name.clone(),
                key: format!("{}/{}/{cron}/{zone}", deployment.id, entry.address),
                address: entry.address.clone(),
                cron,
                zone,
            });
        }
    }
    Ok(found)
}

/// The schedules in `triggers`: one, or a list of texts or of `{cron, time_zone}`.
fn schedules(triggers: &Value) -> Vec<(String, String)> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let zone = text(triggers.get("time_zone")).unwrap_or_else(|| "UTC".to_owned());
    let one = |item: &Value| {
        let cron = text(Some(item)).or_else(|| text(item.get("cron")))?;
        Some((
            cron,
            text(item.get("time_zone")).unwrap_or_else(|| zone.clone()),
        ))
    };
    match triggers.get("schedule") {
        Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
        Some(item) => one(item).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Fires one schedule if it is due; how long until it is next.
async fn tick(
    engine: &Arc<Engine>,
    entry: &Entry,
    fact: Option<&Value>,
) -> Result<Duration, Problem> {
    let schedule = match Schedule::parse(&entry.cron, &entry.zone) {
        Ok(schedule) => schedule,
        Err(why) => {
            tracing::warn!(node = %entry.address, why, "a schedule cannot be read");
            return Ok(LOOK_EVERY);
        }
    };
    let now = clock::now();
    let Some(after) = fact.and_then(Value::as_i64).map(Timestamp::from_millis) else {
        // New: its ticks count from now on.
        note(engine, entry.key.clone(), Some(now)).await?;
        return Ok(until(schedule.due(now, now).next, now));
    };
    let due = schedule.due(after, now);
    let Some(nominal) = due.fire else {
        return Ok(until(due.next, now));
    };
    if is_running(engine, entry).await? {
        return Ok(AGAIN);
    }
    let request = StartRequest {
        deployment: entry.deployment.clone(),
        address: entry.address.clone(),
        input: Value::Null,
        deadline: None,
        key: format!("schedule/{}/{nominal}", entry.key),
        estimate_only: false,
    };
    match engine.start_workload(request, Principal::system()).await {
        Ok(_) => {}
        Err(problem) if problem.code.as_str().starts_with("store/") => return Err(problem),
        // It would fail again: this tick is given up, and the next is tried.
        Err(problem) => {
            tracing::error!(node = %entry.address, deployment = entry.deployment, %nominal, %problem, "a scheduled run was given up");
        }
    }
    note(engine, entry.key.clone(), Some(nominal)).await?;
    Ok(until(due.next, now))
}

fn until(next: Option<Timestamp>, now: Timestamp) -> Duration {
    next.map_or(LOOK_EVERY, |next| {
        next.since(now)
            .to_std()
            .clamp(Duration::from_millis(10), LOOK_EVERY)
    })
}

async fn is_running(engine: &Engine, entry: &Entry) -> Result<bool, Problem> {
    let newest = engine.store.run_list(RunFilter {
        deployment: Some(entry.deployment.clone()),
        subject: Some(entry.address.clone()),
        limit: Some(1),
        ..RunFilter::default()
    });
    let newest = newest.await?;
    Ok(newest
        .first()
        .is_some_and(|row| !row.summary.status.is_ended()))
}

async fn note(engine: &Engine, key: String, after: Option<Timestamp>) -> Result<(), Problem> {
    let at = clock::now();
    let mut batch = Batch::new(Principal::system(), at);
    batch.runtime.push(RuntimeChange {
        scope: SCOPE.into(),
        key,
        value: after.map(|after| json!(after.millis())),
    });
    engine.store.append(batch).await?;
    Ok(())
}
