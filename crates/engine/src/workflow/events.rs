//! Events: taken in durably, then taken to the workflows that they start and to the runs that listen.
//!
//! Each event starts a workflow at most once: the run's key is made of source and id. The place in
//! the inbox moves with the start, or after everything of a page is durable, so that nothing is lost
//! and a repetition finds what was done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use consort_journal::{Accepted, Batch, Event, InboxEvent, InboxMark, StartKey};
use consort_model::revision::Principal;
use consort_model::{Code, Digest, Problem, Value};
use consort_workflow::{Input, Matching, Schedule};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::begin::{Begin, begin};
use super::host::{Host, delivered, is_passing};
use super::registered::Registered;
use crate::clock;
use crate::control::CloudEvent;
use crate::engine::Engine;
use crate::evaluate::event_token;
use crate::tasks::TaskKind;

/// The name under which the place in the inbox is kept.
pub(super) const CONSUMER: &str = "workflows";
/// So many events are read at once.
const PAGE: u32 = 64;
/// So many starts and deliveries are under way at once.
const TOGETHER: usize = 32;
/// An event may be so long.
const LARGEST: usize = 1 << 20;
/// Should a notice be lost, the inbox is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The wait after something went wrong.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes an event in; answers after the commit whether it is new.
pub(super) async fn take(
    engine: &Arc<Engine>,
    deployment: &str,
    token: Option<&str>,
    event: CloudEvent,
) -> Result<bool, Problem> {
    engine.deployment(deployment).await?;
    if !is_token_of(engine, deployment, token).await? {
        let message = format!("the token is not that of deployment `{deployment}`");
        return Err(Problem::new(Code::UNAUTHORIZED, message));
    }
    let body = serde_json::to_value(&event).map_err(|error| {
        Problem::new(Code::REQUEST_INVALID, "the event cannot be kept").caused_by(&error)
    })?;
    let size = body.to_string().len();
    if size > LARGEST {
        let message = format!("the event has {size} bytes; at most {LARGEST} are taken");
        return Err(Problem::new(Code::REQUEST_TOO_LARGE, message));
    }
    let event = Event {
        deployment: deployment.to_owned(),
        source: event.source,
        id: event.id,
        event_type: event.event_type,
        body,
    };
    // The dispatchers hear of it from the store.
    drop(Host::of(engine));
    let accepted = engine.store.inbox_put(event, clock::now()).await?;
    Ok(matches!(accepted, Accepted::New(_)))
}

/// Is this the token of the deployment? Compares digests, so that the time tells nothing.
pub(super) async fn is_token_of(
    engine: &Engine,
    deployment: &str,
    token: Option<&str>,
) -> Result<bool, Problem> {
    let Some(given) = token else { return Ok(false) };
    let kept = engine.store.secret_get(deployment, &event_token()).await?;
    let Some(kept) = kept else { return Ok(false) };
    let (given, kept) = (
        Digest::of(given.as_bytes()),
        Digest::of(kept.reveal().as_bytes()),
    );
    let differing = given
        .as_bytes()
        .iter()
        .zip(kept.as_bytes())
        .fold(0, |all, (one, other)| all | (one ^ other));
    Ok(std::hint::black_box(differing) == 0)
}

/// Takes events to those who wait for them, in the order of the inbox.
pub(super) async fn dispatch(engine: Arc<Engine>, host: Arc<Host>, stop: CancellationToken) {
    loop {
        let moved = page(&engine, &host).await;
        let wait = match moved {
            Ok(true) => Duration::ZERO,
            Ok(false) => LOOK_EVERY,
            Err(problem) => {
                tracing::warn!(%problem, "events wait");
                PAUSE
            }
        };
        if wait.is_zero() && !stop.is_cancelled() {
            continue;
        }
        // Each arm is cancel-safe: a notice that came before is kept.
        tokio::select! {
            () = stop.cancelled() => return,
            () = host.inbox.notified(), if wait != PAUSE => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

type Job<'a> = BoxFuture<'a, Result<(), Problem>>;

/// Handles one page. Was there one?
async fn page(engine: &Arc<Engine>, host: &Arc<Host>) -> Result<bool, Problem> {
    let events = engine.store.inbox_read(host.position(), PAGE).await?;
    let Some(last) = events.last() else {
        return Ok(false);
    };
    let mark = InboxMark {
        consumer: CONSUMER.to_owned(),
        upto: last.offset,
    };
    let mut starts: Vec<(Arc<Registered>, &InboxEvent)> = Vec::new();
    let mut jobs: VecDeque<Job<'_>> = VecDeque::new();
    for event in &events {
        starts.extend(
            starting(engine, host, event)
                .await?
                .into_iter()
                .map(|workflow| (workflow, event)),
        );
        jobs.extend(listening(engine, host, event));
    }
    // One start and nothing else: the place moves in the same transaction.
    let alone = starts.len() == 1 && jobs.is_empty();
    for (workflow, event) in starts {
        let mark = alone.then(|| mark.clone());
        jobs.push_back(Box::pin(start(engine, host, workflow, event, mark)));
    }
    let results: Vec<Result<(), Problem>> = futures_util::stream::iter(jobs)
        .buffered(TOGETHER)
        .collect()
        .await;
    for problem in results.into_iter().filter_map(Result::err) {
        if is_passing(&problem) {
            return Err(problem);
        }
        tracing::error!(%problem, "an event could not be delivered");
    }
    let upto = mark.upto;
    if !alone {
        let mut batch = Batch::new(Principal::system(), clock::now());
        batch.inbox.push(mark);
        engine.store.append(batch).await?;
    }
    host.set_position(upto);
    Ok(true)
}

/// The workflows that an event starts.
async fn starting(
    engine: &Engine,
    host: &Host,
    event: &InboxEvent,
) -> Result<Vec<Arc<Registered>>, Problem> {
    let known = host.registered(engine, &event.event.deployment).await?;
    let is_meant = |workflow: &&Arc<Registered>| match workflow.definition.schedule() {
        Some(Schedule::On(filters)) => filters
            .iter()
            .any(|filter| filter.matches(&event.event.body) == Matching::Yes),
        Some(Schedule::Every(_) | Schedule::Cron(_) | Schedule::After(_)) | None => false,
    };
    Ok(known.usable().filter(is_meant).cloned().collect())
}

async fn start(
    engine: &Arc<Engine>,
    host: &Arc<Host>,
    workflow: Arc<Registered>,
    event: &InboxEvent,
    mark: Option<InboxMark>,
) -> Result<(), Problem> {
    let Event {
        deployment,
        source,
        id,
        body,
        ..
    } = &event.event;
    let identity = Digest::of(format!("{}\0{source}\0{id}", workflow.address).as_bytes());
    let key = StartKey {
        key: format!("event:{deployment}:{identity}"),
        digest: identity,
    };
    let begin_it = Begin::new(
        deployment,
        &workflow,
        input(&workflow, body),
        Principal::system(),
    )
    .key(key)
    .mark(mark.clone());
    let begun = begin(engine, host, begin_it).await;
    // The place must move also when the run was there, or cannot begin.
    let moved = matches!(&begun, Ok(begun) if !begun.existed);
    if let Some(mark) = mark.filter(|_| !moved)
        && !matches!(&begun, Err(problem) if is_passing(problem))
    {
        let mut batch = Batch::new(Principal::system(), clock::now());
        batch.inbox.push(mark);
        engine.store.append(batch).await?;
    }
    begun.map(|_| ())
}

/// The input of a run that an event starts: the events that started it, whole unless the document
/// asks for their data.
fn input(workflow: &Registered, event: &Value) -> Value {
    let read = workflow.definition.document().pointer("/schedule/read");
    let part = match read.and_then(Value::as_str) {
        Some("data") => event.get("data").cloned().unwrap_or_default(),
        _ => event.clone(),
    };
    Value::Array(vec![part])
}

/// Deliveries to the runs that listen, in order.
fn listening<'a>(engine: &Arc<Engine>, host: &Arc<Host>, event: &InboxEvent) -> Vec<Job<'a>> {
    let Event {
        deployment,
        event_type,
        body,
        ..
    } = &event.event;
    host.listeners
        .of(deployment, event_type, body)
        .into_iter()
        .map(|(subscription, run)| {
            let input = Input::Received {
                subscription,
                event: body.clone(),
            };
            let sent = host.send(engine, run, input);
            Box::pin(async move { delivered(sent.await) }) as Job<'a>
        })
        .collect()
}

/// Takes events to listeners that opened while those were being matched. What reaches a listener
/// twice is dropped by the run.
pub(super) fn catch_up(engine: &Arc<Engine>, host: &Arc<Host>, deployment: &str, after: u64) {
    let (engine, host) = (Arc::clone(engine), Arc::clone(host));
    let deployment = deployment.to_owned();
    let tasks = engine.tasks.clone();
    tasks.start(TaskKind::Dispatcher, async move {
        let mut after = after;
        while after < host.position() {
            let events = match engine.store.inbox_read(after, PAGE).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::error!(%error, "events of the last moment could not be read");
                    return;
                }
            };
            let Some(last) = events.last() else { return };
            after = last.offset;
            for event in events
                .iter()
                .filter(|event| event.event.deployment == deployment)
            {
                for job in listening(&engine, &host, event) {
                    if let Err(problem) = job.await {
                        tracing::error!(%problem, "an event could not be delivered");
                    }
                }
            }
        }
    });
}
