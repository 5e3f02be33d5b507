//! Drives one run of a workload or job to its end.

use std::sync::Arc;
use std::time::Duration;

use consort_journal::{Batch, Machine, StatusChange, Store, StoreError};
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::{Code, Problem, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::machine::{Effect, Event, Input, WorkloadMachine};
use super::perform::Performer;
use super::record::WorkloadRecord;
use super::state::State;
use crate::clock;
use crate::plan_run::Command;
use crate::writer::RunWriter;

/// The longest wait between two looks at the clock: it may be set.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// One run that is being driven.
pub(super) struct Runner {
    performer: Performer,
    writer: RunWriter<WorkloadMachine>,
    effects: JoinSet<Option<Input>>,
    wakes: Vec<Timestamp>,
}

impl Runner {
    /// Takes a run up, new or begun by another process.
    pub(super) async fn load(
        store: Arc<dyn Store>,
        run: RunId,
        principal: Principal,
        performer: Performer,
    ) -> Result<Self, StoreError> {
        let machine = WorkloadMachine::new(run, Arc::clone(&performer.definition));
        let writer = RunWriter::load(store, run, principal, machine, State::default()).await?;
        Ok(Self {
            performer,
            writer,
            effects: JoinSet::new(),
            wakes: Vec::new(),
        })
    }

    /// Drives it until it has ended, or the server stops.
    pub(super) async fn drive(
        mut self,
        stop: CancellationToken,
        mut inbox: mpsc::Receiver<Command>,
    ) -> Result<(), Problem> {
        let open = self.writer.machine().open_effects(self.writer.state());
        self.begin(open);
        self.feed(Input::Tick).await?;
        while self.writer.state().ended.is_none() {
            let wait = self.until_wake();
            // Each arm is cancel-safe: commands wait in the channel, finished effects in the set.
            let input = tokio::select! {
                () = stop.cancelled() => {
                    // Tasks go on without a server; the next one finds them by their keys.
                    self.effects.shutdown().await;
                    return Ok(());
                }
                Some(command) = inbox.recv() => match command {
                    Command::Cancel { by, now } => Input::Cancel { by, now },
                    Command::Resolve { .. } => continue,
                },
                Some(done) = self.effects.join_next(), if !self.effects.is_empty() => match done {
                    Ok(Some(input)) => input,
                    Ok(None) => continue,
                    Err(error) => {
                        return Err(Problem::new(Code::INTERNAL, "an effect of the run panicked").caused_by(&error));
                    }
                },
                () = tokio::time::sleep(wait) => Input::Tick,
            };
            self.feed(input).await?;
        }
        // What is left are stops of tasks that have ended.
        self.effects.shutdown().await;
        Ok(())
    }

    fn until_wake(&self) -> Duration {
        let next = self.wakes.iter().min();
        next.map_or(LOOK_EVERY, |due| {
            let wait = due.since(clock::now()).to_std();
            wait.clamp(Duration::from_millis(5), LOOK_EVERY)
        })
    }

    async fn feed(&mut self, input: Input) -> Result<(), Problem> {
        let at = clock::now();
        self.wakes.retain(|due| *due > at);
        let enrich = |records: &[WorkloadRecord], _: &State, batch: &mut Batch| {
            for record in records {
                if let WorkloadRecord::RunEnded { status, problem } = record
                    && let Some(part) = batch.runs.first_mut()
                {
                    part.status = Some(StatusChange {
                        status: *status,
                        error: problem.as_ref().map(ToString::to_string),
                    });
                }
            }
        };
        let event = Event {
            at,
            entropy: clock::entropy(),
            input,
        };
        let effects = self.writer.feed(&event, at, enrich).await?;
        self.begin(effects);
        Ok(())
    }

    fn begin(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Wake(due) => {
                    if !self.wakes.contains(&due) {
                        self.wakes.push(due);
                    }
                }
                Effect::Perform { .. } | Effect::Stop { .. } => {
                    self.effects.spawn(self.performer.clone().perform(effect));
                }
            }
        }
    }
}
