//! Drives one plan run: feeds the machine, performs its effects, and writes state, secrets and the
//! revision in the same transaction as the records that say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_driver::Ambiguity;
use consort_journal::{Batch, DeploymentChange, Machine, NewSecret, StatusChange, StoreError};
use consort_model::id::RunId;
use consort_model::plan::{ActionId, Mode, Plan};
use consort_model::revision::{Completeness, Principal, Revision, RevisionNumber};
use consort_model::run::RunStatus;
use consort_model::{Address, Code, Digest, Problem, StateEntry};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Answer, Effect, Event, PlanMachine, PlanRecord, RunState, StepOutcome, StepState};
use crate::clock;
use crate::engine::Engine;
use crate::perform::{self, Performed, Step};
use crate::writer::RunWriter;

/// So many effects of one run are under way at once.
const TOTAL: usize = 16;

/// What a driven run can be told.
#[derive(Debug, Clone)]
pub enum Command {
    /// Finish what is under way and stop; or give it up.
    Cancel {
        /// Who.
        by: String,
        /// Give up what is under way.
        now: bool,
    },
    /// Settle a doubt.
    Resolve {
        /// Which step.
        step: String,
        /// Did it take effect?
        happened: bool,
        /// Who.
        by: String,
    },
}

/// What an effect came to.
enum Done {
    Performed(ActionId, Result<Performed, perform::Failure>),
    Resolved(ActionId, Result<perform::Resolved, Problem>),
    Due(ActionId),
}

/// One plan run that is being driven.
pub(crate) struct Executor {
    engine: Arc<Engine>,
    plan: Arc<Plan>,
    digest: Digest,
    principal: Principal,
    writer: RunWriter<PlanMachine>,
    state: BTreeMap<Address, StateEntry>,
    effects: JoinSet<Done>,
    abandon: CancellationToken,
}

impl Executor {
    /// Takes a run up, new or begun by another process.
    pub(crate) async fn load(
        engine: Arc<Engine>,
        run: RunId,
        digest: Digest,
        principal: Principal,
    ) -> Result<Self, Problem> {
        let plan: Plan = engine.kept(digest, "plan").await?;
        let limits = plan
            .actions
            .iter()
            .map(|action| {
                let limit = engine
                    .driver(&action.driver)
                    .map_or(TOTAL, |driver| driver.concurrency());
                (action.driver.clone(), limit)
            })
            .collect();
        let machine = PlanMachine::new(run, &plan, limits, TOTAL);
        let store = Arc::clone(&engine.store);
        let writer =
            RunWriter::load(store, run, principal.clone(), machine, RunState::default()).await?;
        let state = engine.store.state_list(&plan.deployment).await?;
        Ok(Self {
            state: state
                .into_iter()
                .map(|entry| (entry.address.clone(), entry))
                .collect(),
            plan: Arc::new(plan),
            engine,
            digest,
            principal,
            writer,
            effects: JoinSet::new(),
            abandon: CancellationToken::new(),
        })
    }

    /// Drives it until it has ended, or the server stops.
    pub(crate) async fn drive(
        mut self,
        inbox: &mut mpsc::Receiver<Command>,
        resume: Option<String>,
    ) -> Result<(), Problem> {
        let stop = self.engine.tasks.stopping();
        if let Some(by) = resume {
            self.feed(
                Event::ResumeAsked {
                    by,
                    at: clock::now(),
                },
                None,
            )
            .await?;
        }
        self.feed(Event::Recovered { at: clock::now() }, None)
            .await?;
        while self.writer.state().ended.is_none() {
            // Each arm is cancel-safe: commands wait in the channel, finished effects in the set.
            tokio::select! {
                () = stop.cancelled() => {
                    self.effects.shutdown().await;
                    return Ok(());
                }
                Some(command) = inbox.recv() => self.command(command).await?,
                Some(done) = self.effects.join_next(), if !self.effects.is_empty() => match done {
                    Ok(done) => self.done(done).await?,
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => {
                        return Err(Problem::new(Code::INTERNAL, "an effect of the run panicked").caused_by(&error));
                    }
                },
            }
        }
        Ok(())
    }

    async fn command(&mut self, command: Command) -> Result<(), Problem> {
        let at = clock::now();
        match command {
            Command::Cancel { by, now } => {
                self.feed(Event::CancelAsked { by, now, at }, None).await
            }
            Command::Resolve { step, happened, by } => {
                let step = ActionId(step);
                if !matches!(self.writer.state().step(&step), StepState::InDoubt { .. }) {
                    return Ok(());
                }
                let found = if happened {
                    self.adopt(&step).await
                } else {
                    Ok(None)
                };
                match found {
                    Ok(performed) => {
                        let answer = Ok(if happened {
                            Answer::Happened
                        } else {
                            Answer::Repeat
                        });
                        self.feed(
                            Event::Resolved {
                                step,
                                answer,
                                by,
                                at,
                            },
                            performed,
                        )
                        .await
                    }
                    Err(problem) => {
                        self.feed(
                            Event::Resolved {
                                step,
                                answer: Err(problem.to_string()),
                                by,
                                at,
                            },
                            None,
                        )
                        .await
                    }
                }
            }
        }
    }

    /// What a person says has happened is looked at once more: state is recorded of what is there.
    async fn adopt(&self, step: &ActionId) -> Result<Option<Performed>, Problem> {
        let unknown = || Problem::new(Code::RUN_UNKNOWN, format!("there is no step `{step}`"));
        let step = self.step(step).ok_or_else(unknown)?;
        perform::adopt(step).await.map(Some)
    }

    async fn done(&mut self, done: Done) -> Result<(), Problem> {
        let at = clock::now();
        let entropy = clock::entropy();
        match done {
            Done::Due(step) => self.feed(Event::Due { step, at }, None).await,
            Done::Performed(step, Ok(performed)) => {
                let event = Event::Outcome {
                    step,
                    outcome: StepOutcome::Succeeded,
                    retryable: false,
                    entropy,
                    at,
                };
                self.feed(event, Some(performed)).await
            }
            Done::Performed(step, Err(failure)) if failure.ambiguity == Ambiguity::Ambiguous => {
                tracing::warn!(%step, problem = %failure.problem, "an effect has no definite outcome");
                self.feed(Event::Doubted { step, at }, None).await
            }
            Done::Performed(step, Err(failure)) => {
                let outcome = StepOutcome::Failed {
                    problem: failure.problem,
                };
                let event = Event::Outcome {
                    step,
                    outcome,
                    retryable: failure.retryable,
                    entropy,
                    at,
                };
                self.feed(event, failure.partial).await
            }
            Done::Resolved(step, Ok(resolved)) => {
                let (answer, performed) = match resolved {
                    perform::Resolved::Happened(performed) => {
                        (Ok(Answer::Happened), Some(*performed))
                    }
                    perform::Resolved::Repeat => (Ok(Answer::Repeat), None),
                    perform::Resolved::Ask(text) => (Err(text), None),
                };
                self.feed(
                    Event::Resolved {
                        step,
                        answer,
                        by: "its driver".into(),
                        at,
                    },
                    performed,
                )
                .await
            }
            Done::Resolved(step, Err(problem)) => {
                // A look-up that fails is not "absent".
                let answer = Err(format!("the look-up failed: {problem}"));
                self.feed(
                    Event::Resolved {
                        step,
                        answer,
                        by: "its driver".into(),
                        at,
                    },
                    None,
                )
                .await
            }
        }
    }

    /// Feeds an event; `performed` is what its effect changed, written in the same transaction.
    async fn feed(&mut self, event: Event, performed: Option<Performed>) -> Result<(), Problem> {
        let at = clock::now();
        let performed = performed.unwrap_or_default();
        let mut state = self.state.clone();
        perform::fold(&mut state, &performed.state);
        let ending = self.ending(&event, &state).await;
        let changes = Changes {
            deployment: &self.plan.deployment,
            run: self.writer.run(),
            performed: &performed,
            ending: &ending,
        };
        let effects = self
            .writer
            .feed(&event, at, |records, _, batch| {
                changes.write(records, batch)
            })
            .await;
        let effects = effects.map_err(|error| self.give_up(&error))?;
        self.state = state;
        self.begin(effects);
        Ok(())
    }

    fn give_up(&self, error: &StoreError) -> Problem {
        Problem::new(
            error.code(),
            format!("run {} cannot go on", self.writer.run()),
        )
        .caused_by(error)
    }

    /// What the end of the run writes, if this event ends it.
    async fn ending(&self, event: &Event, state: &BTreeMap<Address, StateEntry>) -> Option<Ending> {
        let decision = self.writer.machine().decide(self.writer.state(), event);
        let status = decision.records.iter().find_map(|record| match record {
            PlanRecord::RunEnded { status, .. } => Some(*status),
            _ => None,
        })?;
        let mut after = self.writer.state().clone();
        decision
            .records
            .iter()
            .for_each(|record| self.writer.machine().apply(&mut after, record));
        let failed = after.steps.values().filter_map(|step| match step {
            StepState::Failed { problem } => Some(problem.to_string()),
            _ => None,
        });
        let failed: Vec<String> = failed.collect();
        let error = (!failed.is_empty()).then(|| failed.join("; "));
        let gone = matches!(self.plan.mode, Mode::Destroy { .. }) && state.is_empty();
        let asked = self.plan.mode == Mode::Apply && self.plan.bundle.is_some();
        let newest = self.newest().await;
        let complete = status == RunStatus::Completed;
        let changed = after.effects > 0 || (complete && self.asks_for_news(newest.as_ref()));
        let revision = if asked && !gone && changed {
            Some(self.revision(status, newest.as_ref(), state).await)
        } else {
            None
        };
        Some(Ending {
            status,
            error,
            gone,
            revision,
        })
    }

    /// The newest revision: that of the plan's parent, or one that this run made before it was stopped.
    async fn newest(&self) -> Option<Revision> {
        let store = &self.engine.store;
        let deployment = store.deployment_get(&self.plan.deployment).await.ok()??;
        store
            .revision_get(&deployment.name, deployment.revision?)
            .await
            .ok()?
    }

    /// Does the plan ask for something else than the newest revision, even if nothing is to be done?
    fn asks_for_news(&self, newest: Option<&Revision>) -> bool {
        newest.is_none_or(|revision| {
            Some(revision.bundle) != self.plan.bundle || revision.inputs != self.plan.inputs
        })
    }

    async fn revision(
        &self,
        status: RunStatus,
        newest: Option<&Revision>,
        state: &BTreeMap<Address, StateEntry>,
    ) -> Revision {
        let outputs = crate::evaluate::outputs(&self.engine, &self.plan, state)
            .await
            .unwrap_or_else(|problem| {
                tracing::warn!(%problem, "outputs cannot be evaluated");
                BTreeMap::new()
            });
        let complete = status == RunStatus::Completed;
        Revision {
            number: RevisionNumber(newest.map_or(1, |newest| newest.number.0 + 1)),
            run: self.writer.run(),
            plan: self.digest,
            bundle: self.plan.bundle.unwrap_or(Digest::from_bytes([0; 32])),
            inputs: self.plan.inputs.clone(),
            pins: perform::pins(state),
            completeness: if complete {
                Completeness::Complete
            } else {
                Completeness::Partial
            },
            outputs,
            at: clock::now(),
            principal: self.principal.clone(),
        }
    }

    fn step(&self, step: &ActionId) -> Option<Step> {
        let action = self.writer.machine().action(step)?.clone();
        Some(Step {
            engine: Arc::clone(&self.engine),
            plan: Arc::clone(&self.plan),
            run: self.writer.run(),
            key: self.writer.machine().key(step),
            child: self.writer.machine().child(step),
            principal: self.principal.clone(),
            state: self.state.clone(),
            abandon: self.abandon.clone(),
            action,
        })
    }

    fn begin(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Perform { step, deadline, .. } => {
                    if let Some(performing) = self.step(&step) {
                        self.effects.spawn(async move {
                            Done::Performed(step, perform::perform(performing, deadline).await)
                        });
                    }
                }
                Effect::Resolve { step } => {
                    if let Some(asking) = self.step(&step) {
                        self.effects.spawn(async move {
                            Done::Resolved(step, perform::resolve(asking).await)
                        });
                    }
                }
                Effect::Wait { step, due } => {
                    self.effects.spawn(async move {
                        tokio::time::sleep(due.since(clock::now()).to_std()).await;
                        Done::Due(step)
                    });
                }
                Effect::Abandon => self.abandon.cancel(),
            }
        }
    }
}

/// What the end of a run writes.
struct Ending {
    status: RunStatus,
    error: Option<String>,
    gone: bool,
    revision: Option<Revision>,
}

/// What goes into the batch beside the records.
struct Changes<'a> {
    deployment: &'a str,
    run: RunId,
    performed: &'a Performed,
    ending: &'a Option<Ending>,
}

impl Changes<'_> {
    fn write(&self, records: &[PlanRecord], batch: &mut Batch) {
        let deployment = self.deployment.to_owned();
        let state = self.performed.state.iter().cloned();
        batch
            .state
            .extend(state.map(|change| (deployment.clone(), change)));
        batch.secrets.extend(
            self.performed
                .secrets
                .iter()
                .map(|(handle, value)| NewSecret {
                    deployment: deployment.clone(),
                    handle: handle.clone(),
                    value: value.clone(),
                }),
        );
        batch.runtime.extend(self.performed.runtime.iter().cloned());
        for record in records {
            match record {
                PlanRecord::RunResumed { .. } => {
                    batch.deployments.push(DeploymentChange::Lock {
                        name: deployment.clone(),
                        run: self.run,
                    });
                    batch.runs[0].status = Some(StatusChange {
                        status: RunStatus::Running,
                        error: None,
                    });
                }
                PlanRecord::QuestionAsked { .. } => {
                    batch.runs[0].status = Some(StatusChange {
                        status: RunStatus::Waiting,
                        error: None,
                    });
                }
                PlanRecord::StepPlanned { .. } | PlanRecord::StepResolved { .. } => {
                    batch.runs[0].status = Some(StatusChange {
                        status: RunStatus::Running,
                        error: None,
                    });
                }
                _ => {}
            }
        }
        if let Some(ending) = self.ending {
            self.end(ending, batch);
        }
    }

    fn end(&self, ending: &Ending, batch: &mut Batch) {
        let name = self.deployment.to_owned();
        batch.runs[0].status = Some(StatusChange {
            status: ending.status,
            error: ending.error.clone(),
        });
        if let Some(revision) = &ending.revision {
            let revise = DeploymentChange::Revise {
                name: name.clone(),
                revision: Box::new(revision.clone()),
            };
            batch.deployments.push(revise);
        }
        batch.deployments.push(DeploymentChange::Unlock {
            name: name.clone(),
            run: self.run,
        });
        if ending.gone {
            batch.deployments.push(DeploymentChange::Remove { name });
        }
    }
}
