use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use consort_journal::{Envelope, Epoch, RunPart, Seq, Store, StoreError};
use serde_json::json;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_share_commits_and_lose_nothing() {
    let (dir, store) = fresh();
    let writers: Vec<_> = (1..=64_u64)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for expected in 0..20 {
                    write(
                        &store,
                        of([part(n, expected, vec![json!({"at": expected})])]),
                    )
                    .await;
                    // One in between that is refused takes nothing of its neighbours with it.
                    let wrong = store.append(of([part(n, 77, vec![1.into()])])).await;
                    assert!(
                        matches!(wrong, Err(StoreError::OutOfOrder { .. })),
                        "{wrong:?}"
                    );
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    drop(store);
    let store = open(&home(&dir));
    for n in 1..=64 {
        assert_eq!(last(&store, n).await, 20);
    }
    assert_eq!(store.verify().await, Ok(Vec::new()));
}

#[tokio::test]
async fn the_principal_is_on_every_record() {
    let (dir, store) = fresh();
    write(&store, of([part(1, 0, vec![1.into(), 2.into()])])).await;
    let sql = "SELECT count(*) FROM record WHERE principal = 'uid:7' AND epoch = 1";
    let rows: i64 = raw(&home(&dir))
        .query_row(sql, [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 2);
}

#[tokio::test]
async fn what_is_too_large_or_too_much_is_refused_by_its_name() {
    let (_dir, store) = fresh();
    let cases = [
        part(1, 0, vec!["x".repeat(2 << 20).into()]),
        part(1, 0, vec![json!(1); 10_001]),
        RunPart {
            epoch: Epoch(u64::MAX),
            ..part(1, 0, Vec::new())
        },
        RunPart {
            expected: Seq(u64::MAX),
            ..part(1, 1, vec![json!(1)])
        },
        RunPart {
            records: vec![Envelope {
                kind: "k".repeat(5000),
                ..record(json!(1))
            }],
            ..part(1, 0, Vec::new())
        },
    ];
    for case in cases {
        let refused = store.append(of([case])).await;
        assert!(
            matches!(refused, Err(StoreError::Encoding { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(last(&store, 1).await, 0);
}

#[tokio::test]
async fn a_dropped_caller_does_not_stop_its_batch() {
    let (_dir, store) = fresh();
    write(&store, of([part(1, 0, vec![1.into()])])).await;
    for expected in 1..50 {
        let append = store.append(of([part(1, expected, vec![2.into()])]));
        // Polled once, which hands the batch over, and dropped.
        let mut append = std::pin::pin!(append);
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        let _ = append.as_mut().poll(&mut context);
    }
    // The queue is in order: when this is answered, the others are written.
    assert_eq!(
        write(&store, of([part(1, 50, vec![3.into()])])).await,
        Seq(51)
    );
}

#[tokio::test]
async fn a_watcher_that_panics_harms_nobody() {
    let (_dir, store) = fresh();
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    store.watch(Box::new(|_| panic!("on purpose")));
    store.watch(Box::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    }));
    write(&store, of([part(1, 0, vec![1.into()])])).await;
    write(&store, of([part(1, 1, vec![1.into()])])).await;
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_long_reader_does_not_stop_the_writer() {
    let (dir, store) = fresh();
    write(&store, of([part(1, 0, vec![1.into()])])).await;
    let reader = raw(&home(&dir));
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM record;")
        .unwrap();
    let body = "x".repeat(900_000);
    for expected in 1..40 {
        write(&store, of([part(1, expected, vec![body.clone().into()])])).await;
    }
    reader.execute_batch("COMMIT").unwrap();
    for expected in 40..80 {
        write(&store, of([part(1, expected, vec![body.clone().into()])])).await;
    }
    drop(reader);
    assert_eq!(last(&store, 1).await, 80);
    assert_eq!(store.verify().await, Ok(Vec::new()));
}
