//! Small things that the cases are made of.

use std::collections::BTreeMap;

use consort_model::blueprint::{Lifecycle, TargetKind};
use consort_model::id::{DeploymentId, RunId};
use consort_model::revision::{Completeness, Principal, Revision, RevisionNumber};
use consort_model::run::{RunKind, RunStatus};
use consort_model::state::Site;
use consort_model::{Address, Digest, Generation, Kind, StateEntry, Timestamp, Value};

use crate::{
    Appended, Batch, DeploymentChange, Envelope, Epoch, NewRun, RunPart, Seq, StartKey,
    StateChange, StatusChange, Store,
};

pub(super) const DEPLOYMENT: &str = "shop";

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn run_id(n: u8) -> RunId {
    RunId::new(at(i64::from(n)), [n; 10])
}

pub(super) fn batch() -> Batch {
    Batch::new(Principal("uid:7".into()), at(1000))
}

pub(super) fn record(kind: &str, body: Value) -> Envelope {
    Envelope {
        v: 1,
        kind: kind.into(),
        at: at(1000),
        body,
    }
}

pub(super) fn new_run(n: u8) -> NewRun {
    NewRun {
        id: run_id(n),
        kind: RunKind::Plan,
        deployment: DEPLOYMENT.into(),
        subject: None,
        definition: Digest::of(b"definition"),
        parent: None,
        key: None,
        created: at(i64::from(n)),
    }
}

/// A run begins with one record.
pub(super) fn begin(new: NewRun) -> RunPart {
    RunPart {
        run: new.id,
        create: Some(new),
        epoch: Epoch(1),
        expected: Seq(0),
        records: vec![record("RunCreated", Value::Null)],
        status: None,
        snapshot: None,
    }
}

/// One more record for a run.
pub(super) fn go_on(n: u8, expected: u64) -> RunPart {
    RunPart {
        run: run_id(n),
        create: None,
        epoch: Epoch(1),
        expected: Seq(expected),
        records: vec![record("StepPlanned", serde_json::json!({"step": expected}))],
        status: None,
        snapshot: None,
    }
}

pub(super) fn end(n: u8, expected: u64, status: RunStatus) -> RunPart {
    RunPart {
        status: Some(StatusChange {
            status,
            error: None,
        }),
        ..go_on(n, expected)
    }
}

pub(super) fn of_runs(parts: impl IntoIterator<Item = RunPart>) -> Batch {
    Batch {
        runs: parts.into_iter().collect(),
        ..batch()
    }
}

pub(super) fn keyed(n: u8, key: &str, request: &[u8]) -> NewRun {
    NewRun {
        key: Some(StartKey {
            key: key.into(),
            digest: Digest::of(request),
        }),
        ..new_run(n)
    }
}

/// Writes a batch that must be taken.
pub(super) async fn write(store: &dyn Store, batch: Batch) -> Seq {
    match store.append(batch).await {
        Ok(Appended::Written(seq)) => seq,
        other => panic!("a batch in order was not written: {other:?}"),
    }
}

/// Begins runs of these numbers, one batch each.
pub(super) async fn begun(store: &dyn Store, numbers: &[u8]) {
    for n in numbers {
        write(store, of_runs([begin(new_run(*n))])).await;
    }
}

pub(super) fn of_deployment(changes: impl IntoIterator<Item = DeploymentChange>) -> Batch {
    Batch {
        deployments: changes.into_iter().collect(),
        ..batch()
    }
}

pub(super) fn create() -> DeploymentChange {
    DeploymentChange::Create {
        id: DeploymentId::from_bytes([9; 16]),
        name: DEPLOYMENT.into(),
        target: TargetKind::Process,
        created: at(5),
    }
}

pub(super) fn lock(n: u8) -> DeploymentChange {
    DeploymentChange::Lock {
        name: DEPLOYMENT.into(),
        run: run_id(n),
    }
}

pub(super) fn entry(kind: Kind, name: &str, generation: u64) -> StateEntry {
    StateEntry {
        address: Address::new(kind, name),
        driver: "builtin".into(),
        type_name: "file".into(),
        site: Site::local(),
        object: None,
        deposed: Vec::new(),
        generation: Generation(generation),
        depends_on: Vec::new(),
        lifecycle: Lifecycle::default(),
        changed: at(1),
    }
}

pub(super) fn put(entry: StateEntry) -> Batch {
    Batch {
        state: vec![(DEPLOYMENT.into(), StateChange::Put(Box::new(entry)))],
        ..batch()
    }
}

pub(super) fn revision(number: u32, run: u8, when: i64) -> Revision {
    Revision {
        number: RevisionNumber(number),
        run: run_id(run),
        plan: Digest::of(b"plan"),
        bundle: Digest::of(b"bundle"),
        inputs: BTreeMap::new(),
        pins: BTreeMap::new(),
        completeness: Completeness::Complete,
        outputs: BTreeMap::new(),
        at: at(when),
        principal: Principal("uid:7".into()),
    }
}

pub(super) fn revise(revision: Revision) -> DeploymentChange {
    DeploymentChange::Revise {
        name: DEPLOYMENT.into(),
        revision: Box::new(revision),
    }
}
