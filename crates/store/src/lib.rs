//! State and journal in one SQLite file, for the one server of a home.
//!
//! - One thread writes. It takes what waits in its queue, gives each batch a savepoint of its own,
//!   and commits them together: one sync for all, and an answer only after it (`writer`).
//! - Before a batch gets there it is encoded, checked and sealed by the caller (`prepared`); the
//!   thread does SQL only (`apply`).
//! - A few threads read, each on a connection that cannot write (`readers`, `read`).
//! - A failed sync is never tried again: the process stops and recovers from the file.
//!
//! A home's folder holds `state.db` (with `-wal` and `-shm`), `lock`, `key`, `reserve`, and `blobs/`
//! for large blobs. Facts and reasons: `docs/operations.md`.

mod apply;
mod blobs;
mod connection;
mod encode;
mod error;
mod home;
mod migration;
mod options;
mod prepared;
mod read;
mod readers;
mod sqlite;
mod upkeep;
mod vault;
mod writer;

pub use options::{EXIT_FATAL, FatalHook, Options};
pub use sqlite::SqliteStore;
pub use upkeep::restore::restore;
pub use writer::Condition;
