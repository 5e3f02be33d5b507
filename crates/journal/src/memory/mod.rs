//! A store in memory, for simulations and for tests of what is above a store. It keeps the same
//! rules as the real ones (the conformance suite holds it to them), loses everything with the
//! process, and can be told to fail.

mod apply;
mod garbage;
mod limits;
mod query;
mod tables;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use consort_model::id::RunId;
use consort_model::revision::{Deployment, Revision, RevisionNumber};
use consort_model::{Digest, SecretHandle, StateEntry, Timestamp, Value};

use crate::store::Watcher;
use crate::{
    Accepted, Appended, Batch, Blob, Change, Envelope, Epoch, Event, InboxEvent, OutboxRow,
    RunFilter, RunRow, Sensitive, Seq, Snapshot, Store, StoreError, Subscription, Timer,
};
use tables::{Data, Outcome};

/// How the next append goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written; the writer is told so.
    Refused(StoreError),
    /// Everything is written, but the writer is told this: the answer got lost.
    AnswerLost(StoreError),
}

/// A store in memory.
pub struct MemoryStore {
    epoch: Epoch,
    shared: Arc<Mutex<Data>>,
    faults: Mutex<VecDeque<Fault>>,
    watchers: Mutex<Vec<Arc<Watcher>>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store; its first owner has epoch 1.
    pub fn new() -> Self {
        Self::over(Epoch(1), Arc::new(Mutex::new(Data::default())))
    }

    fn over(epoch: Epoch, shared: Arc<Mutex<Data>>) -> Self {
        Self {
            epoch,
            shared,
            faults: Mutex::default(),
            watchers: Mutex::default(),
        }
    }

    /// The same data under the next owner, as after a restart. The earlier owner still works, but
    /// is fenced from every run that the new one has written to.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self::over(Epoch(self.epoch.0 + 1), Arc::clone(&self.shared))
    }

    /// Lets the next append that has no fault yet go wrong.
    pub fn fail_next(&self, fault: Fault) {
        hold(&self.faults).push_back(fault);
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        hold(&self.shared)
    }

    fn tell(&self, changes: &[Change]) {
        let watchers = hold(&self.watchers).clone();
        for change in changes {
            watchers.iter().for_each(|watcher| watcher(change));
        }
    }

    fn write(&self, batch: Batch) -> Result<Appended, StoreError> {
        let outcome = self.data().append(batch)?;
        match outcome {
            Outcome::Existing(run) => Ok(Appended::Existing(run)),
            Outcome::Written(seq, changes) => {
                self.tell(&changes);
                Ok(Appended::Written(seq))
            }
        }
    }
}

/// The data is whole after a panic too: every change is made on a copy and then put in place.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Store for MemoryStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }
    fn watch(&self, watcher: Watcher) {
        hold(&self.watchers).push(Arc::new(watcher));
    }

    async fn append(&self, batch: Batch) -> Result<Appended, StoreError> {
        let fault = hold(&self.faults).pop_front();
        match fault {
            None => self.write(batch),
            Some(Fault::Refused(error)) => Err(error),
            Some(Fault::AnswerLost(error)) => self.write(batch).and(Err(error)),
        }
    }
    async fn inbox_put(&self, event: Event, at: Timestamp) -> Result<Accepted, StoreError> {
        let accepted = self.data().inbox_put(event, at)?;
        if let Accepted::New(offset) = accepted {
            self.tell(&[Change::Inbox(offset)]);
        }
        Ok(accepted)
    }
    async fn blob_put(&self, bytes: Vec<u8>) -> Result<Digest, StoreError> {
        let blob = Blob::new(bytes);
        self.data().blobs.insert(blob.digest, blob.bytes);
        Ok(blob.digest)
    }

    async fn run_get(&self, run: RunId) -> Result<Option<RunRow>, StoreError> {
        Ok(self.data().tables.runs.get(&run).map(|run| run.row.clone()))
    }
    async fn run_by_key(&self, key: &str) -> Result<Option<RunRow>, StoreError> {
        Ok(self
            .data()
            .tables
            .run_by_key(key)
            .map(|run| run.row.clone()))
    }
    async fn run_list(&self, filter: RunFilter) -> Result<Vec<RunRow>, StoreError> {
        self.data().tables.run_list(&filter)
    }
    async fn run_open(&self) -> Result<Vec<RunRow>, StoreError> {
        Ok(self.data().tables.run_open())
    }
    async fn run_records(
        &self,
        run: RunId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, Envelope)>, StoreError> {
        Ok(self.data().run_records(run, after, limit))
    }
    async fn run_snapshot(&self, run: RunId) -> Result<Option<Snapshot>, StoreError> {
        Ok(self.data().tables.snapshots.get(&run).cloned())
    }

    async fn timer_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Timer>, StoreError> {
        Ok(self.data().tables.timer_due(now, limit))
    }
    async fn timer_next(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.data().tables.timers.values().min().copied())
    }

    async fn deployment_list(&self) -> Result<Vec<Deployment>, StoreError> {
        let data = self.data();
        Ok(data
            .tables
            .deployments
            .values()
            .map(|kept| kept.row.clone())
            .collect())
    }
    async fn deployment_get(&self, name: &str) -> Result<Option<Deployment>, StoreError> {
        let data = self.data();
        Ok(data
            .tables
            .deployments
            .get(name)
            .map(|kept| kept.row.clone()))
    }
    async fn state_list(&self, deployment: &str) -> Result<Vec<StateEntry>, StoreError> {
        Ok(self.data().tables.state_list(deployment))
    }
    async fn revision_list(&self, deployment: &str) -> Result<Vec<Revision>, StoreError> {
        Ok(self.data().tables.revision_list(deployment))
    }
    async fn revision_get(
        &self,
        deployment: &str,
        number: RevisionNumber,
    ) -> Result<Option<Revision>, StoreError> {
        let data = self.data();
        let kept = data.tables.deployments.get(deployment);
        Ok(kept.and_then(|kept| kept.revisions.get(&number.0).cloned()))
    }

    async fn blob_get(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.data().blobs.get(&digest).cloned())
    }
    async fn secret_get(
        &self,
        deployment: &str,
        handle: &SecretHandle,
    ) -> Result<Option<Sensitive>, StoreError> {
        let key = (deployment.to_owned(), handle.clone());
        Ok(self.data().tables.secrets.get(&key).cloned())
    }
    async fn secret_version(&self, deployment: &str, name: &str) -> Result<u32, StoreError> {
        Ok(self.data().tables.secret_version(deployment, name))
    }

    async fn inbox_read(&self, after: u64, limit: u32) -> Result<Vec<InboxEvent>, StoreError> {
        Ok(self.data().inbox_read(after, limit))
    }
    async fn inbox_mark(&self, consumer: &str) -> Result<u64, StoreError> {
        Ok(self.data().tables.marks.get(consumer).copied().unwrap_or(0))
    }
    async fn subscription_list(&self) -> Result<Vec<Subscription>, StoreError> {
        Ok(self.data().tables.subscriptions.values().cloned().collect())
    }
    async fn outbox_list(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(self.data().tables.outbox_list(limit))
    }

    async fn runtime_get(&self, scope: &str, key: &str) -> Result<Option<Value>, StoreError> {
        let key = (scope.to_owned(), key.to_owned());
        Ok(self.data().tables.runtime.get(&key).cloned())
    }
    async fn runtime_list(&self, scope: &str) -> Result<Vec<(String, Value)>, StoreError> {
        Ok(self.data().tables.runtime_list(scope))
    }

    async fn retain(&self, ended_before: Timestamp) -> Result<u64, StoreError> {
        Ok(self.data().retain(ended_before))
    }
    async fn backup(&self, _to: &Path) -> Result<(), StoreError> {
        Err(StoreError::Failed {
            doing: "write a backup",
            problem: "a store in memory has no files".into(),
        })
    }
    async fn verify(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.data().verify())
    }
}
