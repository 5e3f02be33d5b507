//! Small things that the tests are made of.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use consort_journal::{
    Appended, Batch, Envelope, Epoch, NewRun, RunPart, Seq, StatusChange, Store, StoreError,
};
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::run::{RunKind, RunStatus};
use consort_model::{Digest, Timestamp, Value};
use consort_store::{Options, SqliteStore};
use tempfile::TempDir;

/// Light settings: no grace for blobs, a small reserve.
pub(crate) fn options() -> Options {
    Options {
        reserve: 0,
        blob_grace: Duration::ZERO,
        ..Options::default()
    }
}

pub(crate) fn open(dir: &Path) -> Arc<SqliteStore> {
    SqliteStore::open(dir, options()).unwrap()
}

/// A folder in memory where there is one: what a disk does is the matter of a few tests only, and
/// thousands of syncs would wait for everything else that it is doing.
pub(crate) fn folder() -> TempDir {
    match Path::new("/dev/shm").is_dir() {
        true => tempfile::tempdir_in("/dev/shm").unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

pub(crate) fn fresh() -> (TempDir, Arc<SqliteStore>) {
    let dir = folder();
    let store = open(&dir.path().join("home"));
    (dir, store)
}

/// The folder of the store of [`fresh`].
pub(crate) fn home(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("home")
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn run_id(n: u64) -> RunId {
    let mut bytes = [7; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    RunId::from_bytes(bytes)
}

pub(crate) fn batch() -> Batch {
    Batch::new(Principal("uid:7".into()), at(1000))
}

pub(crate) fn record(body: Value) -> Envelope {
    Envelope {
        v: 1,
        kind: "Value".into(),
        at: at(1000),
        body,
    }
}

/// A part with these records; begins the run if `expected` is 0.
pub(crate) fn part(n: u64, expected: u64, bodies: Vec<Value>) -> RunPart {
    let new = NewRun {
        id: run_id(n),
        kind: RunKind::Workflow,
        deployment: "shop".into(),
        subject: None,
        definition: Digest::of(b"definition"),
        parent: None,
        key: None,
        created: at(1),
    };
    RunPart {
        run: run_id(n),
        create: (expected == 0).then_some(new),
        epoch: Epoch(1),
        expected: Seq(expected),
        records: bodies.into_iter().map(record).collect(),
        status: None,
        snapshot: None,
    }
}

pub(crate) fn of(parts: impl IntoIterator<Item = RunPart>) -> Batch {
    Batch {
        runs: parts.into_iter().collect(),
        ..batch()
    }
}

pub(crate) fn ended(part: RunPart) -> RunPart {
    let status = Some(StatusChange {
        status: RunStatus::Completed,
        error: None,
    });
    RunPart { status, ..part }
}

pub(crate) async fn write(store: &SqliteStore, batch: Batch) -> Seq {
    match store.append(batch).await {
        Ok(Appended::Written(seq)) => seq,
        other => panic!("a batch in order was not written: {other:?}"),
    }
}

/// The last record of a run; 0 if there is no such run.
pub(crate) async fn last(store: &SqliteStore, n: u64) -> u64 {
    let row = store.run_get(run_id(n)).await.unwrap();
    row.map_or(0, |row| row.last.0)
}

pub(crate) fn is_corrupt<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Corrupt { .. }))
}

/// The database as a plain connection, for what only SQLite can tell.
pub(crate) fn raw(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join("state.db")).unwrap()
}
