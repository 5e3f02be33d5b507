//! Begins runs. Its creation, its first records and what belongs to them (the place in the inbox,
//! the tick of a schedule) are one batch.

use std::sync::Arc;

use consort_journal::{Blob, InboxMark, NewRun, RuntimeChange, StartKey};
use consort_model::digest::canonical;
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::run::RunKind;
use consort_model::{Code, Problem, Value};
use consort_workflow::{Ended, Input};
use serde_json::json;
use tokio::sync::oneshot;

use super::driver::{Driver, First};
use super::host::Host;
use super::registered::Registered;
use crate::clock;
use crate::engine::Engine;
use crate::tasks::TaskKind;

/// A run that shall begin.
pub(super) struct Begin<'a> {
    deployment: &'a str,
    workflow: &'a Registered,
    input: Value,
    by: Principal,
    key: Option<StartKey>,
    mark: Option<InboxMark>,
    runtime: Vec<RuntimeChange>,
    waiter: Option<oneshot::Sender<Ended>>,
}

impl<'a> Begin<'a> {
    pub(super) const fn new(
        deployment: &'a str,
        workflow: &'a Registered,
        input: Value,
        by: Principal,
    ) -> Self {
        Self {
            deployment,
            workflow,
            input,
            by,
            key: None,
            mark: None,
            runtime: Vec::new(),
            waiter: None,
        }
    }
    /// Finds the run again when it is begun again.
    pub(super) fn key(self, key: StartKey) -> Self {
        let key = Some(key);
        Self { key, ..self }
    }
    /// Moves the place in the inbox with it.
    pub(super) fn mark(self, mark: Option<InboxMark>) -> Self {
        Self { mark, ..self }
    }
    /// Writes a fact with it.
    pub(super) fn fact(mut self, fact: RuntimeChange) -> Self {
        self.runtime.push(fact);
        self
    }
    /// Tells this one when it ends.
    pub(super) fn tell(self, waiter: oneshot::Sender<Ended>) -> Self {
        let waiter = Some(waiter);
        Self { waiter, ..self }
    }
}

/// A run that was begun, now or before under the same key.
pub(super) struct Begun {
    pub(super) run: RunId,
    /// It was begun before; nothing else was written.
    pub(super) existed: bool,
}

/// Begins a run, or finds the one that was begun under the same key.
pub(super) async fn begin(
    engine: &Arc<Engine>,
    host: &Arc<Host>,
    begin: Begin<'_>,
) -> Result<Begun, Problem> {
    let key = begin.key.clone();
    // The store knows whether the key was used, and for what: asking first would only race with it.
    match create(engine, host, begin).await {
        Ok(run) => Ok(Begun {
            run,
            existed: false,
        }),
        Err(problem) => match existing(engine, key.as_ref()).await? {
            Some(run) if problem.code != Code::REQUEST_CONFLICT => Ok(Begun { run, existed: true }),
            _ => Err(problem),
        },
    }
}

async fn existing(engine: &Engine, key: Option<&StartKey>) -> Result<Option<RunId>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let found = engine.store.run_by_key(&key.key).await?;
    Ok(found.map(|row| row.summary.id))
}

async fn create(
    engine: &Arc<Engine>,
    host: &Arc<Host>,
    begin: Begin<'_>,
) -> Result<RunId, Problem> {
    let at = clock::now();
    let run = RunId::new(at, clock::random());
    let definition = &begin.workflow.definition;
    let blob = Blob::new(canonical(definition.document()).into_bytes());
    let new = NewRun {
        id: run,
        kind: RunKind::Workflow,
        deployment: begin.deployment.to_owned(),
        subject: Some(begin.workflow.address.clone()),
        definition: blob.digest,
        parent: None,
        key: begin.key,
        created: at,
    };
    let first = First {
        new,
        blob,
        mark: begin.mark,
        runtime: begin.runtime,
    };
    let input = Input::Started {
        run,
        input: begin.input,
        secrets: begin.workflow.secrets.clone(),
        runtime: json!({"name": "consort", "version": env!("CARGO_PKG_VERSION"), "metadata": {}}),
    };
    let machine = host.compiled(definition);
    let mailbox = host.open(run);
    if let Some(waiter) = begin.waiter {
        host.wait_for(run, waiter);
    }
    let created = Driver::create(engine, host, machine, begin.by, input, first).await;
    match created {
        Ok(driver) => {
            engine.tasks.start(TaskKind::Run, driver.drive(mailbox));
            Ok(run)
        }
        Err(problem) => {
            host.close(run);
            host.drop_waiters(run);
            Err(problem)
        }
    }
}
