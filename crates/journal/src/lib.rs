//! Durable runs: what is recorded of them, the shape of the machines that decide, and what a store
//! must be able to do.
//!
//! A run is a pure machine plus its journal: `decide(state, event) -> (records, effects)`. Effects
//! start only after the batch that names them is durable. State and journal are written in one
//! transaction. See `docs/architecture.md`.

pub mod batch;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
pub mod machine;
#[cfg(feature = "conformance")]
pub mod memory;
pub mod record;
pub mod store;

pub use batch::{
    Appended, Batch, Blob, DeploymentChange, InboxMark, NewRun, NewSecret, OutboxEntry, RunPart,
    RuntimeChange, Sensitive, SnapshotPart, StartKey, StateChange, StatusChange,
    SubscriptionChange, TimerChange,
};
pub use error::StoreError;
pub use machine::{Decision, Machine};
pub use record::{Envelope, Epoch, Record, Seq};
pub use store::{
    Accepted, Change, Event, InboxEvent, OutboxRow, RunFilter, RunRow, Snapshot, Store,
    Subscription, Timer,
};
