use std::sync::{Arc, Mutex};

use consort_journal::{Store, StoreError};
use consort_store::{Condition, Options, SqliteStore};

use crate::support::*;

/// Somebody who goes past the lock file and holds the database is the end: nobody gets an "ok", and
/// nothing is written any more.
#[tokio::test]
async fn after_a_fatal_error_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let on_fatal = Arc::new(move |error: &StoreError| sink.lock().unwrap().push(error.clone()));
    let store = SqliteStore::open(
        dir.path(),
        Options {
            on_fatal,
            ..options()
        },
    )
    .unwrap();
    write(&store, of([part(1, 0, vec![1.into()])])).await;
    let intruder = raw(dir.path());
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = store.append(of([part(1, 1, vec![2.into()])])).await;
    assert!(
        matches!(failed, Err(StoreError::Fatal { .. })),
        "{failed:?}"
    );
    intruder.execute_batch("ROLLBACK").unwrap();
    let later = store.append(of([part(1, 1, vec![2.into()])])).await;
    assert!(matches!(later, Err(StoreError::Fatal { .. })), "{later:?}");
    assert_eq!(store.condition(), Condition::Failed);
    assert_eq!(seen.lock().unwrap().len(), 1, "told once");
    assert_eq!(
        last(&store, 1).await,
        1,
        "what is durable can still be read"
    );
    drop(store);
    let store = open(dir.path());
    assert_eq!(write(&store, of([part(1, 1, vec![2.into()])])).await.0, 2);
}
