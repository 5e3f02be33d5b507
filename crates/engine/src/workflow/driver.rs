//! Drives one run: feeds it what comes in, begins the effects once their records are durable, and
//! feeds their results. It goes away when nothing is under way.

use std::sync::Arc;
use std::time::Duration;

use consort_expression::{EvaluationError, HelperAnswer, HelperJob};
use consort_journal::{
    Batch, Blob, Decision, InboxMark, Machine, NewRun, RuntimeChange, StoreError, TimerChange,
};
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::run::{RunKind, RunStatus};
use consort_model::{Code, Problem};
use consort_workflow::{Event, Input, Record, State, WorkflowEffect, WorkflowMachine};
use tokio::task::JoinSet;

use super::enrich::{Committed, Place, enrich};
use super::events;
use super::host::{Host, Mailbox};
use crate::clock;
use crate::engine::Engine;
use crate::writer::RunWriter;

/// Calls that are under way when the server stops may end within this time; then they are in doubt
/// and are repeated with their key.
const GRACE: Duration = Duration::from_secs(3);
/// A full disk or queue is waited for at most so long between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A machine that all runs of a definition share.
struct Shared(Arc<WorkflowMachine>);

impl Machine for Shared {
    type State = State;
    type Event = Event;
    type Record = Record;
    type Effect = WorkflowEffect;

    fn decide(&self, state: &State, event: &Event) -> Decision<Record, WorkflowEffect> {
        self.0.decide(state, event)
    }
    fn apply(&self, state: &mut State, record: &Record) {
        self.0.apply(state, record);
    }
    fn open_effects(&self, state: &State) -> Vec<WorkflowEffect> {
        self.0.open_effects(state)
    }
}

/// What the first batch of a run holds beside its records.
pub(super) struct First {
    pub(super) new: NewRun,
    pub(super) blob: Blob,
    pub(super) mark: Option<InboxMark>,
    pub(super) runtime: Vec<RuntimeChange>,
}

impl First {
    fn add(&self, batch: &mut Batch) {
        batch.runs[0].create = Some(self.new.clone());
        batch.blobs.push(self.blob.clone());
        batch.inbox.extend(self.mark.clone());
        batch.runtime.extend(self.runtime.iter().cloned());
    }
}

/// Drives one run.
pub(super) struct Driver {
    engine: Arc<Engine>,
    host: Arc<Host>,
    run: RunId,
    deployment: String,
    machine: Arc<WorkflowMachine>,
    writer: RunWriter<Shared>,
    status: RunStatus,
    effects: JoinSet<Input>,
    stopping: bool,
}

/// Takes a run up that is recorded, and drives it.
pub(super) async fn take_up(
    engine: Arc<Engine>,
    host: Arc<Host>,
    run: RunId,
    mailbox: Arc<Mailbox>,
) {
    match Driver::load(&engine, &host, run).await {
        Ok(driver) => driver.drive(mailbox).await,
        Err(problem) => {
            host.close(run);
            tracing::error!(%run, %problem, "the run cannot be taken up");
            mailbox.refuse(&problem);
        }
    }
}

impl Driver {
    /// Begins a run.
    pub(super) async fn create(
        engine: &Arc<Engine>,
        host: &Arc<Host>,
        machine: Arc<WorkflowMachine>,
        by: Principal,
        input: Input,
        first: First,
    ) -> Result<Self, Problem> {
        let run = first.new.id;
        let shared = Shared(Arc::clone(&machine));
        let store = Arc::clone(&engine.store);
        let _turn = host.deciding.acquire().await;
        let writer = RunWriter::load(store, run, by, shared, State::default()).await?;
        let mut driver = Self {
            engine: Arc::clone(engine),
            host: Arc::clone(host),
            run,
            deployment: first.new.deployment.clone(),
            machine,
            writer,
            status: RunStatus::Pending,
            effects: JoinSet::new(),
            stopping: false,
        };
        let written = driver.write(&input, Some(&first)).await?;
        if !written {
            let message = "the machine did not begin the run";
            return Err(Problem::new(Code::INTERNAL, message));
        }
        Ok(driver)
    }

    async fn load(engine: &Arc<Engine>, host: &Arc<Host>, run: RunId) -> Result<Self, Problem> {
        let row = engine.run_row(run).await?;
        if row.summary.kind != RunKind::Workflow {
            let message = format!("run {run} is no run of a workflow");
            return Err(Problem::new(Code::RUN_UNKNOWN, message));
        }
        let machine = host.machine(engine, row.summary.definition).await?;
        let shared = Shared(Arc::clone(&machine));
        let store = Arc::clone(&engine.store);
        let by = row.summary.principal;
        let turn = host.deciding.acquire().await;
        let writer = RunWriter::load(store, run, by, shared, State::default()).await?;
        drop(turn);
        let mut driver = Self {
            engine: Arc::clone(engine),
            host: Arc::clone(host),
            run,
            deployment: row.summary.deployment,
            machine,
            writer,
            status: row.summary.status,
            effects: JoinSet::new(),
            stopping: false,
        };
        driver.recover().await?;
        Ok(driver)
    }

    /// Effects that were open when the last driver went away are in doubt: the run is told, and they
    /// are begun again under their keys.
    async fn recover(&mut self) -> Result<(), Problem> {
        if self.machine.open_effects(self.writer.state()).is_empty() {
            return Ok(());
        }
        // What is open afterwards is begun, so effects of this step must not begin twice.
        self.stopping = true;
        self.feed(&Input::Recovered).await?;
        self.stopping = false;
        let open = self.machine.open_effects(self.writer.state());
        self.start(open);
        Ok(())
    }

    /// Drives the run until nothing is under way in it.
    pub(super) async fn drive(mut self, mailbox: Arc<Mailbox>) {
        let stop = self.engine.tasks.stopping();
        let mut deadline = tokio::time::Instant::now();
        loop {
            while let Some(mail) = mailbox.pop() {
                let fed = match &mail.input {
                    Some(input) => self.feed(input).await,
                    None => Ok(()),
                };
                let failed = fed.is_err();
                if let Err(problem) = &fed {
                    self.given_up(problem, &mailbox);
                }
                if let Some(done) = mail.done {
                    let _ = done.send(fed);
                }
                if failed {
                    return;
                }
            }
            if self.effects.is_empty() {
                if self.host.retire(self.run, &mailbox) {
                    return;
                }
                continue;
            }
            // Each arm is cancel-safe: results stay in the set, mail stays in its box.
            tokio::select! {
                Some(done) = self.effects.join_next() => {
                    if let Err(problem) = self.result(done).await {
                        self.given_up(&problem, &mailbox);
                        return;
                    }
                }
                () = mailbox.arrived.notified() => {}
                () = stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    deadline = tokio::time::Instant::now() + GRACE;
                }
                () = tokio::time::sleep_until(deadline), if self.stopping => {
                    self.host.close(self.run);
                    return;
                }
            }
        }
    }

    fn given_up(&self, problem: &Problem, mailbox: &Mailbox) {
        self.host.close(self.run);
        mailbox.refuse(problem);
        tracing::error!(run = %self.run, %problem, "the run stops here; it is taken up when something comes for it");
    }

    async fn result(&mut self, done: Result<Input, tokio::task::JoinError>) -> Result<(), Problem> {
        let input = done.map_err(|error| {
            Problem::new(Code::INTERNAL, "an effect of a workflow ended early").caused_by(&error)
        })?;
        self.feed(&input).await
    }

    /// Decides upon an input; it is durable when this returns.
    async fn feed(&mut self, input: &Input) -> Result<(), Problem> {
        let host = Arc::clone(&self.host);
        let _turn = host.deciding.acquire().await;
        self.write(input, None).await.map(|_| ())
    }

    /// Writes what follows from an input; waits while the store has no room. Was anything written?
    async fn write(&mut self, input: &Input, first: Option<&First>) -> Result<bool, Problem> {
        let mut wait = Duration::from_millis(50);
        loop {
            match self.write_once(input, first).await {
                Ok(written) => return Ok(written),
                Err(error @ (StoreError::Full | StoreError::QueueFull)) if first.is_none() => {
                    if self.engine.tasks.stopping().is_cancelled() {
                        return Err(error.into());
                    }
                    tracing::warn!(run = %self.run, %error, "the run waits for the store");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn write_once(
        &mut self,
        input: &Input,
        first: Option<&First>,
    ) -> Result<bool, StoreError> {
        let at = clock::now();
        let event = Event {
            at,
            entropy: u64::from_le_bytes(clock::random()),
            input: input.clone(),
        };
        let place = self.place(input);
        let machine = Arc::clone(&self.machine);
        let mut done = Committed::default();
        let add = |records: &[Record], next: &State, batch: &mut Batch| {
            let active = !machine.open_effects(next).is_empty();
            done = enrich(&place, records, active, batch);
            if let Some(first) = first {
                first.add(batch);
            }
        };
        let effects = self.writer.feed(&event, at, add).await?;
        if !done.written {
            self.clear(&place).await?;
            return Ok(false);
        }
        self.committed(place.position, done);
        self.start(effects);
        Ok(true)
    }

    fn place(&self, input: &Input) -> Place {
        Place {
            run: self.run,
            deployment: self.deployment.clone(),
            position: self.host.position(),
            status: self.status,
            fired: match input {
                Input::TimerFired { timer } => Some(*timer),
                _ => None,
            },
        }
    }

    /// A timer that means nothing to the run any more must not fire again.
    async fn clear(&self, place: &Place) -> Result<(), StoreError> {
        let Some(timer) = place.fired else {
            return Ok(());
        };
        let mut batch = Batch::new(Principal::system(), clock::now());
        batch.timers.push(TimerChange::Clear {
            run: place.run,
            timer,
        });
        self.engine.store.append(batch).await.map(|_| ())
    }

    /// What follows from a commit in this process.
    fn committed(&mut self, position: u64, done: Committed) {
        if let Some(status) = done.status {
            self.status = status;
        }
        let listeners = &self.host.listeners;
        done.closed.iter().for_each(|id| listeners.close(*id));
        if !done.opened.is_empty() {
            for (id, filter) in done.opened {
                listeners.open(id, self.run, &self.deployment, filter);
            }
            // Events that were matched between the decision and now have not seen the listener.
            if self.host.position() > position {
                events::catch_up(&self.engine, &self.host, &self.deployment, position);
            }
        }
        if done.emitted {
            self.host.outbox.notify_one();
        }
        if let Some(ended) = &done.ended {
            // Calls of which nobody wants to know the answer any more.
            self.effects = JoinSet::new();
            listeners.close_all(self.run);
            self.host.ended(self.run, ended);
        }
    }

    fn start(&mut self, effects: Vec<WorkflowEffect>) {
        if self.stopping {
            return;
        }
        for effect in effects {
            let (engine, host) = (Arc::clone(&self.engine), Arc::clone(&self.host));
            let deployment = self.deployment.clone();
            self.effects.spawn(async move {
                match effect {
                    WorkflowEffect::Http {
                        act,
                        attempt,
                        request,
                    } => {
                        let answer = host.http.call(&engine, &deployment, &request).await;
                        Input::Http {
                            act,
                            attempt,
                            answer,
                        }
                    }
                    WorkflowEffect::Evaluate { name, job } => Input::Evaluated {
                        name,
                        answer: evaluate(&engine, &job).await,
                    },
                    WorkflowEffect::Continue => Input::Continue,
                }
            });
        }
    }
}

async fn evaluate(engine: &Engine, job: &HelperJob) -> HelperAnswer {
    match engine.helper.run(job).await {
        Ok(value) => HelperAnswer::Value(value),
        Err(problem) => HelperAnswer::Error(EvaluationError::limit("helper", problem.to_string())),
    }
}
