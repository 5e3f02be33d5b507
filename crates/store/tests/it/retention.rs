use consort_journal::{Accepted, Event, InboxMark, Store};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_long_run_goes_in_slices_and_its_space_comes_back() {
    let (dir, store) = fresh();
    let body = json!("x".repeat(2000));
    for slice in 0..6_u64 {
        write(&store, of([part(1, slice * 500, vec![body.clone(); 500])])).await;
    }
    write(&store, of([ended(part(1, 3000, Vec::new()))])).await;
    write(&store, of([part(2, 0, vec![1.into()])])).await;
    let pages = || -> i64 {
        raw(&home(&dir))
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap()
    };
    let before = pages();
    assert_eq!(store.retain(at(5000)).await, Ok(3001));
    assert!(pages() < before / 4, "{} of {before}", pages());
    assert_eq!(store.verify().await, Ok(Vec::new()));
    assert_eq!(last(&store, 2).await, 1);
}

#[tokio::test]
async fn records_of_a_run_that_went_halfway_are_invisible_and_go_later() {
    let (dir, store) = fresh();
    write(&store, of([ended(part(1, 0, vec![1.into(); 10]))])).await;
    // As after a kill between two slices.
    let conn = raw(&home(&dir));
    conn.execute_batch("INSERT INTO dropped SELECT number FROM run; DELETE FROM run")
        .unwrap();
    drop(store);
    let store = open(&home(&dir));
    assert_eq!(last(&store, 1).await, 0);
    assert_eq!(store.verify().await, Ok(Vec::new()));
    write(&store, of([part(1, 0, vec![2.into()])])).await;
    assert_eq!(store.retain(at(0)).await, Ok(10));
    assert_eq!(last(&store, 1).await, 1);
}

#[tokio::test]
async fn events_go_when_they_are_old_and_everyone_has_read_them() {
    let (_dir, store) = fresh();
    let event = |id: &str| Event {
        deployment: "shop".into(),
        source: "orders".into(),
        id: id.into(),
        event_type: "purchase".into(),
        body: json!({}),
    };
    for id in ["1", "2", "3"] {
        store.inbox_put(event(id), at(10)).await.unwrap();
    }
    store.inbox_put(event("4"), at(900)).await.unwrap();
    assert_eq!(store.retain(at(500)).await, Ok(0), "nobody has read them");
    for (consumer, upto) in [("a", 4), ("b", 2)] {
        let inbox = vec![InboxMark {
            consumer: consumer.into(),
            upto,
        }];
        write(&store, consort_journal::Batch { inbox, ..batch() }).await;
    }
    assert_eq!(store.retain(at(500)).await, Ok(2));
    let left = store.inbox_read(0, 9).await.unwrap();
    assert_eq!(
        left.iter().map(|event| event.offset).collect::<Vec<_>>(),
        [3, 4]
    );
    let again = store.inbox_put(event("5"), at(1)).await;
    assert_eq!(again, Ok(Accepted::New(5)), "places are never used again");
}
