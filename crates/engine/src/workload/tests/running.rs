//! The runner over a task runtime in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use consort_driver::{
    Context, DriverError, StepKey, TaskOutcome, TaskRequest, TaskRuntime, TaskStatus,
};
use consort_journal::memory::MemoryStore;
use consort_journal::{Batch, Envelope, NewRun, RunPart, Seq, StatusChange, Store};
use consort_model::id::{HomeId, RunId};
use consort_model::revision::Principal;
use consort_model::run::{RunKind, RunStatus};
use consort_model::time::Span;
use consort_model::units::MilliCpus;
use consort_model::{Code, Digest, Timestamp};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::support::{define, segments, workload};
use crate::clock;
use crate::context::{Home, context};
use crate::plan_run::Command;
use crate::workload::definition::Definition;
use crate::workload::perform::Performer;
use crate::workload::record::WorkloadRecord;
use crate::workload::report::report;
use crate::workload::runner::Runner;
use crate::workload::state::State;
use crate::workload::{machine::WorkloadMachine, steps};

/// Tasks that end when they are let go.
#[derive(Default)]
struct Memory {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    started: BTreeMap<String, Vec<TaskRequest>>,
    ended: BTreeMap<String, TaskOutcome>,
    /// Tasks that are held until they are let go.
    held: Vec<String>,
    fails_once: Vec<String>,
    /// The next answers to looks are errors.
    silent: u32,
}

impl Memory {
    fn end(inner: &mut Inner, key: &str, code: i32) {
        let at = clock::now();
        let outcome = TaskOutcome {
            exit_code: Some(code),
            ended: format!("exit code {code}"),
            started: at,
            finished: at,
            cpu_time: Some(Span::from_millis(1)),
            enforced: true,
        };
        inner.ended.entry(key.to_owned()).or_insert(outcome);
    }

    fn starts(&self) -> BTreeMap<String, usize> {
        let inner = self.inner.lock().unwrap();
        let mut starts = BTreeMap::new();
        for request in inner.started.values().flatten() {
            *starts.entry(request.address.to_string()).or_insert(0) += 1;
        }
        starts
    }

    async fn until(&self, holds: impl Fn(&Inner) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&self.inner.lock().unwrap()) {
                return;
            }
            changed.await;
        }
    }

    fn let_go(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.held.clear();
        let open: Vec<String> = inner.started.keys().cloned().collect();
        open.iter().for_each(|key| Self::end(&mut inner, key, 0));
        drop(inner);
        self.changed.notify_waiters();
    }
}

#[async_trait]
impl TaskRuntime for Memory {
    async fn task_start(&self, _: &Context, request: TaskRequest) -> Result<(), DriverError> {
        let mut inner = self.inner.lock().unwrap();
        let key = request.key.0.clone();
        let name = request.address.to_string();
        inner.started.entry(key.clone()).or_default().push(request);
        let is_held = inner.held.iter().any(|held| name.ends_with(held.as_str()));
        let fails = inner
            .fails_once
            .iter()
            .position(|fails| name.ends_with(fails.as_str()));
        if let Some(at) = fails {
            inner.fails_once.remove(at);
            Self::end(&mut inner, &key, 1);
        } else if !is_held {
            Self::end(&mut inner, &key, 0);
        }
        drop(inner);
        self.changed.notify_waiters();
        Ok(())
    }
    async fn task_status(&self, _: &Context, key: &StepKey) -> Result<TaskStatus, DriverError> {
        let mut inner = self.inner.lock().unwrap();
        if inner.silent > 0 {
            inner.silent -= 1;
            return Err(DriverError::new(Code::TARGET_UNAVAILABLE, "no answer"));
        }
        Ok(match inner.ended.get(&key.0) {
            Some(outcome) => TaskStatus::Ended(outcome.clone()),
            None if inner.started.contains_key(&key.0) => TaskStatus::Running,
            None => TaskStatus::Absent,
        })
    }
    async fn task_wait(&self, _: &Context, key: &StepKey) -> Result<TaskOutcome, DriverError> {
        self.until(|inner| inner.ended.contains_key(&key.0)).await;
        Ok(self.inner.lock().unwrap().ended[&key.0].clone())
    }
    async fn task_stop(&self, _: &Context, key: &StepKey) -> Result<(), DriverError> {
        Self::end(&mut self.inner.lock().unwrap(), &key.0, 143);
        self.changed.notify_waiters();
        Ok(())
    }
    async fn task_remove(&self, _: &Context, _: &StepKey) -> Result<(), DriverError> {
        Ok(())
    }
    fn task_shares(&self) -> Result<(), String> {
        Ok(())
    }
    fn task_capacity(&self) -> MilliCpus {
        MilliCpus(2000)
    }
}

struct Bench {
    store: Arc<dyn Store>,
    runtime: Arc<Memory>,
    definition: Arc<Definition>,
    run: RunId,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new(retries: u32) -> Self {
        let definition = define(&workload("60s", &segments(retries))).unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let run = RunId::from_bytes([9; 16]);
        let at = clock::now();
        let record = WorkloadRecord::RunCreated {
            definition: Digest::of(b""),
            fleet: definition.fleet(),
            makespan: Span::from_micros(definition.schedule.makespan),
            cost: Default::default(),
        };
        let mut batch = Batch::new(Principal::system(), at);
        let blob = consort_journal::Blob::new(b"{}".to_vec());
        batch.runs.push(RunPart {
            run,
            create: Some(NewRun {
                id: run,
                kind: RunKind::Workload,
                deployment: "test".into(),
                subject: Some(definition.address.clone()),
                definition: blob.digest,
                parent: None,
                key: None,
                created: at,
            }),
            epoch: store.epoch(),
            expected: Seq(0),
            records: vec![Envelope::wrap(&record, at).unwrap()],
            status: Some(StatusChange {
                status: RunStatus::Running,
                error: None,
            }),
            snapshot: None,
        });
        batch.blobs.push(blob);
        store.append(batch).await.unwrap();
        Self {
            store,
            runtime: Arc::default(),
            definition,
            run,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    async fn runner(&self) -> Runner {
        let home = Home {
            id: HomeId::from_bytes([1; 16]),
            directory: self.folder.path().to_owned(),
            sockets: self.folder.path().to_owned(),
        };
        let performer = Performer {
            runtime: Arc::clone(&self.runtime) as Arc<dyn TaskRuntime>,
            context: context(&self.store, &home, "test", PathBuf::from(".")),
            definition: Arc::clone(&self.definition),
            environment: vec![("K_SINK".into(), "x".into())],
            run_directory: self.folder.path().join("workloads/test/run"),
        };
        let store = Arc::clone(&self.store);
        Runner::load(store, self.run, Principal::system(), performer)
            .await
            .unwrap()
    }

    async fn state(&self) -> State {
        let machine = WorkloadMachine::new(self.run, Arc::clone(&self.definition));
        let store = Arc::clone(&self.store);
        let by = Principal::system();
        let writer = crate::RunWriter::load(store, self.run, by, machine, State::default());
        writer.await.unwrap().state().clone()
    }

    async fn status(&self) -> RunStatus {
        self.store
            .run_get(self.run)
            .await
            .unwrap()
            .unwrap()
            .summary
            .status
    }
}

fn inbox() -> (mpsc::Sender<Command>, mpsc::Receiver<Command>) {
    mpsc::channel(4)
}

#[tokio::test]
async fn a_workload_runs_to_its_end_with_what_each_task_needs() {
    let bench = Bench::new(0).await;
    let (_keep, receive) = inbox();
    let runner = bench.runner().await;
    runner
        .drive(CancellationToken::new(), receive)
        .await
        .unwrap();
    assert_eq!(bench.status().await, RunStatus::Completed);
    assert!(bench.runtime.starts().values().all(|count| *count == 1));
    let inner = bench.runtime.inner.lock().unwrap();
    let request = inner.started.values().flatten().next().unwrap();
    assert!(request.cpus.is_some() && request.memory.is_some() && request.run_directory.is_dir());
    let names: Vec<&str> = request
        .environment
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "K_SINK",
            "CONSORT_RUN_DIR",
            "CONSORT_TASK",
            "CONSORT_ATTEMPT"
        ]
    );
}

#[tokio::test]
async fn plan_and_actual_stand_side_by_side() {
    let bench = Bench::new(1).await;
    bench.runtime.inner.lock().unwrap().silent = 2;
    let (_keep, receive) = inbox();
    let runner = bench.runner().await;
    runner
        .drive(CancellationToken::new(), receive)
        .await
        .unwrap();
    let planned = report(&bench.definition, None);
    assert!(planned.actual.is_none() && planned.tasks.iter().all(|task| task.status == "planned"));
    let report = report(&bench.definition, Some(&bench.state().await));
    assert_eq!(report.planned, planned.planned);
    assert!(report.actual.is_some() && report.enforced.is_ok());
    assert!(
        report
            .tasks
            .iter()
            .all(|task| task.status == "succeeded" && task.actual.is_some())
    );
    let records = bench
        .store
        .run_records(bench.run, Seq(0), 1000)
        .await
        .unwrap();
    let (views, problems) = steps(&records);
    assert_eq!((views.len(), problems.len()), (6, 0));
    assert_eq!(views[0].step, "fit");
}

#[tokio::test]
async fn a_task_that_fails_is_started_again_and_none_more_often_than_allowed() {
    let bench = Bench::new(1).await;
    bench
        .runtime
        .inner
        .lock()
        .unwrap()
        .fails_once
        .push("/merge".into());
    let (_keep, receive) = inbox();
    let runner = bench.runner().await;
    runner
        .drive(CancellationToken::new(), receive)
        .await
        .unwrap();
    assert_eq!(bench.status().await, RunStatus::Completed);
    let starts = bench.runtime.starts();
    assert_eq!(starts["workloads.nightly/merge"], 2);
    assert_eq!(starts.values().sum::<usize>(), 7);
}

#[tokio::test]
async fn a_server_that_comes_back_finds_its_tasks_and_starts_none_twice() {
    let bench = Bench::new(0).await;
    bench.runtime.inner.lock().unwrap().held.push("/fit".into());
    let stop = CancellationToken::new();
    let (_keep, receive) = inbox();
    let first = tokio::spawn(bench.runner().await.drive(stop.clone(), receive));
    bench.runtime.until(|inner| !inner.started.is_empty()).await;
    stop.cancel();
    first.await.unwrap().unwrap();
    assert_eq!(bench.status().await, RunStatus::Running);
    bench.runtime.let_go();
    let (_keep, receive) = inbox();
    let runner = bench.runner().await;
    runner
        .drive(CancellationToken::new(), receive)
        .await
        .unwrap();
    assert_eq!(bench.status().await, RunStatus::Completed);
    assert!(bench.runtime.starts().values().all(|count| *count == 1));
}

#[tokio::test]
async fn a_run_that_is_given_up_ends_its_tasks() {
    let bench = Bench::new(3).await;
    bench.runtime.inner.lock().unwrap().held.push("/fit".into());
    let (send, receive) = inbox();
    let driven = tokio::spawn(
        bench
            .runner()
            .await
            .drive(CancellationToken::new(), receive),
    );
    bench.runtime.until(|inner| !inner.started.is_empty()).await;
    let cancel = Command::Cancel {
        by: "someone".into(),
        now: true,
    };
    send.send(cancel).await.unwrap();
    driven.await.unwrap().unwrap();
    assert_eq!(bench.status().await, RunStatus::Cancelled);
    assert_eq!(bench.runtime.starts().len(), 1);
    let state = bench.state().await;
    assert!(
        state
            .leases
            .iter()
            .all(|lease| lease.end.is_some_and(|end| end > Timestamp::default()))
    );
}
