//! What runs wait for and what they send: timers, events, subscriptions, outbox; and runtime facts.

use std::sync::Arc;

use consort_model::id::{SubscriptionId, TimerId};
use consort_model::run::RunStatus;
use serde_json::json;

use super::fixture::*;
use crate::{
    Accepted, Batch, Event, InboxMark, OutboxEntry, RuntimeChange, Store, Subscription,
    SubscriptionChange, TimerChange,
};

fn timer(n: u8) -> TimerId {
    TimerId::from_bytes([n; 16])
}

fn set(run: u8, id: u8, due: i64) -> TimerChange {
    TimerChange::Set {
        run: run_id(run),
        timer: timer(id),
        due: at(due),
    }
}

fn of_timers(timers: Vec<TimerChange>) -> Batch {
    Batch { timers, ..batch() }
}

pub(super) async fn due_timers_come_in_order_and_once(store: Arc<dyn Store>) {
    begun(&*store, &[1, 2]).await;
    assert_eq!(store.timer_next().await, Ok(None));
    let sets = vec![
        set(2, 1, 50),
        set(1, 2, 50),
        set(1, 1, 50),
        set(1, 3, 70),
        set(2, 2, -5),
    ];
    write(&*store, of_timers(sets)).await;
    let due = async |now, limit| -> Vec<(i64, TimerId)> {
        let timers = store.timer_due(at(now), limit).await.unwrap();
        timers
            .into_iter()
            .map(|found| (found.due.millis(), found.timer))
            .collect()
    };
    let expected = [
        (-5, timer(2)),
        (50, timer(1)),
        (50, timer(2)),
        (50, timer(1)),
    ];
    assert_eq!(due(50, 10).await, expected);
    assert_eq!(due(50, 2).await, expected[..2]);
    assert_eq!(due(-6, 10).await, []);
    let clear = TimerChange::Clear {
        run: run_id(2),
        timer: timer(2),
    };
    write(
        &*store,
        of_timers(vec![clear.clone(), clear, set(1, 1, 60)]),
    )
    .await;
    assert_eq!(due(50, 10).await, [(50, timer(2)), (50, timer(1))]);
    assert_eq!(store.timer_next().await, Ok(Some(at(50))));
    assert_eq!(
        due(65, 10).await.last(),
        Some(&(60, timer(1))),
        "set again, it has moved"
    );
}

fn open(n: u8, run: u8) -> SubscriptionChange {
    SubscriptionChange::Open {
        id: SubscriptionId::from_bytes([n; 16]),
        run: run_id(run),
        deployment: DEPLOYMENT.into(),
        event_type: Some("purchase".into()),
        filter: json!({"data": "${ . }"}),
        from: 3,
    }
}

pub(super) async fn a_run_that_ends_waits_for_nothing(store: Arc<dyn Store>) {
    begun(&*store, &[1, 2]).await;
    write(&*store, of_timers(vec![set(1, 1, 5), set(2, 2, 6)])).await;
    write(
        &*store,
        Batch {
            subscriptions: vec![open(1, 1), open(2, 2)],
            ..batch()
        },
    )
    .await;
    write(&*store, of_runs([end(1, 1, RunStatus::Cancelled)])).await;
    assert_eq!(store.timer_due(at(9), 9).await.unwrap().len(), 1);
    let left = store.subscription_list().await.unwrap();
    assert_eq!(
        left.iter().map(|one| one.run).collect::<Vec<_>>(),
        [run_id(2)]
    );
}

fn event(deployment: &str, source: &str, id: &str) -> Event {
    Event {
        deployment: deployment.into(),
        source: source.into(),
        id: id.into(),
        event_type: "purchase".into(),
        body: json!({"id": id, "data": {"n": 1}}),
    }
}

pub(super) async fn an_event_is_taken_in_once(store: Arc<dyn Store>) {
    let first = event(DEPLOYMENT, "orders", "1");
    assert_eq!(
        store.inbox_put(first.clone(), at(7)).await,
        Ok(Accepted::New(1))
    );
    assert_eq!(
        store.inbox_put(first.clone(), at(8)).await,
        Ok(Accepted::Duplicate(1))
    );
    let others = [
        event(DEPLOYMENT, "orders", "2"),
        event(DEPLOYMENT, "crm", "1"),
        event("other", "orders", "1"),
    ];
    for (offset, other) in (2..).zip(others) {
        assert_eq!(
            store.inbox_put(other, at(9)).await,
            Ok(Accepted::New(offset))
        );
    }
    let read = store.inbox_read(0, 10).await.unwrap();
    assert_eq!(
        read.iter().map(|event| event.offset).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!((read[0].at, &read[0].event), (at(7), &first));
    assert_eq!(store.inbox_read(1, 2).await.unwrap(), read[1..3]);
}

pub(super) async fn marks_in_the_inbox_move_only_forward(store: Arc<dyn Store>) {
    let mark = |upto| Batch {
        inbox: vec![InboxMark {
            consumer: "matcher".into(),
            upto,
        }],
        ..batch()
    };
    assert_eq!(store.inbox_mark("matcher").await, Ok(0));
    write(&*store, mark(5)).await;
    write(&*store, mark(3)).await;
    assert_eq!(store.inbox_mark("matcher").await, Ok(5));
    assert_eq!(store.inbox_mark("other").await, Ok(0));
}

pub(super) async fn subscriptions_are_open_until_closed(store: Arc<dyn Store>) {
    begun(&*store, &[1, 2]).await;
    write(
        &*store,
        Batch {
            subscriptions: vec![open(1, 1), open(2, 2)],
            ..batch()
        },
    )
    .await;
    let expected = Subscription {
        id: SubscriptionId::from_bytes([1; 16]),
        run: run_id(1),
        deployment: DEPLOYMENT.into(),
        event_type: Some("purchase".into()),
        filter: json!({"data": "${ . }"}),
        from: 3,
    };
    assert_eq!(store.subscription_list().await.unwrap()[0], expected);
    let close = SubscriptionChange::Close { id: expected.id };
    write(
        &*store,
        Batch {
            subscriptions: vec![close.clone(), close],
            ..batch()
        },
    )
    .await;
    let left = store.subscription_list().await.unwrap();
    assert_eq!(
        left.iter().map(|one| one.run).collect::<Vec<_>>(),
        [run_id(2)]
    );
}

pub(super) async fn the_outbox_keeps_order_until_sent(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    let out = |ids: &[&str]| Batch {
        outbox: ids
            .iter()
            .map(|id| OutboxEntry {
                id: (*id).into(),
                run: run_id(1),
                sink: "http://sink".into(),
                body: json!({"n": id}),
            })
            .collect(),
        ..batch()
    };
    write(&*store, out(&["b", "a"])).await;
    write(&*store, out(&["a", "c"])).await;
    let ids = async |limit| -> Vec<String> {
        let rows = store.outbox_list(limit).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids(9).await, ["b", "a", "c"]);
    assert_eq!(ids(1).await, ["b"]);
    write(
        &*store,
        Batch {
            sent: vec!["a".into(), "unknown".into()],
            ..batch()
        },
    )
    .await;
    assert_eq!(ids(9).await, ["b", "c"]);
}

pub(super) async fn runtime_facts_are_put_and_removed(store: Arc<dyn Store>) {
    let fact = |scope: &str, key: &str, value| Batch {
        runtime: vec![RuntimeChange {
            scope: scope.into(),
            key: key.into(),
            value,
        }],
        ..batch()
    };
    write(&*store, fact("a", "2", Some(json!([1])))).await;
    write(&*store, fact("a", "1", Some(json!("x")))).await;
    write(&*store, fact("b", "1", Some(json!(null)))).await;
    write(&*store, fact("a", "2", Some(json!([2])))).await;
    let listed = store.runtime_list("a").await.unwrap();
    assert_eq!(
        listed,
        [("1".to_owned(), json!("x")), ("2".to_owned(), json!([2]))]
    );
    assert_eq!(
        store.runtime_get("b", "1").await,
        Ok(Some(json!(null))),
        "null is a value"
    );
    write(&*store, fact("a", "2", None)).await;
    assert_eq!(store.runtime_get("a", "2").await, Ok(None));
}
