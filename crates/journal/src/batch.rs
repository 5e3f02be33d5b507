//! What is written at once: everything in a batch becomes durable together, or nothing does.

use std::fmt;

use consort_model::blueprint::TargetKind;
use consort_model::id::{DeploymentId, RunId, SubscriptionId, TimerId};
use consort_model::revision::{Principal, Revision};
use consort_model::run::{RunKind, RunStatus};
use consort_model::{Address, Digest, SecretHandle, StateEntry, Timestamp, Value};
use serde::{Deserialize, Serialize};

use crate::{Envelope, Epoch, Seq};

/// A text that must not be shown. `Debug` is masked; the memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitive(String);

impl Sensitive {
    /// Takes a text into care.
    pub const fn new(text: String) -> Self {
        Self(text)
    }
    /// The text. Call it where the text is needed, and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive(…)")
    }
}

impl Drop for Sensitive {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // The compiler must not drop a store that nobody reads.
        std::hint::black_box(&bytes);
    }
}

/// An idempotency key: the same key with the same digest finds the run that it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartKey {
    /// Unique in the home.
    pub key: String,
    /// Of the request.
    pub digest: Digest,
}

/// A run that begins.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// What it carries out.
    pub kind: RunKind,
    /// The deployment's name.
    pub deployment: String,
    /// The workflow, workload, job or service, if it is of one.
    pub subject: Option<Address>,
    /// The digest of the definition, which is a blob.
    pub definition: Digest,
    /// The run that it is a part of.
    pub parent: Option<RunId>,
    /// Finds the run again.
    pub key: Option<StartKey>,
    /// When.
    pub created: Timestamp,
}

/// A change of how a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// How it stands now.
    pub status: RunStatus,
    /// Why it ended with an error.
    pub error: Option<String>,
}

/// The snapshot that comes with a batch: the state after all of its records.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotPart {
    /// The form of the state.
    pub format: u16,
    /// The state.
    pub state: Value,
}

/// What a batch appends to one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPart {
    /// Which run.
    pub run: RunId,
    /// The run begins with this batch; `expected` is 0 then.
    pub create: Option<NewRun>,
    /// The epoch of the writer.
    pub epoch: Epoch,
    /// The last record that the writer knows.
    pub expected: Seq,
    /// The records.
    pub records: Vec<Envelope>,
    /// How the run stands after it; unchanged if `None`.
    pub status: Option<StatusChange>,
    /// The state after it.
    pub snapshot: Option<SnapshotPart>,
}

/// A change of the timers of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimerChange {
    /// Fires at a time.
    Set {
        /// Of which run.
        run: RunId,
        /// Which timer.
        timer: TimerId,
        /// When; absolute.
        due: Timestamp,
    },
    /// It has fired or is not needed any more.
    Clear {
        /// Of which run.
        run: RunId,
        /// Which timer.
        timer: TimerId,
    },
}

/// A change of the recorded state of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum StateChange {
    /// The entry as it is now. Its generation must be the recorded one's next.
    Put(Box<StateEntry>),
    /// The node is gone.
    Remove(Address),
}

/// A change of the deployment itself.
#[derive(Debug, Clone, PartialEq)]
pub enum DeploymentChange {
    /// It begins. If one of this name exists, nothing happens.
    Create {
        /// Its id.
        id: DeploymentId,
        /// Its name.
        name: String,
        /// Its target.
        target: TargetKind,
        /// When.
        created: Timestamp,
    },
    /// This run changes it from now on; refused while another one does.
    Lock {
        /// Its name.
        name: String,
        /// Which run.
        run: RunId,
    },
    /// This run does not change it any more. Without effect if another run holds it.
    Unlock {
        /// Its name.
        name: String,
        /// Which run.
        run: RunId,
    },
    /// A revision was reached; it becomes the newest one.
    Revise {
        /// Its name.
        name: String,
        /// The revision; its number must be the newest one's next.
        revision: Box<Revision>,
    },
    /// It is gone, with its revisions and secrets. Refused while state is recorded.
    Remove {
        /// Its name.
        name: String,
    },
}

/// A new version of a secret; sealed in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSecret {
    /// The deployment's name.
    pub deployment: String,
    /// What it is, and which version.
    pub handle: SecretHandle,
    /// The value.
    pub value: Sensitive,
}

/// Bytes by their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Blob {
    /// Takes bytes and computes their digest.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            digest: Digest::of(&bytes),
            bytes,
        }
    }
}

/// A change of what runs listen for.
#[derive(Debug, Clone, PartialEq)]
pub enum SubscriptionChange {
    /// A run listens from now on.
    Open {
        /// Which subscription.
        id: SubscriptionId,
        /// Of which run.
        run: RunId,
        /// The deployment's name.
        deployment: String,
        /// The type of event, if the filter names one exactly: the index of the matcher.
        event_type: Option<String>,
        /// The filter, as the machine wrote it.
        filter: Value,
        /// From which place of the inbox on.
        from: u64,
    },
    /// It does not listen any more.
    Close {
        /// Which subscription.
        id: SubscriptionId,
    },
}

/// How far a consumer has read the inbox; moves only forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxMark {
    /// Who reads.
    pub consumer: String,
    /// The last place that was handled.
    pub upto: u64,
}

/// Something to be sent after the commit, at least once, with a fixed id.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEntry {
    /// Receivers drop doubles by it.
    pub id: String,
    /// Of which run.
    pub run: RunId,
    /// Where to.
    pub sink: String,
    /// What.
    pub body: Value,
}

/// Runtime facts of a driver or the engine: address leases, desired replicas, instance slots. Not
/// part of plans and revisions.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeChange {
    /// Whose: `process/addresses/shop`.
    pub scope: String,
    /// Which.
    pub key: String,
    /// The value; `None` removes it.
    pub value: Option<Value>,
}

/// Everything that is written at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Who asked: on every record.
    pub principal: Principal,
    /// When it was decided.
    pub at: Timestamp,
    /// The runs that it appends to, the writer's own first; children that begin with it follow.
    pub runs: Vec<RunPart>,
    /// Timers.
    pub timers: Vec<TimerChange>,
    /// State: the deployment's name and the change.
    pub state: Vec<(String, StateChange)>,
    /// Deployments.
    pub deployments: Vec<DeploymentChange>,
    /// Secrets.
    pub secrets: Vec<NewSecret>,
    /// Blobs that the records name.
    pub blobs: Vec<Blob>,
    /// Listeners.
    pub subscriptions: Vec<SubscriptionChange>,
    /// Places in the inbox.
    pub inbox: Vec<InboxMark>,
    /// To be sent.
    pub outbox: Vec<OutboxEntry>,
    /// Ids of the outbox that were sent.
    pub sent: Vec<String>,
    /// Runtime facts.
    pub runtime: Vec<RuntimeChange>,
}

impl Batch {
    /// An empty batch.
    pub const fn new(principal: Principal, at: Timestamp) -> Self {
        Self {
            principal,
            at,
            runs: Vec::new(),
            timers: Vec::new(),
            state: Vec::new(),
            deployments: Vec::new(),
            secrets: Vec::new(),
            blobs: Vec::new(),
            subscriptions: Vec::new(),
            inbox: Vec::new(),
            outbox: Vec::new(),
            sent: Vec::new(),
            runtime: Vec::new(),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is durable. The last record of its first run, if it has one.
    Written(Seq),
    /// Its first run was begun before, under the same key: nothing was written.
    Existing(RunId),
}
