//! A batch as the writer takes it: encoded, within limits, blobs checked, secrets sealed. All of it
//! is done by the caller, so that the writer's thread does SQL only.

use consort_journal::{
    Batch, Blob, DeploymentChange, InboxMark, NewRun, OutboxEntry, RunPart, RuntimeChange, Seq,
    StateChange, StatusChange, StoreError, SubscriptionChange, TimerChange,
};
use consort_model::Digest;
use consort_model::id::{RunId, SubscriptionId};

use crate::encode::{self, MAX_RECORD, MAX_TEXT, int, name, sum};
use crate::vault::Vault;

/// More records, changes or entries of one kind in one batch are refused.
const MAX_ENTRIES: usize = 10_000;

pub(crate) struct PreparedBatch {
    pub(crate) principal: String,
    pub(crate) at: i64,
    pub(crate) runs: Vec<PreparedRun>,
    pub(crate) timers: Vec<TimerChange>,
    pub(crate) state: Vec<(String, PreparedState)>,
    /// With the text and the sum of a revision.
    pub(crate) deployments: Vec<(DeploymentChange, String, i64)>,
    pub(crate) secrets: Vec<SealedSecret>,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) subscriptions: Vec<PreparedSubscription>,
    pub(crate) inbox: Vec<InboxMark>,
    /// With the text of the body.
    pub(crate) outbox: Vec<(OutboxEntry, String)>,
    pub(crate) sent: Vec<String>,
    /// With the text of the value.
    pub(crate) runtime: Vec<(RuntimeChange, String)>,
}

pub(crate) struct PreparedRun {
    pub(crate) run: RunId,
    pub(crate) create: Option<NewRun>,
    pub(crate) epoch: i64,
    pub(crate) expected: i64,
    pub(crate) records: Vec<PreparedRecord>,
    pub(crate) status: Option<StatusChange>,
    pub(crate) snapshot: Option<PreparedSnapshot>,
}

pub(crate) struct PreparedRecord {
    pub(crate) v: u16,
    pub(crate) kind: String,
    pub(crate) at: i64,
    pub(crate) body: String,
    pub(crate) sum: i64,
}

pub(crate) struct PreparedSnapshot {
    pub(crate) format: u16,
    pub(crate) state: String,
    pub(crate) sum: i64,
}

pub(crate) enum PreparedState {
    Put {
        address: String,
        generation: i64,
        body: String,
        sum: i64,
    },
    Remove(String),
}

pub(crate) struct SealedSecret {
    pub(crate) deployment: String,
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) sealed: Vec<u8>,
}

pub(crate) enum PreparedSubscription {
    Open {
        id: SubscriptionId,
        run: RunId,
        deployment: String,
        event_type: Option<String>,
        filter: String,
        from: i64,
    },
    Close(SubscriptionId),
}

/// The sum of a record's row.
pub(crate) fn record_sum(run: &RunId, seq: i64, v: u16, kind: &str, at: i64, body: &str) -> i64 {
    sum(&[
        run.as_bytes(),
        &seq.to_le_bytes(),
        &v.to_le_bytes(),
        kind.as_bytes(),
        &at.to_le_bytes(),
        body.as_bytes(),
    ])
}

/// The sum of a snapshot's row.
pub(crate) fn snapshot_sum(run: &RunId, upto: i64, format: u16, state: &str) -> i64 {
    let place = [upto.to_le_bytes(), i64::from(format).to_le_bytes()].concat();
    sum(&[run.as_bytes(), &place, state.as_bytes()])
}

impl PreparedBatch {
    pub(crate) fn new(batch: Batch, vault: &Vault) -> Result<Self, StoreError> {
        check_counts(&batch)?;
        let each = |blob: &Blob| match Digest::of(&blob.bytes) == blob.digest {
            true => Ok(()),
            false => Err(StoreError::Encoding {
                problem: format!("blob {} has other bytes than its digest says", blob.digest),
            }),
        };
        batch.blobs.iter().try_for_each(each)?;
        let secrets = seal(&batch, vault)?;
        Ok(Self {
            principal: name("the principal", &batch.principal.0)?.to_owned(),
            at: batch.at.millis(),
            runs: all(batch.runs, run)?,
            timers: batch.timers,
            state: all(batch.state, state)?,
            deployments: all(batch.deployments, deployment)?,
            secrets,
            blobs: batch.blobs,
            subscriptions: all(batch.subscriptions, subscription)?,
            inbox: batch.inbox,
            outbox: all(batch.outbox, outbox)?,
            sent: batch.sent,
            runtime: all(batch.runtime, runtime)?,
        })
    }

    /// About how many bytes it brings.
    pub(crate) fn size(&self) -> usize {
        let texts: usize = self.texts().map(str::len).sum();
        let blobs: usize = self.blobs.iter().map(|blob| blob.bytes.len()).sum();
        texts + blobs + 64 * self.timers.len()
    }

    /// Does it begin something? Then it is refused while the disk is full.
    pub(crate) fn begins(&self) -> bool {
        self.runs.iter().any(|part| part.create.is_some())
    }

    /// Every text that may name a blob.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let records = self.runs.iter().flat_map(|part| &part.records);
        let snapshots = self.runs.iter().filter_map(|part| part.snapshot.as_ref());
        let state = self.state.iter().filter_map(|(_, change)| match change {
            PreparedState::Put { body, .. } => Some(body.as_str()),
            PreparedState::Remove(_) => None,
        });
        let filters = self.subscriptions.iter().filter_map(|change| match change {
            PreparedSubscription::Open { filter, .. } => Some(filter.as_str()),
            PreparedSubscription::Close(_) => None,
        });
        records
            .map(|record| record.body.as_str())
            .chain(snapshots.map(|snapshot| snapshot.state.as_str()))
            .chain(state)
            .chain(self.deployments.iter().map(|(_, text, _)| text.as_str()))
            .chain(filters)
            .chain(self.outbox.iter().map(|(_, text)| text.as_str()))
            .chain(self.runtime.iter().map(|(_, text)| text.as_str()))
    }
}

fn all<A, B>(
    items: Vec<A>,
    each: impl Fn(A) -> Result<B, StoreError>,
) -> Result<Vec<B>, StoreError> {
    items.into_iter().map(each).collect()
}

fn check_counts(batch: &Batch) -> Result<(), StoreError> {
    let records = batch.runs.iter().map(|part| part.records.len()).sum();
    let counts = [
        records,
        batch.runs.len(),
        batch.timers.len(),
        batch.state.len(),
        batch.deployments.len(),
        batch.secrets.len(),
        batch.blobs.len(),
        batch.subscriptions.len(),
        batch.inbox.len(),
        batch.outbox.len(),
        batch.sent.len(),
        batch.runtime.len(),
    ];
    match counts.into_iter().max() {
        Some(most) if most > MAX_ENTRIES => Err(StoreError::Encoding {
            problem: format!("a batch has {most} entries of one kind, the limit is {MAX_ENTRIES}"),
        }),
        _ => Ok(()),
    }
}

fn seal(batch: &Batch, vault: &Vault) -> Result<Vec<SealedSecret>, StoreError> {
    let each = |secret: &consort_journal::NewSecret| {
        let handle = &secret.handle;
        Ok(SealedSecret {
            deployment: name("the name of a deployment", &secret.deployment)?.to_owned(),
            name: name("the name of a secret", &handle.name)?.to_owned(),
            version: handle.version,
            sealed: vault.seal(&secret.deployment, handle, &secret.value)?,
        })
    };
    batch.secrets.iter().map(each).collect()
}

fn run(part: RunPart) -> Result<PreparedRun, StoreError> {
    let RunPart {
        run,
        create,
        epoch,
        expected,
        records,
        status,
        snapshot,
    } = part;
    let first = int("a place", expected.0)?;
    let last = int("a place", expected.0.saturating_add(records.len() as u64))?;
    let mut prepared = Vec::with_capacity(records.len());
    for (seq, record) in (first..last).map(|before| before + 1).zip(records) {
        let kind = name("the kind of a record", &record.kind)?.to_owned();
        let body = encode::text("a record", &record.body, MAX_RECORD)?;
        let at = record.at.millis();
        let sum = record_sum(&run, seq, record.v, &kind, at, &body);
        prepared.push(PreparedRecord {
            v: record.v,
            kind,
            at,
            body,
            sum,
        });
    }
    if let Some(new) = &create {
        name("the name of a deployment", &new.deployment)?;
        let key = new.key.as_ref().map(|key| key.key.as_str());
        name("an idempotency key", key.unwrap_or_default())?;
    }
    let snapshot = snapshot
        .map(|snapshot| -> Result<_, StoreError> {
            let state = encode::text("a snapshot", &snapshot.state, MAX_TEXT)?;
            let sum = snapshot_sum(&run, last, snapshot.format, &state);
            Ok(PreparedSnapshot {
                format: snapshot.format,
                state,
                sum,
            })
        })
        .transpose()?;
    Ok(PreparedRun {
        run,
        create,
        epoch: int("an epoch", epoch.0)?,
        expected: first,
        records: prepared,
        status,
        snapshot,
    })
}

fn state(change: (String, StateChange)) -> Result<(String, PreparedState), StoreError> {
    let (deployment, change) = change;
    let change = match change {
        StateChange::Remove(address) => PreparedState::Remove(address.to_string()),
        StateChange::Put(entry) => {
            let body = encode::text("the state of a node", &entry, MAX_TEXT)?;
            PreparedState::Put {
                address: name("an address", &entry.address.to_string())?.to_owned(),
                generation: int("a generation", entry.generation.0)?,
                sum: sum(&[body.as_bytes()]),
                body,
            }
        }
    };
    Ok((deployment, change))
}

fn deployment(change: DeploymentChange) -> Result<(DeploymentChange, String, i64), StoreError> {
    let text = match &change {
        DeploymentChange::Revise { revision, .. } => {
            encode::text("a revision", revision, MAX_TEXT)?
        }
        DeploymentChange::Create { name: called, .. } => {
            name("the name of a deployment", called)?;
            String::new()
        }
        _ => String::new(),
    };
    let sum = sum(&[text.as_bytes()]);
    Ok((change, text, sum))
}

fn subscription(change: SubscriptionChange) -> Result<PreparedSubscription, StoreError> {
    match change {
        SubscriptionChange::Close { id } => Ok(PreparedSubscription::Close(id)),
        SubscriptionChange::Open {
            id,
            run,
            deployment,
            event_type,
            filter,
            from,
        } => {
            name("a type of event", event_type.as_deref().unwrap_or_default())?;
            Ok(PreparedSubscription::Open {
                id,
                run,
                deployment,
                event_type,
                filter: encode::text("a filter", &filter, MAX_RECORD)?,
                from: int("a place in the inbox", from)?,
            })
        }
    }
}

fn outbox(entry: OutboxEntry) -> Result<(OutboxEntry, String), StoreError> {
    name("an id in the outbox", &entry.id)?;
    name("a sink", &entry.sink)?;
    let text = encode::text("an entry of the outbox", &entry.body, MAX_RECORD)?;
    Ok((entry, text))
}

fn runtime(change: RuntimeChange) -> Result<(RuntimeChange, String), StoreError> {
    name("a scope", &change.scope)?;
    name("a key", &change.key)?;
    let text = match &change.value {
        Some(value) => encode::text("a runtime fact", value, MAX_RECORD)?,
        None => String::new(),
    };
    Ok((change, text))
}

/// The last record of a run after a batch, as callers count.
pub(crate) fn seq(last: i64) -> Seq {
    Seq(encode::count(last))
}
