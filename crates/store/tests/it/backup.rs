use std::fs;
use std::sync::Arc;

use consort_journal::{Batch, NewSecret, Sensitive, Store, StoreError};
use consort_store::restore;

use crate::support::*;

fn secret() -> Batch {
    let secrets = vec![NewSecret {
        deployment: "shop".into(),
        handle: "a@1".parse().unwrap(),
        value: Sensitive::new("value".into()),
    }];
    Batch { secrets, ..batch() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_of_one_moment_and_comes_back_whole() {
    let (dir, store) = fresh();
    write(&store, secret()).await;
    let large = store.blob_put(vec![5; 3 << 20]).await.unwrap();
    write(&store, of([part(1, 0, vec![large.to_string().into()])])).await;
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for expected in 0..300 {
                let both = [
                    part(2, expected, vec![1.into()]),
                    part(3, expected, vec![1.into()]),
                ];
                write(&store, of(both)).await;
            }
        }
    });
    let to = dir.path().join("backup");
    store.backup(&to).await.unwrap();
    writer.await.unwrap();
    let again = store.backup(&to).await;
    assert!(matches!(again, Err(StoreError::Failed { .. })), "{again:?}");

    let live = restore(&to, &home(&dir));
    assert!(matches!(live, Err(StoreError::Locked { .. })), "{live:?}");
    let old_epoch = store.epoch();
    drop(store);
    let there = restore(&to, &home(&dir));
    assert!(matches!(there, Err(StoreError::Failed { .. })), "{there:?}");

    let new_home = dir.path().join("new");
    restore(&to, &new_home).unwrap();
    let store = open(&new_home);
    assert!(
        store.epoch().0 > old_epoch.0 + 1000,
        "no earlier owner can write to it"
    );
    assert_eq!(last(&store, 2).await, last(&store, 3).await);
    assert_eq!(store.blob_get(large).await, Ok(Some(vec![5; 3 << 20])));
    let value = store
        .secret_get("shop", &"a@1".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(value.reveal(), "value");
    assert_eq!(store.verify().await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_damaged_backup_is_not_restored() {
    let (dir, store) = fresh();
    let large = store.blob_put(vec![5; 3 << 20]).await.unwrap();
    write(
        &store,
        of([part(1, 0, vec![large.to_string().into(); 2000])]),
    )
    .await;
    let to = dir.path().join("backup");
    store.backup(&to).await.unwrap();
    let name = large.to_string();
    let blob = to.join("blobs").join(&name[..2]).join(&name[2..]);
    let damaged = [to.join("state.db"), to.join("key"), blob];
    for file in damaged {
        let whole = fs::read(&file).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        let end = (middle + 5000).min(bytes.len());
        bytes[middle..end].iter_mut().for_each(|byte| *byte ^= 0xFF);
        fs::write(&file, bytes).unwrap();
        let new_home = dir.path().join("new");
        let refused = restore(&to, &new_home);
        assert!(refused.is_err(), "{}", file.display());
        assert!(!new_home.join("state.db").exists());
        fs::write(&file, whole).unwrap();
    }
    let empty = restore(dir.path(), &dir.path().join("new"));
    assert!(matches!(empty, Err(StoreError::Failed { .. })), "{empty:?}");
    restore(&to, &dir.path().join("new")).unwrap();
}
