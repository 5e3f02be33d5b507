//! What a store must be able to do. Methods are named noun first.

use async_trait::async_trait;
use consort_model::id::{RunId, SubscriptionId, TimerId};
use consort_model::revision::{Deployment, Revision, RevisionNumber};
use consort_model::run::{RunKind, RunStatus, RunSummary};
use consort_model::{Address, Digest, SecretHandle, StateEntry, Timestamp, Value};

use crate::{Appended, Batch, Envelope, Epoch, Sensitive, Seq, StoreError};

/// A run, as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// What lists show.
    pub summary: RunSummary,
    /// Its last record.
    pub last: Seq,
    /// The epoch of its last writer.
    pub epoch: Epoch,
}

/// Which runs a list is of. Newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunFilter {
    /// Of this deployment.
    pub deployment: Option<String>,
    /// Of this kind.
    pub kind: Option<RunKind>,
    /// Of this workflow, workload, job or service.
    pub subject: Option<Address>,
    /// In this status.
    pub status: Option<RunStatus>,
    /// Parts of this run.
    pub parent: Option<RunId>,
    /// Older than this run.
    pub before: Option<RunId>,
    /// At most so many; the store has a limit of its own.
    pub limit: Option<u32>,
}

/// A state to go on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The last record that is folded into it.
    pub upto: Seq,
    /// The form of the state.
    pub format: u16,
    /// The state.
    pub state: Value,
}

/// A timer that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Of which run.
    pub run: RunId,
    /// Which timer.
    pub timer: TimerId,
    /// When.
    pub due: Timestamp,
}

/// An event from outside, before it has a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The deployment's name.
    pub deployment: String,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`, unique in its source.
    pub id: String,
    /// CloudEvents `type`.
    pub event_type: String,
    /// The whole event in structured form.
    pub body: Value,
}

/// An event in the inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxEvent {
    /// Its place; rises over all deployments.
    pub offset: u64,
    /// When it was taken in.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It has a place and is durable.
    New(u64),
    /// It was taken in before, at this place.
    Duplicate(u64),
}

/// What a run listens for.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Which subscription.
    pub id: SubscriptionId,
    /// Of which run.
    pub run: RunId,
    /// The deployment's name.
    pub deployment: String,
    /// The exact type of event, if the filter names one.
    pub event_type: Option<String>,
    /// The filter.
    pub filter: Value,
    /// From which place of the inbox on.
    pub from: u64,
}

/// Something to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Receivers drop doubles by it.
    pub id: String,
    /// Of which run.
    pub run: RunId,
    /// Where to.
    pub sink: String,
    /// What.
    pub body: Value,
}

/// Told to watchers after a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A run has new records, up to this one.
    Run(RunId, Seq),
    /// The state of this deployment changed.
    State(String),
    /// The inbox has a new event at this place.
    Inbox(u64),
    /// A timer was set that is due then.
    Timer(Timestamp),
}

/// Called after a commit, from the writer's thread: must not block.
pub type Watcher = Box<dyn Fn(&Change) + Send + Sync>;

/// State, journal, inbox, timers, blobs and secrets. Answers to writes come after the commit.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The epoch of this owner; higher than that of any earlier one.
    fn epoch(&self) -> Epoch;
    /// Calls this after every commit.
    fn watch(&self, watcher: Watcher);

    /// Writes everything in the batch, or nothing.
    async fn append(&self, batch: Batch) -> Result<Appended, StoreError>;
    /// Takes an event in. The answer comes after the commit.
    async fn inbox_put(&self, event: Event, at: Timestamp) -> Result<Accepted, StoreError>;
    /// Keeps bytes. The same bytes are kept once.
    async fn blob_put(&self, bytes: Vec<u8>) -> Result<Digest, StoreError>;

    /// One run.
    async fn run_get(&self, run: RunId) -> Result<Option<RunRow>, StoreError>;
    /// The run that was begun under this key.
    async fn run_by_key(&self, key: &str) -> Result<Option<RunRow>, StoreError>;
    /// Runs, newest first.
    async fn run_list(&self, filter: RunFilter) -> Result<Vec<RunRow>, StoreError>;
    /// All runs that have not ended: what a new owner takes over.
    async fn run_open(&self) -> Result<Vec<RunRow>, StoreError>;
    /// Records after a place, in order.
    async fn run_records(
        &self,
        run: RunId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, Envelope)>, StoreError>;
    /// The newest snapshot.
    async fn run_snapshot(&self, run: RunId) -> Result<Option<Snapshot>, StoreError>;

    /// Timers that are due, in the order of `(due, run, timer)`.
    async fn timer_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Timer>, StoreError>;
    /// When the next timer is due.
    async fn timer_next(&self) -> Result<Option<Timestamp>, StoreError>;

    /// All deployments, by name.
    async fn deployment_list(&self) -> Result<Vec<Deployment>, StoreError>;
    /// One deployment.
    async fn deployment_get(&self, name: &str) -> Result<Option<Deployment>, StoreError>;
    /// Its recorded state, by address.
    async fn state_list(&self, deployment: &str) -> Result<Vec<StateEntry>, StoreError>;
    /// Its revisions, newest first.
    async fn revision_list(&self, deployment: &str) -> Result<Vec<Revision>, StoreError>;
    /// One revision.
    async fn revision_get(
        &self,
        deployment: &str,
        number: RevisionNumber,
    ) -> Result<Option<Revision>, StoreError>;

    /// Bytes by digest.
    async fn blob_get(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError>;
    /// The value of a secret. Every call is for one who needs it.
    async fn secret_get(
        &self,
        deployment: &str,
        handle: &SecretHandle,
    ) -> Result<Option<Sensitive>, StoreError>;
    /// The newest version of a secret; 0 if there is none.
    async fn secret_version(&self, deployment: &str, name: &str) -> Result<u32, StoreError>;

    /// Events after a place, in order.
    async fn inbox_read(&self, after: u64, limit: u32) -> Result<Vec<InboxEvent>, StoreError>;
    /// How far a consumer has read; 0 at first.
    async fn inbox_mark(&self, consumer: &str) -> Result<u64, StoreError>;
    /// Open subscriptions.
    async fn subscription_list(&self) -> Result<Vec<Subscription>, StoreError>;
    /// Entries that were not sent yet, oldest first.
    async fn outbox_list(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError>;

    /// One runtime fact.
    async fn runtime_get(&self, scope: &str, key: &str) -> Result<Option<Value>, StoreError>;
    /// All runtime facts of a scope, by key.
    async fn runtime_list(&self, scope: &str) -> Result<Vec<(String, Value)>, StoreError>;

    /// Deletes what retention allows: ended runs and revisions before a time, and blobs that nothing
    /// names any more. Works in slices; answers how many rows went.
    async fn retain(&self, ended_before: Timestamp) -> Result<u64, StoreError>;
    /// Writes a complete copy while the store is in use.
    async fn backup(&self, to: &std::path::Path) -> Result<(), StoreError>;
    /// Checks the store from end to end; what is found, in sentences.
    async fn verify(&self) -> Result<Vec<String>, StoreError>;
}
