//! Runs: their records, their order, who may write them, and how they are begun once.

use std::sync::{Arc, Mutex};

use consort_model::id::{RunId, TimerId};
use consort_model::run::{RunKind, RunStatus};
use consort_model::{Address, Kind, Value};
use serde_json::json;

use super::fixture::*;
use crate::{
    Appended, Batch, Blob, Change, Epoch, InboxMark, NewRun, NewSecret, OutboxEntry, RunFilter,
    RunPart, RuntimeChange, Sensitive, Seq, Snapshot, SnapshotPart, StatusChange, Store,
    StoreError, SubscriptionChange, TimerChange,
};

pub(super) async fn a_batch_is_read_back_as_it_was_written(store: Arc<dyn Store>) {
    let subject = Address::new(Kind::Workflow, "fulfil");
    let new = NewRun {
        kind: RunKind::Workflow,
        subject: Some(subject.clone()),
        parent: Some(run_id(9)),
        ..new_run(1)
    };
    let body = json!({"z": [1, 2.5, null, "ü\u{0}\""], "a": {"deep": true}});
    let mut part = begin(new);
    part.records.push(record("Value", body.clone()));
    part.status = Some(StatusChange {
        status: RunStatus::Faulted,
        error: Some("no".into()),
    });
    assert_eq!(write(&*store, of_runs([part.clone()])).await, Seq(2));

    let row = store.run_get(run_id(1)).await.unwrap().unwrap();
    assert_eq!((row.last, row.epoch), (Seq(2), Epoch(1)));
    let summary = row.summary;
    assert_eq!(summary.kind, RunKind::Workflow);
    assert_eq!(summary.subject, Some(subject));
    assert_eq!(summary.parent, Some(run_id(9)));
    assert_eq!(summary.principal.0, "uid:7");
    assert_eq!(summary.created, at(1));
    assert_eq!(summary.status, RunStatus::Faulted);
    assert_eq!(
        (summary.ended, summary.error.as_deref()),
        (Some(at(1000)), Some("no"))
    );
    let read = store.run_records(run_id(1), Seq(0), 10).await.unwrap();
    let records: Vec<_> = read.into_iter().map(|(_, record)| record).collect();
    assert_eq!(records, part.records);
    assert_eq!(
        records[1].body.to_string(),
        body.to_string(),
        "the order of keys is kept"
    );
    assert_eq!(store.run_get(run_id(2)).await, Ok(None));
}

pub(super) async fn records_are_numbered_without_gaps(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    for expected in 1..=4 {
        assert_eq!(
            write(&*store, of_runs([go_on(1, expected)])).await,
            Seq(expected + 1)
        );
    }
    let places = async |after, limit| -> Vec<u64> {
        let read = store
            .run_records(run_id(1), Seq(after), limit)
            .await
            .unwrap();
        read.into_iter().map(|(seq, _)| seq.0).collect()
    };
    assert_eq!(places(0, 100).await, [1, 2, 3, 4, 5]);
    assert_eq!(places(2, 2).await, [3, 4]);
    assert_eq!(places(5, 10).await, [0_u64; 0]);
}

pub(super) async fn an_older_epoch_is_fenced_and_writes_nothing(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    let newer = RunPart {
        epoch: Epoch(3),
        ..go_on(1, 1)
    };
    write(&*store, of_runs([newer])).await;
    let older = RunPart {
        epoch: Epoch(2),
        ..go_on(1, 2)
    };
    let refused = store.append(of_runs([older])).await;
    assert_eq!(
        refused,
        Err(StoreError::Fenced {
            run: run_id(1),
            current: Epoch(3),
            given: Epoch(2)
        })
    );
    assert_eq!(last(&*store, 1).await, Seq(2));
}

pub(super) async fn a_higher_epoch_takes_a_run_over(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    let taken = RunPart {
        epoch: Epoch(9),
        records: Vec::new(),
        ..go_on(1, 1)
    };
    write(&*store, of_runs([taken])).await;
    let row = store.run_get(run_id(1)).await.unwrap().unwrap();
    assert_eq!((row.epoch, row.last), (Epoch(9), Seq(1)));
    let refused = store.append(of_runs([go_on(1, 1)])).await;
    assert!(
        matches!(refused, Err(StoreError::Fenced { .. })),
        "{refused:?}"
    );
}

pub(super) async fn a_writer_with_a_wrong_place_is_refused(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    for expected in [0, 2, 99] {
        let refused = store.append(of_runs([go_on(1, expected)])).await;
        assert_eq!(
            refused,
            Err(StoreError::OutOfOrder {
                run: run_id(1),
                current: Seq(1),
                expected: Seq(expected)
            })
        );
    }
    assert_eq!(last(&*store, 1).await, Seq(1));
}

pub(super) async fn an_unknown_run_is_refused(store: Arc<dyn Store>) {
    let refused = store.append(of_runs([go_on(1, 0)])).await;
    assert!(
        matches!(refused, Err(StoreError::Missing { what: "run", .. })),
        "{refused:?}"
    );
    let timer = TimerChange::Set {
        run: run_id(1),
        timer: TimerId::from_bytes([1; 16]),
        due: at(1),
    };
    let refused = store
        .append(Batch {
            timers: vec![timer],
            ..batch()
        })
        .await;
    assert!(
        matches!(refused, Err(StoreError::Missing { what: "run", .. })),
        "{refused:?}"
    );
}

pub(super) async fn a_run_is_begun_once(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    assert!(store.append(of_runs([begin(new_run(1))])).await.is_err());
    let other_name = RunPart {
        run: run_id(3),
        ..begin(new_run(2))
    };
    assert!(store.append(of_runs([other_name])).await.is_err());
    let late = RunPart {
        expected: Seq(4),
        ..begin(new_run(2))
    };
    assert!(store.append(of_runs([late])).await.is_err());
    assert_eq!(store.run_list(RunFilter::default()).await.unwrap().len(), 1);
    assert_eq!(last(&*store, 1).await, Seq(1));
}

pub(super) async fn the_same_key_finds_the_run_and_writes_nothing(store: Arc<dyn Store>) {
    write(&*store, of_runs([begin(keyed(1, "k", b"request"))])).await;
    let mut again = of_runs([begin(keyed(2, "k", b"request"))]);
    again.runtime.push(fact("s", "k", Some(json!(1))));
    assert_eq!(store.append(again).await, Ok(Appended::Existing(run_id(1))));
    assert_eq!(store.run_get(run_id(2)).await, Ok(None));
    assert_eq!(store.runtime_get("s", "k").await, Ok(None));
    let found = store.run_by_key("k").await.unwrap().unwrap();
    assert_eq!(found.summary.id, run_id(1));
    assert_eq!(store.run_by_key("other").await, Ok(None));
}

pub(super) async fn the_same_key_with_another_request_is_refused(store: Arc<dyn Store>) {
    write(&*store, of_runs([begin(keyed(1, "k", b"one"))])).await;
    let refused = store.append(of_runs([begin(keyed(2, "k", b"two"))])).await;
    assert!(
        matches!(&refused, Err(StoreError::KeyConflict { key, .. }) if key == "k"),
        "{refused:?}"
    );
    let as_child = of_runs([begin(new_run(3)), begin(keyed(4, "k", b"one"))]);
    let refused = store.append(as_child).await;
    assert!(
        matches!(refused, Err(StoreError::KeyConflict { .. })),
        "{refused:?}"
    );
    assert_eq!(store.run_list(RunFilter::default()).await.unwrap().len(), 1);
}

pub(super) async fn one_batch_writes_to_several_runs(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    let child = NewRun {
        parent: Some(run_id(1)),
        ..new_run(2)
    };
    let written = write(&*store, of_runs([go_on(1, 1), begin(child), go_on(2, 1)])).await;
    assert_eq!(written, Seq(2), "the last record of the first run");
    assert_eq!(last(&*store, 2).await, Seq(2));
}

/// Something of every kind, and a last part that is refused.
fn doomed() -> Batch {
    let mut batch = of_runs([go_on(1, 1), begin(new_run(2)), go_on(1, 77)]);
    batch.deployments.push(create());
    batch.state = put(entry(Kind::Service, "api", 1)).state;
    batch.timers.push(TimerChange::Set {
        run: run_id(1),
        timer: TimerId::from_bytes([1; 16]),
        due: at(5),
    });
    batch.secrets.push(NewSecret {
        deployment: DEPLOYMENT.into(),
        handle: "a@1".parse().unwrap(),
        value: Sensitive::new("x".into()),
    });
    batch.blobs.push(Blob::new(b"doomed".to_vec()));
    batch.subscriptions.push(SubscriptionChange::Open {
        id: consort_model::id::SubscriptionId::from_bytes([1; 16]),
        run: run_id(1),
        deployment: DEPLOYMENT.into(),
        event_type: None,
        filter: Value::Null,
        from: 0,
    });
    batch.inbox.push(InboxMark {
        consumer: "c".into(),
        upto: 4,
    });
    batch.outbox.push(OutboxEntry {
        id: "o".into(),
        run: run_id(1),
        sink: "s".into(),
        body: Value::Null,
    });
    batch.runtime.push(fact("s", "k", Some(json!(1))));
    batch
}

pub(super) async fn a_refused_batch_leaves_nothing(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    assert!(store.append(doomed()).await.is_err());
    assert_eq!(last(&*store, 1).await, Seq(1));
    assert_eq!(store.run_get(run_id(2)).await, Ok(None));
    assert_eq!(store.deployment_list().await, Ok(Vec::new()));
    assert_eq!(store.state_list(DEPLOYMENT).await, Ok(Vec::new()));
    assert_eq!(store.timer_next().await, Ok(None));
    assert_eq!(store.secret_version(DEPLOYMENT, "a").await, Ok(0));
    assert_eq!(store.subscription_list().await, Ok(Vec::new()));
    assert_eq!(store.inbox_mark("c").await, Ok(0));
    assert_eq!(store.outbox_list(9).await, Ok(Vec::new()));
    assert_eq!(store.runtime_list("s").await, Ok(Vec::new()));
    write(&*store, of_runs([go_on(1, 1)])).await;
}

pub(super) async fn lists_show_the_newest_first_and_filter(store: Arc<dyn Store>) {
    let subject = Address::new(Kind::Job, "vacuum");
    let job = NewRun {
        kind: RunKind::Job,
        subject: Some(subject.clone()),
        ..new_run(3)
    };
    let other = NewRun {
        deployment: "other".into(),
        ..new_run(4)
    };
    begun(&*store, &[1]).await;
    let child = NewRun {
        parent: Some(run_id(1)),
        ..new_run(2)
    };
    for new in [child, job, other] {
        write(&*store, of_runs([begin(new)])).await;
    }
    write(&*store, of_runs([end(1, 1, RunStatus::Completed)])).await;
    let list = async |filter| -> Vec<RunId> {
        let rows = store.run_list(filter).await.unwrap();
        rows.into_iter().map(|row| row.summary.id).collect()
    };
    let all = RunFilter::default();
    let ids = |numbers: &[u8]| -> Vec<RunId> { numbers.iter().map(|n| run_id(*n)).collect() };
    let cases = [
        (all.clone(), ids(&[4, 3, 2, 1])),
        (
            RunFilter {
                limit: Some(2),
                ..all.clone()
            },
            ids(&[4, 3]),
        ),
        (
            RunFilter {
                before: Some(run_id(3)),
                ..all.clone()
            },
            ids(&[2, 1]),
        ),
        (
            RunFilter {
                deployment: Some(DEPLOYMENT.into()),
                ..all.clone()
            },
            ids(&[3, 2, 1]),
        ),
        (
            RunFilter {
                kind: Some(RunKind::Job),
                ..all.clone()
            },
            ids(&[3]),
        ),
        (
            RunFilter {
                subject: Some(subject),
                ..all.clone()
            },
            ids(&[3]),
        ),
        (
            RunFilter {
                status: Some(RunStatus::Completed),
                ..all.clone()
            },
            ids(&[1]),
        ),
        (
            RunFilter {
                parent: Some(run_id(1)),
                ..all
            },
            ids(&[2]),
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(list(filter.clone()).await, expected, "{filter:?}");
    }
    let unknown = RunFilter {
        before: Some(run_id(99)),
        ..RunFilter::default()
    };
    assert!(matches!(
        store.run_list(unknown).await,
        Err(StoreError::Missing { .. })
    ));
}

pub(super) async fn open_runs_are_those_that_have_not_ended(store: Arc<dyn Store>) {
    begun(&*store, &[1, 2, 3, 4]).await;
    write(&*store, of_runs([end(2, 1, RunStatus::Cancelled)])).await;
    write(&*store, of_runs([end(3, 1, RunStatus::Waiting)])).await;
    write(&*store, of_runs([end(4, 1, RunStatus::Faulted)])).await;
    write(&*store, of_runs([end(4, 2, RunStatus::Running)])).await;
    let open = store.run_open().await.unwrap();
    let ids: Vec<_> = open.iter().map(|row| row.summary.id).collect();
    assert_eq!(ids, [run_id(1), run_id(3), run_id(4)]);
    assert_eq!(open[2].summary.ended, None, "a resumed run has not ended");
}

pub(super) async fn the_newest_snapshot_is_answered(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    assert_eq!(store.run_snapshot(run_id(1)).await, Ok(None));
    for expected in 1..=4_u64 {
        let snapshot = Some(SnapshotPart {
            format: 3,
            state: json!({"at": expected}),
        });
        write(
            &*store,
            of_runs([RunPart {
                snapshot,
                ..go_on(1, expected)
            }]),
        )
        .await;
    }
    write(&*store, of_runs([go_on(1, 5)])).await;
    let newest = Snapshot {
        upto: Seq(5),
        format: 3,
        state: json!({"at": 4}),
    };
    assert_eq!(store.run_snapshot(run_id(1)).await, Ok(Some(newest)));
}

pub(super) async fn a_value_too_deep_to_be_read_back_is_refused(store: Arc<dyn Store>) {
    let deep = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    begun(&*store, &[1]).await;
    let with = |levels| RunPart {
        records: vec![record("Value", deep(levels))],
        ..go_on(1, 1)
    };
    let refused = store.append(of_runs([with(200)])).await;
    assert!(
        matches!(refused, Err(StoreError::Encoding { .. })),
        "{refused:?}"
    );
    write(&*store, of_runs([with(90)])).await;
    let read = store.run_records(run_id(1), Seq(1), 1).await.unwrap();
    assert_eq!(read[0].1.body, deep(90));
}

pub(super) async fn watchers_are_told_before_the_answer(store: Arc<dyn Store>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    store.watch(Box::new(move |change| {
        sink.lock().unwrap().push(change.clone())
    }));
    let mut first = of_runs([begin(new_run(1))]);
    first.deployments.push(create());
    first.timers.push(TimerChange::Set {
        run: run_id(1),
        timer: TimerId::from_bytes([1; 16]),
        due: at(77),
    });
    write(&*store, first).await;
    assert!(store.append(of_runs([go_on(1, 9)])).await.is_err());
    let seen = seen.lock().unwrap().clone();
    let expected = [
        Change::Run(run_id(1), Seq(1)),
        Change::State(DEPLOYMENT.into()),
        Change::Timer(at(77)),
    ];
    assert_eq!(seen, expected);
}

fn fact(scope: &str, key: &str, value: Option<Value>) -> RuntimeChange {
    RuntimeChange {
        scope: scope.into(),
        key: key.into(),
        value,
    }
}

async fn last(store: &dyn Store, n: u8) -> Seq {
    store.run_get(run_id(n)).await.unwrap().unwrap().last
}
