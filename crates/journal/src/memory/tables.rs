//! What the store in memory holds.

use std::collections::BTreeMap;

use consort_model::id::{RunId, SubscriptionId, TimerId};
use consort_model::revision::{Deployment, Revision};
use consort_model::{Address, Digest, SecretHandle, StateEntry, Timestamp, Value};

use super::limits;
use crate::{
    Accepted, Batch, Change, Envelope, Event, InboxEvent, OutboxRow, RunRow, Sensitive, Seq,
    Snapshot, StartKey, StoreError, Subscription,
};

#[derive(Clone)]
pub(super) struct Run {
    /// The order in which runs were recorded.
    pub(super) number: u64,
    pub(super) row: RunRow,
    pub(super) key: Option<StartKey>,
}

#[derive(Clone)]
pub(super) struct Kept {
    pub(super) row: Deployment,
    pub(super) state: BTreeMap<Address, StateEntry>,
    pub(super) revisions: BTreeMap<u32, Revision>,
}

/// What a batch may change and a refusal must leave as it was: copied before each batch.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) keys: BTreeMap<String, RunId>,
    pub(super) recorded: u64,
    pub(super) snapshots: BTreeMap<RunId, Snapshot>,
    pub(super) timers: BTreeMap<(RunId, TimerId), Timestamp>,
    pub(super) deployments: BTreeMap<String, Kept>,
    pub(super) secrets: BTreeMap<(String, SecretHandle), Sensitive>,
    pub(super) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    pub(super) marks: BTreeMap<String, u64>,
    pub(super) outbox: BTreeMap<u64, OutboxRow>,
    pub(super) sent_out: u64,
    pub(super) runtime: BTreeMap<(String, String), Value>,
}

#[derive(Default)]
pub(super) struct Data {
    pub(super) tables: Tables,
    /// Only ever grows at the end, after everything else of a batch was accepted.
    pub(super) records: BTreeMap<RunId, Vec<Envelope>>,
    pub(super) blobs: BTreeMap<Digest, Vec<u8>>,
    pub(super) inbox: BTreeMap<u64, InboxEvent>,
    taken_in: u64,
    known_events: BTreeMap<(String, String, String), u64>,
}

pub(super) enum Outcome {
    Existing(RunId),
    Written(Seq, Vec<Change>),
}

impl Data {
    pub(super) fn append(&mut self, batch: Batch) -> Result<Outcome, StoreError> {
        limits::check(&batch)?;
        for blob in &batch.blobs {
            if Digest::of(&blob.bytes) != blob.digest {
                return Err(StoreError::Encoding {
                    problem: format!("blob {} has other bytes than its digest says", blob.digest),
                });
            }
        }
        let mut next = self.tables.clone();
        if let Some(run) = next.begun_before(&batch)? {
            return Ok(Outcome::Existing(run));
        }
        let (seq, changes) = next.apply(&batch)?;
        self.tables = next;
        for part in batch.runs {
            self.records
                .entry(part.run)
                .or_default()
                .extend(part.records);
        }
        for blob in batch.blobs {
            self.blobs.insert(blob.digest, blob.bytes);
        }
        Ok(Outcome::Written(seq, changes))
    }

    pub(super) fn inbox_put(
        &mut self,
        event: Event,
        at: Timestamp,
    ) -> Result<Accepted, StoreError> {
        limits::check_depth(&event.body)?;
        let key = (
            event.deployment.clone(),
            event.source.clone(),
            event.id.clone(),
        );
        if let Some(offset) = self.known_events.get(&key) {
            return Ok(Accepted::Duplicate(*offset));
        }
        self.taken_in += 1;
        let offset = self.taken_in;
        self.known_events.insert(key, offset);
        self.inbox.insert(offset, InboxEvent { offset, at, event });
        Ok(Accepted::New(offset))
    }

    pub(super) fn forget_event(&mut self, offset: u64) {
        if let Some(InboxEvent { event, .. }) = self.inbox.remove(&offset) {
            self.known_events
                .remove(&(event.deployment, event.source, event.id));
        }
    }
}
