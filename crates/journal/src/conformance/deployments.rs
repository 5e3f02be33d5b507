//! Deployments: who may change them, their state and their revisions.

use std::sync::Arc;

use consort_model::blueprint::TargetKind;
use consort_model::revision::RevisionNumber;
use consort_model::run::RunStatus;
use consort_model::{Address, Kind};

use super::fixture::*;
use crate::{Batch, DeploymentChange, NewSecret, Sensitive, StateChange, Store, StoreError};

pub(super) async fn a_deployment_is_created_once(store: Arc<dyn Store>) {
    assert_eq!(store.deployment_get(DEPLOYMENT).await, Ok(None));
    write(&*store, of_deployment([create()])).await;
    let again = DeploymentChange::Create {
        id: consort_model::id::DeploymentId::from_bytes([1; 16]),
        name: DEPLOYMENT.into(),
        target: TargetKind::Docker,
        created: at(99),
    };
    write(&*store, of_deployment([again])).await;
    let kept = store.deployment_get(DEPLOYMENT).await.unwrap().unwrap();
    assert_eq!((kept.target, kept.created), (TargetKind::Process, at(5)));
    assert_eq!((kept.revision, kept.changing), (None, None));
    assert_eq!(store.deployment_list().await, Ok(vec![kept]));
}

async fn holder(store: &dyn Store) -> Option<consort_model::id::RunId> {
    store
        .deployment_get(DEPLOYMENT)
        .await
        .unwrap()
        .unwrap()
        .changing
}

pub(super) async fn one_run_at_a_time_changes_a_deployment(store: Arc<dyn Store>) {
    begun(&*store, &[1, 2]).await;
    let refused = store.append(of_deployment([lock(1)])).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::Missing {
                what: "deployment",
                ..
            })
        ),
        "{refused:?}"
    );
    write(&*store, of_deployment([create(), lock(1)])).await;
    write(&*store, of_deployment([lock(1)])).await;
    let refused = store.append(of_deployment([lock(2)])).await;
    let busy = StoreError::Busy {
        deployment: DEPLOYMENT.into(),
        run: run_id(1),
    };
    assert_eq!(refused, Err(busy));
    let unlock = |n| DeploymentChange::Unlock {
        name: DEPLOYMENT.into(),
        run: run_id(n),
    };
    write(&*store, of_deployment([unlock(2)])).await;
    assert_eq!(
        holder(&*store).await,
        Some(run_id(1)),
        "another run lets nothing go"
    );
    write(&*store, of_deployment([unlock(1), lock(2)])).await;
    assert_eq!(holder(&*store).await, Some(run_id(2)));
}

pub(super) async fn a_run_that_ends_lets_its_deployment_go(store: Arc<dyn Store>) {
    begun(&*store, &[1, 2]).await;
    write(&*store, of_deployment([create(), lock(1)])).await;
    write(&*store, of_runs([end(1, 1, RunStatus::Faulted)])).await;
    assert_eq!(holder(&*store).await, None);
    write(&*store, of_deployment([lock(2)])).await;
    assert_eq!(holder(&*store).await, Some(run_id(2)));
}

pub(super) async fn generations_follow_each_other(store: Arc<dyn Store>) {
    let node = |generation| put(entry(Kind::Service, "api", generation));
    let refused = store.append(node(1)).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::Missing {
                what: "deployment",
                ..
            })
        ),
        "{refused:?}"
    );
    write(&*store, of_deployment([create()])).await;
    assert!(store.append(node(0)).await.is_err());
    write(&*store, node(4)).await;
    for wrong in [3, 4, 6] {
        let refused = store.append(node(wrong)).await;
        assert!(
            matches!(refused, Err(StoreError::Failed { .. })),
            "{wrong}: {refused:?}"
        );
    }
    let mut twice = node(5);
    twice.state.extend(node(6).state);
    write(&*store, twice).await;
    let state = store.state_list(DEPLOYMENT).await.unwrap();
    assert_eq!(state, [entry(Kind::Service, "api", 6)]);
}

pub(super) async fn state_is_listed_by_address(store: Arc<dyn Store>) {
    write(&*store, of_deployment([create()])).await;
    let nodes = [
        (Kind::Service, "b"),
        (Kind::Volume, "z"),
        (Kind::Service, "a"),
    ];
    for (kind, name) in nodes {
        write(&*store, put(entry(kind, name, 1))).await;
    }
    let addresses = async || -> Vec<Address> {
        let state = store.state_list(DEPLOYMENT).await.unwrap();
        state.into_iter().map(|entry| entry.address).collect()
    };
    let mut expected: Vec<Address> = nodes
        .iter()
        .map(|(kind, name)| Address::new(*kind, *name))
        .collect();
    expected.sort();
    assert_eq!(addresses().await, expected);
    let gone = Address::new(Kind::Service, "a");
    let remove = || (DEPLOYMENT.to_owned(), StateChange::Remove(gone.clone()));
    write(
        &*store,
        Batch {
            state: vec![remove(), remove()],
            ..batch()
        },
    )
    .await;
    expected.retain(|address| *address != gone);
    assert_eq!(addresses().await, expected);
    assert_eq!(store.state_list("other").await, Ok(Vec::new()));
}

pub(super) async fn revisions_are_numbered_by_the_deployment(store: Arc<dyn Store>) {
    write(&*store, of_deployment([create()])).await;
    assert!(
        store
            .append(of_deployment([revise(revision(2, 1, 1))]))
            .await
            .is_err()
    );
    write(&*store, of_deployment([revise(revision(1, 1, 1))])).await;
    write(&*store, of_deployment([revise(revision(2, 2, 2))])).await;
    for wrong in [1, 2, 4] {
        assert!(
            store
                .append(of_deployment([revise(revision(wrong, 1, 3))]))
                .await
                .is_err()
        );
    }
    let newest = store
        .deployment_get(DEPLOYMENT)
        .await
        .unwrap()
        .unwrap()
        .revision;
    assert_eq!(newest, Some(RevisionNumber(2)));
    let list = store.revision_list(DEPLOYMENT).await.unwrap();
    assert_eq!(list, [revision(2, 2, 2), revision(1, 1, 1)]);
    let one = store
        .revision_get(DEPLOYMENT, RevisionNumber(1))
        .await
        .unwrap();
    assert_eq!(one, Some(revision(1, 1, 1)));
    assert_eq!(
        store.revision_get(DEPLOYMENT, RevisionNumber(3)).await,
        Ok(None)
    );
}

fn remove() -> DeploymentChange {
    DeploymentChange::Remove {
        name: DEPLOYMENT.into(),
    }
}

pub(super) async fn a_deployment_with_state_is_not_removed(store: Arc<dyn Store>) {
    begun(&*store, &[1]).await;
    write(&*store, of_deployment([create(), lock(1)])).await;
    write(&*store, put(entry(Kind::Service, "api", 1))).await;
    let refused = store.append(of_deployment([remove()])).await;
    assert!(
        matches!(refused, Err(StoreError::Busy { .. })),
        "{refused:?}"
    );
    let own = |batch: Batch| Batch {
        runs: vec![go_on(1, 1)],
        ..batch
    };
    let refused = store.append(own(of_deployment([remove()]))).await;
    assert!(
        matches!(refused, Err(StoreError::Failed { .. })),
        "{refused:?}"
    );
    let gone = StateChange::Remove(Address::new(Kind::Service, "api"));
    let mut last = own(of_deployment([remove()]));
    last.state.push((DEPLOYMENT.into(), gone));
    write(&*store, last).await;
    assert_eq!(store.deployment_get(DEPLOYMENT).await, Ok(None));
    write(&*store, of_deployment([remove()])).await;
}

pub(super) async fn a_removed_deployment_leaves_no_secret(store: Arc<dyn Store>) {
    let mut first = of_deployment([create(), revise(revision(1, 1, 1))]);
    first.secrets.push(NewSecret {
        deployment: DEPLOYMENT.into(),
        handle: "a@1".parse().unwrap(),
        value: Sensitive::new("x".into()),
    });
    write(&*store, first).await;
    write(&*store, of_deployment([remove()])).await;
    assert_eq!(store.secret_version(DEPLOYMENT, "a").await, Ok(0));
    assert_eq!(store.revision_list(DEPLOYMENT).await, Ok(Vec::new()));
    write(
        &*store,
        of_deployment([create(), revise(revision(1, 1, 1))]),
    )
    .await;
}
