//! A WAL that was cut off or has turned bits: the last batch is there whole or not at all, and what
//! was before it is there.

use std::fs;
use std::path::{Path, PathBuf};

use consort_journal::{RuntimeChange, Store};
use rusqlite::config::DbConfig;
use serde_json::json;

use crate::support::*;

/// Batches, and the length of the WAL before the last one.
async fn written(dir: &Path) -> (PathBuf, u64) {
    let home = dir.join("home");
    let copy = dir.join("copy");
    let store = open(&home);
    let wal = home.join("state.db-wal");
    for expected in 0..3 {
        append(&store, expected).await;
    }
    let before = fs::metadata(&wal).unwrap().len();
    append(&store, 3).await;
    assert!(
        fs::metadata(&wal).unwrap().len() > before,
        "no checkpoint came in between"
    );
    // As after a power cut: the files as they are while the store is open.
    fs::create_dir(&copy).unwrap();
    for name in ["state.db", "state.db-wal", "key"] {
        fs::copy(home.join(name), copy.join(name)).unwrap();
    }
    (copy, before)
}

/// A batch that touches several pages: a record, and a fact that says which.
async fn append(store: &consort_store::SqliteStore, expected: u64) {
    let mut batch = of([part(1, expected, vec![json!({"at": expected})])]);
    batch.runtime.push(RuntimeChange {
        scope: "s".into(),
        key: "k".into(),
        value: Some(json!(expected + 1)),
    });
    write(store, batch).await;
}

/// The last record and the fact, as SQLite reads them after recovery, without changing the files.
fn look(dir: &Path) -> (i64, i64) {
    let _ = fs::remove_file(dir.join("state.db-shm"));
    let conn = raw(dir);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .unwrap();
    let sql = "SELECT (SELECT coalesce(max(seq), 0) FROM record),
        (SELECT CAST(value AS INTEGER) FROM runtime)";
    conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
}

#[tokio::test]
async fn a_wal_cut_at_any_byte_has_the_last_batch_or_not() {
    let dir = folder();
    let (copy, before) = written(dir.path()).await;
    let wal = fs::OpenOptions::new()
        .write(true)
        .open(copy.join("state.db-wal"))
        .unwrap();
    let whole = wal.metadata().unwrap().len();
    assert_eq!(look(&copy), (4, 4), "whole");
    // Every byte near the bounds of a frame (24 bytes of header, 4096 of page), others sparsely.
    let near = |length: u64| {
        (length - 32) % 4120 < 30 || length.is_multiple_of(37) || whole - length < 200
    };
    for length in (before..whole).rev().filter(|length| near(*length)) {
        wal.set_len(length).unwrap();
        assert_eq!(look(&copy), (3, 3), "cut at {length} of {whole}");
    }
    let store = open(&copy);
    assert_eq!(store.verify().await, Ok(Vec::new()));
    append(&store, 3).await;
    assert_eq!(last(&store, 1).await, 4);
}

#[tokio::test]
async fn a_turned_bit_in_the_last_batch_takes_it_away_whole() {
    let dir = folder();
    let (copy, before) = written(dir.path()).await;
    let wal = copy.join("state.db-wal");
    let whole = fs::read(&wal).unwrap();
    let first = usize::try_from(before).unwrap();
    for place in (first..whole.len()).step_by(89).chain(first..first + 24) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(&wal, bytes).unwrap();
        assert_eq!(look(&copy), (3, 3), "a bit of byte {place}");
    }
    fs::write(&wal, [&whole[..], &[0xA5; 9000]].concat()).unwrap();
    assert_eq!(look(&copy), (4, 4), "a tail of garbage is not read");
}
