//! Blobs, secrets, retention, and the check from end to end.

use std::sync::Arc;

use consort_model::revision::{Completeness, Revision};
use consort_model::run::RunStatus;
use consort_model::{Digest, Kind, SecretHandle};
use serde_json::json;

use super::fixture::*;
use crate::{
    Batch, Blob, NewRun, NewSecret, RunFilter, RuntimeChange, Sensitive, Seq, Store, StoreError,
};

pub(super) async fn blobs_are_kept_by_their_digest(store: Arc<dyn Store>) {
    let large = vec![7_u8; 3 << 20];
    for bytes in [Vec::new(), b"small".to_vec(), large] {
        let digest = store.blob_put(bytes.clone()).await.unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(store.blob_put(bytes.clone()).await, Ok(digest));
        assert_eq!(store.blob_get(digest).await, Ok(Some(bytes)));
    }
    let with_batch = vec![8_u8; 2 << 20];
    let blobs = vec![Blob::new(with_batch.clone()), Blob::new(b"b".to_vec())];
    write(&*store, Batch { blobs, ..batch() }).await;
    assert_eq!(
        store.blob_get(Digest::of(b"b")).await,
        Ok(Some(b"b".to_vec()))
    );
    assert_eq!(
        store.blob_get(Digest::of(&with_batch)).await,
        Ok(Some(with_batch))
    );
    assert_eq!(store.blob_get(Digest::of(b"none")).await, Ok(None));
}

pub(super) async fn a_blob_that_is_not_its_digest_is_refused(store: Arc<dyn Store>) {
    let digest = Digest::of(b"right");
    let wrong = Blob {
        digest,
        bytes: b"wrong".to_vec(),
    };
    let refused = store
        .append(Batch {
            blobs: vec![wrong],
            ..batch()
        })
        .await;
    assert!(
        matches!(refused, Err(StoreError::Encoding { .. })),
        "{refused:?}"
    );
    assert_eq!(store.blob_get(digest).await, Ok(None));
}

fn secret(deployment: &str, handle: &str, value: &str) -> NewSecret {
    NewSecret {
        deployment: deployment.into(),
        handle: handle.parse().unwrap(),
        value: Sensitive::new(value.into()),
    }
}

pub(super) async fn secrets_have_versions_that_never_change(store: Arc<dyn Store>) {
    let secrets = vec![
        secret("shop", "a@1", "one"),
        secret("shop", "a@2", "two"),
        secret("x", "a@1", ""),
    ];
    write(&*store, Batch { secrets, ..batch() }).await;
    let again = Batch {
        secrets: vec![secret("shop", "a@1", "other")],
        ..batch()
    };
    assert!(store.append(again).await.is_err());
    let value = async |deployment: &str, handle: &str| -> Option<String> {
        let handle: SecretHandle = handle.parse().unwrap();
        let value = store.secret_get(deployment, &handle).await.unwrap();
        value.map(|value| value.reveal().to_owned())
    };
    assert_eq!(value("shop", "a@1").await.as_deref(), Some("one"));
    assert_eq!(value("shop", "a@2").await.as_deref(), Some("two"));
    assert_eq!(value("x", "a@1").await.as_deref(), Some(""));
    assert_eq!(value("x", "a@2").await, None);
    assert_eq!(store.secret_version("shop", "a").await, Ok(2));
    assert_eq!(store.secret_version("shop", "b").await, Ok(0));
}

pub(super) async fn retention_deletes_old_ended_runs_only(store: Arc<dyn Store>) {
    // 1 is open; 2 has ended; 3 has ended but is a part of 1; 4 has ended later; 5 is a part of 2.
    begun(&*store, &[1]).await;
    write(&*store, of_runs([begin(keyed(2, "k", b"r"))])).await;
    for (child, parent) in [(3, Some(1)), (4, None), (5, Some(2))] {
        let parent = parent.map(run_id);
        write(
            &*store,
            of_runs([begin(NewRun {
                parent,
                ..new_run(child)
            })]),
        )
        .await;
    }
    for (run, when) in [(2, 100), (3, 100), (4, 900), (5, 100)] {
        let ended = of_runs([end(run, 1, RunStatus::Completed)]);
        write(
            &*store,
            Batch {
                at: at(when),
                ..ended
            },
        )
        .await;
    }
    assert!(
        store.retain(at(500)).await.unwrap() >= 4,
        "two runs and their records"
    );
    let rows = store.run_list(RunFilter::default()).await.unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.summary.id).collect();
    assert_eq!(ids, [run_id(4), run_id(3), run_id(1)]);
    assert_eq!(
        store.run_records(run_id(2), Seq(0), 9).await,
        Ok(Vec::new())
    );
    assert_eq!(store.run_by_key("k").await, Ok(None));
    assert_eq!(
        store.retain(at(500)).await,
        Ok(0),
        "a second time there is nothing to do"
    );
}

pub(super) async fn retention_keeps_what_a_revision_pins(store: Arc<dyn Store>) {
    let names = [
        "plan",
        "bundle",
        "program",
        "state",
        "fact",
        "old program",
        "nobody's",
    ];
    for name in names {
        store.blob_put(name.into()).await.unwrap();
    }
    begun(&*store, &[1, 2]).await;
    for run in [1, 2] {
        write(&*store, of_runs([end(run, 1, RunStatus::Completed)])).await;
    }
    let pinned = |number, when, program: &[u8], completeness| {
        let mut revision: Revision = revision(number, number as u8, when);
        revision
            .pins
            .insert("builds.api".into(), Digest::of(program).to_string());
        revise(Revision {
            completeness,
            ..revision
        })
    };
    let mut node = entry(Kind::Service, "api", 1);
    node.type_name = format!("blake3:{}", Digest::of(b"state"));
    let mut last = put(node);
    last.deployments = vec![
        create(),
        pinned(1, 10, b"old program", Completeness::Complete),
        pinned(2, 20, b"program", Completeness::Complete),
        pinned(3, 30, b"program", Completeness::Partial),
    ];
    last.runtime.push(RuntimeChange {
        scope: "plans".into(),
        key: "1".into(),
        value: Some(json!(Digest::of(b"fact"))),
    });
    write(&*store, last).await;
    store.retain(at(5000)).await.unwrap();
    let numbers: Vec<_> = store
        .revision_list(DEPLOYMENT)
        .await
        .unwrap()
        .iter()
        .map(|one| one.number.0)
        .collect();
    assert_eq!(numbers, [3, 2], "the newest, and the newest complete one");
    for (name, kept) in names
        .iter()
        .zip([true, true, true, true, true, false, false])
    {
        let there = store
            .blob_get(Digest::of(name.as_bytes()))
            .await
            .unwrap()
            .is_some();
        assert_eq!(there, kept, "{name}");
    }
    assert!(
        store.run_get(run_id(2)).await.unwrap().is_some(),
        "a kept revision names it"
    );
    assert_eq!(store.run_get(run_id(1)).await, Ok(None));
}

pub(super) async fn retention_keeps_what_blobs_name(store: Arc<dyn Store>) {
    let file = store.blob_put(vec![1; 2 << 20]).await.unwrap();
    let bundle = json!({"files": {"a": {"digest": file}}}).to_string();
    let bundle = store.blob_put(bundle.into_bytes()).await.unwrap();
    let value = store.blob_put(b"a large value".to_vec()).await.unwrap();
    let orphan = store.blob_put(vec![2; 2 << 20]).await.unwrap();
    let mut part = begin(NewRun {
        definition: bundle,
        ..new_run(1)
    });
    part.records.push(record("Value", json!({"blob": value})));
    write(&*store, of_runs([part])).await;
    store.retain(at(5000)).await.unwrap();
    for (digest, kept) in [(file, true), (bundle, true), (value, true), (orphan, false)] {
        let there = store.blob_get(digest).await.unwrap().is_some();
        assert_eq!(there, kept, "{digest}");
    }
}

pub(super) async fn a_store_in_order_has_nothing_to_say(store: Arc<dyn Store>) {
    begun(&*store, &[1, 2]).await;
    let mut last = of_deployment([create(), lock(1), revise(revision(1, 1, 1))]);
    last.secrets.push(secret(DEPLOYMENT, "a@1", "one"));
    write(&*store, last).await;
    write(&*store, put(entry(Kind::Service, "api", 1))).await;
    store.blob_put(vec![3; 2 << 20]).await.unwrap();
    assert_eq!(store.verify().await, Ok(Vec::new()));
}
