//! What the records of a batch mean for the rest of the store: timers, listeners, events to be sent,
//! how the run stands.

use consort_journal::{Batch, OutboxEntry, StatusChange, SubscriptionChange, TimerChange};
use consort_model::id::{RunId, SubscriptionId, TimerId};
use consort_model::run::RunStatus;
use consort_workflow::{Ended, EventFilter, Fault, Record};

/// The sink of events that go to the deployment's own inbox.
pub(super) const INBOX: &str = "inbox:";

/// Where a run is, as far as its batches need it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) run: RunId,
    pub(super) deployment: String,
    /// The place of the inbox up to which events have been handled.
    pub(super) position: u64,
    /// How the run stood before.
    pub(super) status: RunStatus,
    /// This timer has fired, whatever the run makes of it.
    pub(super) fired: Option<TimerId>,
}

/// What has to be done once the batch is durable.
#[derive(Default)]
pub(super) struct Committed {
    /// Was there a batch at all?
    pub(super) written: bool,
    pub(super) opened: Vec<(SubscriptionId, EventFilter)>,
    pub(super) closed: Vec<SubscriptionId>,
    pub(super) emitted: bool,
    pub(super) status: Option<RunStatus>,
    pub(super) ended: Option<Ended>,
}

/// Adds to the batch what its records mean. `active`: effects are open after it.
pub(super) fn enrich(
    place: &Place,
    records: &[Record],
    active: bool,
    batch: &mut Batch,
) -> Committed {
    let mut done = Committed {
        written: true,
        ..Committed::default()
    };
    let run = place.run;
    if let Some(timer) = place.fired {
        batch.timers.push(TimerChange::Clear { run, timer });
    }
    for record in records {
        one(place, record, batch, &mut done);
    }
    let status = match &done.ended {
        Some(ended) => ended.status,
        None => standing(place.status, records, active),
    };
    if status != place.status {
        let error = done
            .ended
            .as_ref()
            .and_then(|ended| ended.error.as_ref())
            .map(sentence);
        batch.runs[0].status = Some(StatusChange { status, error });
        done.status = Some(status);
    }
    done
}

fn one(place: &Place, record: &Record, batch: &mut Batch, done: &mut Committed) {
    let run = place.run;
    match record {
        Record::TimerSet { timer, due, .. } => batch.timers.push(TimerChange::Set {
            run,
            timer: *timer,
            due: *due,
        }),
        Record::TimerFired { timer } | Record::TimerCancelled { timer } => {
            batch.timers.push(TimerChange::Clear { run, timer: *timer });
        }
        Record::SubOpened { sub, filter, .. } => {
            batch.subscriptions.push(SubscriptionChange::Open {
                id: *sub,
                run,
                deployment: place.deployment.clone(),
                event_type: filter.event_type().map(str::to_owned),
                filter: filter.0.clone(),
                from: place.position,
            });
            done.opened.push((*sub, filter.clone()));
        }
        Record::SubClosed { sub } => {
            batch
                .subscriptions
                .push(SubscriptionChange::Close { id: *sub });
            done.opened.retain(|(opened, _)| opened != sub);
            done.closed.push(*sub);
        }
        Record::Emitted { id, event, .. } => {
            batch.outbox.push(OutboxEntry {
                id: format!("{run}/{id}"),
                run,
                sink: format!("{INBOX}{}", place.deployment),
                body: event.clone(),
            });
            done.emitted = true;
        }
        Record::RunEnded {
            status,
            output,
            error,
        } => {
            done.ended = Some(Ended {
                status: *status,
                output: output.clone(),
                error: error.clone(),
            });
        }
        // All the others concern the run alone.
        _ => {}
    }
}

fn standing(before: RunStatus, records: &[Record], active: bool) -> RunStatus {
    let suspended = records
        .iter()
        .rev()
        .find_map(|record| match record {
            Record::Suspended { .. } => Some(true),
            Record::Resumed { .. } => Some(false),
            _ => None,
        })
        .unwrap_or(before == RunStatus::Suspended);
    match (suspended, active) {
        (true, _) => RunStatus::Suspended,
        (false, true) => RunStatus::Running,
        (false, false) => RunStatus::Waiting,
    }
}

/// A fault as one line.
pub(super) fn sentence(fault: &Fault) -> String {
    let what = fault
        .detail
        .as_deref()
        .or(fault.title.as_deref())
        .unwrap_or(&fault.kind);
    let text = match &fault.instance {
        Some(instance) => format!("{instance}: {what}"),
        None => what.to_owned(),
    };
    consort_model::secret::masked(&text)
}
