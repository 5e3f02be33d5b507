use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use consort_model::Timestamp;
use consort_model::revision::Principal;

use super::{Fault, MemoryStore};
use crate::{Batch, RuntimeChange, Store, StoreError, conformance};

/// The store in memory never waits, so one poll is enough.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store in memory waits for nothing"),
    }
}

#[test]
fn the_store_in_memory_keeps_every_rule() {
    now(conformance::run(async || {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        store
    }));
}

fn fact(value: i32) -> Batch {
    let mut batch = Batch::new(Principal::system(), Timestamp::default());
    batch.runtime.push(RuntimeChange {
        scope: "s".into(),
        key: "k".into(),
        value: Some(value.into()),
    });
    batch
}

#[test]
fn a_fault_hits_one_append_and_says_whether_it_was_written() {
    let store = MemoryStore::new();
    store.fail_next(Fault::Refused(StoreError::Full));
    store.fail_next(Fault::AnswerLost(StoreError::QueueFull));
    assert_eq!(now(store.append(fact(1))), Err(StoreError::Full));
    assert_eq!(now(store.runtime_get("s", "k")), Ok(None));
    assert_eq!(now(store.append(fact(2))), Err(StoreError::QueueFull));
    assert_eq!(now(store.runtime_get("s", "k")), Ok(Some(2.into())));
    assert!(now(store.append(fact(3))).is_ok());
}

#[test]
fn a_restart_keeps_the_data_and_raises_the_epoch() {
    let store = MemoryStore::new();
    now(store.append(fact(1))).unwrap();
    let later = store.restarted();
    assert!(later.epoch() > store.epoch());
    assert_eq!(now(later.runtime_get("s", "k")), Ok(Some(1.into())));
}
