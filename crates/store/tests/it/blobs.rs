use std::fs;
use std::sync::Arc;

use consort_journal::{Blob, Store};
use consort_model::Digest;

use crate::support::*;

#[tokio::test]
async fn a_damaged_blob_is_reported_and_not_used() {
    let (dir, store) = fresh();
    let home = home(&dir);
    let large = store.blob_put(vec![1; 2 << 20]).await.unwrap();
    let small = store.blob_put(b"small".to_vec()).await.unwrap();
    let name = large.to_string();
    let file = home.join("blobs").join(&name[..2]).join(&name[2..]);
    let mut bytes = fs::read(&file).unwrap();
    bytes[1 << 20] ^= 4;
    fs::write(&file, bytes).unwrap();
    raw(&home)
        .execute("UPDATE blob SET data = x'00' WHERE data IS NOT NULL", [])
        .unwrap();
    assert!(is_corrupt(&store.blob_get(large).await));
    assert!(is_corrupt(&store.blob_get(small).await));
    assert_eq!(store.verify().await.unwrap().len(), 2);
    fs::remove_file(file).unwrap();
    assert!(is_corrupt(&store.blob_get(large).await));
}

#[tokio::test]
async fn what_a_cut_off_write_left_goes_when_the_store_opens() {
    let (dir, store) = fresh();
    store.blob_put(vec![1; 2 << 20]).await.unwrap();
    drop(store);
    let left = home(&dir).join("blobs/new-0123");
    fs::write(&left, b"half").unwrap();
    open(&home(&dir));
    assert!(!left.exists());
}

#[tokio::test]
async fn a_file_without_a_row_is_garbage() {
    let (dir, store) = fresh();
    let orphan = home(&dir)
        .join("blobs/ab")
        .join(&Digest::of(b"x").to_string()[2..]);
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, b"x").unwrap();
    store.retain(at(0)).await.unwrap();
    assert!(!orphan.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blob_that_is_named_while_garbage_goes_is_kept() {
    let (_dir, store) = fresh();
    let collector = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for _ in 0..10 {
                store.retain(at(0)).await.unwrap();
            }
        }
    });
    for n in 1..=60_u64 {
        let large = n % 20 == 0;
        let bytes = vec![n as u8; if large { 2 << 20 } else { 10 }];
        let blob = Blob::new(bytes.clone());
        let mut batch = of([part(n, 0, vec![blob.digest.to_string().into()])]);
        // A large one is put before its batch, as a client does, and has no grace here.
        batch.blobs = vec![blob.clone()];
        write(&store, batch).await;
        if !large {
            assert_eq!(store.blob_get(blob.digest).await, Ok(Some(bytes)), "{n}");
        }
    }
    collector.await.unwrap();
    for n in (1..=60_u64).filter(|n| n % 20 != 0) {
        let digest = Digest::of(&[n as u8; 10]);
        assert!(store.blob_get(digest).await.unwrap().is_some(), "{n}");
    }
    assert_eq!(store.verify().await, Ok(Vec::new()));
}
