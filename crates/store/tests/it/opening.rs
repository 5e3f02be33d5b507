use std::fs;
use std::os::unix::fs::PermissionsExt;

use consort_journal::{Epoch, Store, StoreError};
use consort_store::{Condition, Options, SqliteStore};

use crate::support::*;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn everything_is_private() {
    let (dir, store) = fresh();
    write(&store, of([part(1, 0, vec![1.into()])])).await;
    store.blob_put(vec![1; 2 << 20]).await.unwrap();
    let home = home(&dir);
    assert_eq!(mode(&home), 0o700);
    for name in ["state.db", "state.db-wal", "state.db-shm", "lock", "key"] {
        assert_eq!(mode(&home.join(name)), 0o600, "{name}");
    }
    let digest = consort_model::Digest::of(&vec![1; 2 << 20]).to_string();
    let file = home.join("blobs").join(&digest[..2]).join(&digest[2..]);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
}

#[tokio::test]
async fn a_store_is_there_again_with_a_higher_epoch() {
    let (dir, store) = fresh();
    assert_eq!(
        (store.epoch(), store.condition()),
        (Epoch(1), Condition::Good)
    );
    write(&store, of([part(1, 0, vec![1.into(), 2.into()])])).await;
    drop(store);
    let store = open(&home(&dir));
    assert_eq!(store.epoch(), Epoch(2));
    assert_eq!(last(&store, 1).await, 2);
    assert_eq!(write(&store, of([part(1, 2, vec![3.into()])])).await.0, 3);
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_who_holds_it() {
    let (dir, store) = fresh();
    match SqliteStore::open(&home(&dir), options()) {
        Err(StoreError::Locked { holder, .. }) => {
            assert_eq!(holder, std::process::id().to_string());
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
    drop(store);
    open(&home(&dir));
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_was() {
    let (dir, store) = fresh();
    drop(store);
    raw(&home(&dir))
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = fs::read(home(&dir).join("state.db")).unwrap();
    let refused = SqliteStore::open(&home(&dir), options()).map(|_| ());
    assert_eq!(
        refused,
        Err(StoreError::Newer {
            found: 99,
            known: 1
        })
    );
    let after = fs::read(home(&dir).join("state.db")).unwrap();
    assert!(after == before, "nothing was written");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path())
        .execute_batch("CREATE TABLE other (x)")
        .unwrap();
    let refused = SqliteStore::open(dir.path(), options()).map(|_| ());
    assert!(is_corrupt(&refused), "{refused:?}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state.db"), vec![b'x'; 5000]).unwrap();
    let refused = SqliteStore::open(dir.path(), options()).map(|_| ());
    assert!(is_corrupt(&refused), "{refused:?}");
}

#[test]
fn the_file_says_what_it_is_and_how_it_is_kept() {
    let (dir, store) = fresh();
    let conn = raw(&home(&dir));
    let number = |name: &str| -> i64 {
        conn.pragma_query_value(None, name, |row| row.get(0))
            .unwrap()
    };
    assert_eq!(number("application_id"), 0x434E_5354);
    assert_eq!(number("user_version"), 1);
    assert_eq!(number("auto_vacuum"), 2, "incremental");
    let mode: String = conn
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    drop(store);
}

#[test]
fn the_reserve_takes_up_its_space() {
    let dir = tempfile::tempdir().unwrap();
    let reserve = 1 << 20;
    let store = SqliteStore::open(
        dir.path(),
        Options {
            reserve,
            ..options()
        },
    )
    .unwrap();
    assert_eq!(
        fs::metadata(dir.path().join("reserve")).unwrap().len(),
        reserve
    );
    assert_eq!(store.condition(), Condition::Good);
}

#[tokio::test]
async fn a_closed_store_leaves_no_log_behind() {
    let (dir, store) = fresh();
    write(&store, of([part(1, 0, vec![1.into()])])).await;
    drop(store);
    assert!(!home(&dir).join("state.db-wal").exists());
}
