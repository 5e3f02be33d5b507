//! What can go wrong with a store.

use consort_model::id::RunId;
use consort_model::{Code, Digest, Problem};

use crate::{Epoch, Seq};

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A newer owner has taken the run over. Drop its state; write nothing more.
    #[error("run {run} belongs to epoch {current}; this writer has {given}")]
    Fenced {
        /// Which run.
        run: RunId,
        /// The epoch of the store.
        current: Epoch,
        /// The epoch of the writer.
        given: Epoch,
    },
    /// The writer's view of the run is not the store's.
    #[error("run {run} is at record {current}, the writer expected {expected}")]
    OutOfOrder {
        /// Which run.
        run: RunId,
        /// The last record of the store.
        current: Seq,
        /// The last record that the writer knows.
        expected: Seq,
    },
    /// The same idempotency key was used with another request.
    #[error("the key `{key}` was used for another request (digest {existing:?}, now {given:?})")]
    KeyConflict {
        /// The key.
        key: String,
        /// The digest of the first request.
        existing: Digest,
        /// The digest of this one.
        given: Digest,
    },
    /// Another run is changing the deployment.
    #[error("run {run} is changing deployment `{deployment}`")]
    Busy {
        /// Which deployment.
        deployment: String,
        /// Which run.
        run: RunId,
    },
    /// Something that was named is not there.
    #[error("there is no {what} `{name}`")]
    Missing {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// No space left: nothing of the batch was written.
    #[error("the disk is full")]
    Full,
    /// The queue of the writer is full.
    #[error("the writer has too much to do")]
    QueueFull,
    /// Another process holds the store.
    #[error("the store `{path}` is held by process {holder}")]
    Locked {
        /// The file.
        path: String,
        /// The process, as far as known.
        holder: String,
    },
    /// The store was written by a newer version.
    #[error("the store has schema {found}; this version knows up to {known}")]
    Newer {
        /// Found in the file.
        found: u32,
        /// Known to this binary.
        known: u32,
    },
    /// Something in the store cannot be trusted.
    #[error("the store is damaged: {what}")]
    Corrupt {
        /// What, and where.
        what: String,
    },
    /// A record of a kind or form that this machine does not know.
    #[error("record `{kind}` cannot be read: {problem}")]
    UnknownRecord {
        /// Its kind.
        kind: String,
        /// Why.
        problem: String,
    },
    /// A value could not be encoded.
    #[error("a record cannot be written: {problem}")]
    Encoding {
        /// Why.
        problem: String,
    },
    /// The commit failed in a way after which nothing can be trusted: the process must stop.
    #[error("the store failed at a commit: {problem}")]
    Fatal {
        /// What the store said.
        problem: String,
    },
    /// Anything else that the store said.
    #[error("the store could not {doing}: {problem}")]
    Failed {
        /// What it was doing.
        doing: &'static str,
        /// What it said.
        problem: String,
    },
}

impl StoreError {
    /// The code of the problem, for people and programs.
    pub const fn code(&self) -> Code {
        match self {
            Self::Fenced { .. } | Self::OutOfOrder { .. } => Code::JOURNAL_FENCED,
            Self::KeyConflict { .. } => Code::REQUEST_CONFLICT,
            Self::Busy { .. } => Code::RUN_BUSY,
            Self::Missing { .. } => Code::NODE_UNKNOWN,
            Self::Full => Code::STORE_FULL,
            Self::QueueFull => Code::QUEUE_FULL,
            Self::Locked { .. } => Code::STORE_LOCKED,
            Self::Newer { .. } => Code::STORE_NEWER,
            Self::Corrupt { .. } | Self::UnknownRecord { .. } => Code::STORE_CORRUPT,
            Self::Encoding { .. } => Code::INTERNAL,
            Self::Fatal { .. } | Self::Failed { .. } => Code::STORE_FAILED,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
