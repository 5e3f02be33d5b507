//! Bits that have turned in old data are reported, not used.

use consort_journal::{Seq, SnapshotPart, Store};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_record_with_a_wrong_sum_is_reported() {
    let (dir, store) = fresh();
    write(
        &store,
        of([part(1, 0, vec![json!({"n": 1}), json!({"n": 2})])]),
    )
    .await;
    let conn = raw(&home(&dir));
    conn.execute("UPDATE record SET body = '{\"n\":3}' WHERE seq = 2", [])
        .unwrap();
    assert!(is_corrupt(&store.run_records(run_id(1), Seq(0), 9).await));
    assert_eq!(
        store.run_records(run_id(1), Seq(0), 1).await.unwrap().len(),
        1
    );
    let findings = store.verify().await.unwrap();
    assert!(findings[0].contains("record 2"), "{findings:?}");
}

#[tokio::test]
async fn a_missing_record_is_reported() {
    let (dir, store) = fresh();
    write(&store, of([part(1, 0, vec![1.into(), 2.into(), 3.into()])])).await;
    raw(&home(&dir))
        .execute("DELETE FROM record WHERE seq = 2", [])
        .unwrap();
    let findings = store.verify().await.unwrap();
    assert!(findings[0].contains("has no record 2"), "{findings:?}");
}

#[tokio::test]
async fn the_snapshot_before_a_damaged_one_serves() {
    let (dir, store) = fresh();
    for n in 0..3_u64 {
        let mut part = part(1, n, vec![n.into()]);
        part.snapshot = Some(SnapshotPart {
            format: 1,
            state: json!({"n": n}),
        });
        write(&store, of([part])).await;
    }
    let conn = raw(&home(&dir));
    let kept: i64 = conn
        .query_row("SELECT count(*) FROM snapshot", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 2);
    conn.execute("UPDATE snapshot SET state = '{\"n\":9}' WHERE upto = 3", [])
        .unwrap();
    let snapshot = store.run_snapshot(run_id(1)).await.unwrap().unwrap();
    assert_eq!((snapshot.upto, snapshot.state), (Seq(2), json!({"n": 1})));
}

#[tokio::test]
async fn every_finding_of_the_check_has_a_case() {
    let cases = [
        (
            "UPDATE state SET generation = 7",
            "does not say what its row says",
        ),
        ("UPDATE deployment SET revision = 4", "newest"),
        ("INSERT INTO timer VALUES (x'00', x'00', 1)", "`timer`"),
        (
            "INSERT INTO record VALUES (99, 1, 1, 'k', 1, 1, 'p', '1', 1)",
            "no run",
        ),
        ("UPDATE state SET sum = 1", "wrong sum"),
        ("UPDATE run SET status = 'odd'", "`odd`"),
        ("UPDATE run SET subject = '!!'", "`!!`"),
    ];
    for (sql, expected) in cases {
        let (dir, store) = fresh();
        let mut batch = of([part(1, 0, vec![1.into()])]);
        batch
            .deployments
            .push(consort_journal::DeploymentChange::Create {
                id: consort_model::id::DeploymentId::from_bytes([1; 16]),
                name: "shop".into(),
                target: consort_model::blueprint::TargetKind::Process,
                created: at(1),
            });
        let entry = serde_json::from_value(json!({
            "address": "services.api", "driver": "process", "type_name": "service",
            "site": "local", "object": null, "generation": 1, "changed": 1,
        }));
        let put = consort_journal::StateChange::Put(Box::new(entry.unwrap()));
        batch.state.push(("shop".into(), put));
        write(&store, batch).await;
        assert_eq!(store.verify().await, Ok(Vec::new()));
        raw(&home(&dir)).execute(sql, []).unwrap();
        let findings = store.verify().await.unwrap();
        assert!(
            findings.iter().any(|one| one.contains(expected)),
            "{sql}: {findings:?}"
        );
    }
}
