//! A full disk: nothing is half written, what is under way can be recorded, and it goes on by
//! itself when there is space.

use std::fs;
use std::path::Path;
use std::process::Command;

use consort_journal::{Store, StoreError};
use consort_store::{Condition, Options, SqliteStore};
use serde_json::json;

use crate::support::*;

/// A small disk in memory, as long as it lives. Only root can have one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let option = format!("size={size},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "consort-test"])
            .arg(dir.path())
            .output();
        mounted
            .is_ok_and(|done| done.status.success())
            .then_some(Self(dir))
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

/// Appends to run 1 until the disk is full; answers the last record that was written.
async fn fill(store: &SqliteStore, mut expected: u64) -> u64 {
    for _ in 0..2000 {
        match store
            .append(of([part(1, expected, vec!["x".repeat(2000).into()])]))
            .await
        {
            Ok(_) => expected += 1,
            Err(StoreError::Full) => return expected,
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("a disk of 3 MiB takes 4 MB");
}

#[tokio::test]
async fn a_full_disk_refuses_new_things_and_takes_the_end_of_old_ones() {
    let Some(disk) = Disk::new("3m") else {
        eprintln!("skipped: a small disk needs the right to mount one");
        return;
    };
    let options = Options {
        reserve: 256 << 10,
        ..options()
    };
    let store = SqliteStore::open(&disk.path().join("home"), options.clone()).unwrap();
    write(&store, of([part(1, 0, vec![json!(1)])])).await;
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![0; 1 << 20]).unwrap();

    let there = fill(&store, 1).await;
    assert_eq!(store.condition(), Condition::SpaceLow);
    assert_eq!(
        last(&store, 1).await,
        there,
        "the refused batch left nothing"
    );
    assert!(
        !disk.path().join("home/reserve").exists(),
        "the reserve is given up"
    );
    let refused = store.append(of([part(2, 0, vec![json!(1)])])).await;
    assert_eq!(refused, Err(StoreError::Full), "nothing new is begun");
    for n in 0..20 {
        write(&store, of([part(1, there + n, vec![json!("clean-up")])])).await;
    }
    let there = there + 20;
    assert_eq!(
        store.blob_put(vec![1; 2 << 20]).await,
        Err(StoreError::Full)
    );

    fs::remove_file(&filler).unwrap();
    write(&store, of([part(2, 0, vec![json!(1)])])).await;
    assert_eq!(store.condition(), Condition::Good);
    assert!(
        disk.path().join("home/reserve").exists(),
        "the reserve is there again"
    );
    assert_eq!(last(&store, 1).await, there);
    assert_eq!(store.verify().await, Ok(Vec::new()));
    drop(store);
    let store = SqliteStore::open(&disk.path().join("home"), options).unwrap();
    assert_eq!(last(&store, 1).await, there);
}
