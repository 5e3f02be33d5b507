//! Carries a roll-out out over an instance runtime. All effects may be repeated, so a runner that
//! takes a roll-out up after a crash begins the open ones again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consort_driver::{
    Context, InstanceRequest, InstanceStatus, Route, RouteTarget, StepKey, StopMode, Target,
};
use consort_journal::{Machine, Store, StoreError};
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::run::RunStatus;
use consort_model::service::ServiceSpec;
use consort_model::{Code, Problem, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::machine::{Effect, Event, Input, RolloutMachine};
use super::record::{Definition, Direction, RolloutRecord, Seen, SeenPhase};
use super::state::State;
use crate::clock;
use crate::writer::RunWriter;

/// The longest wait between two looks at the instances, should a notice be lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How a roll-out ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How.
    pub status: RunStatus,
    /// Which way it went last.
    pub direction: Direction,
    /// What went wrong.
    pub problem: Option<Problem>,
}

/// One roll-out that is being carried out.
pub struct Runner {
    target: Arc<dyn Target>,
    context: Context,
    environment: Vec<(String, String)>,
    writer: RunWriter<RolloutMachine>,
    effects: JoinSet<Input>,
    wakes: Vec<Timestamp>,
}

impl Runner {
    /// Takes a roll-out up, whether it is new or was begun by another process. `environment` is what
    /// the engine adds to that of the instances.
    ///
    /// # Errors
    /// When its records cannot be read.
    pub async fn load(
        store: Arc<dyn Store>,
        target: Arc<dyn Target>,
        context: Context,
        environment: Vec<(String, String)>,
        run: RunId,
        definition: Definition,
        principal: Principal,
    ) -> Result<Self, StoreError> {
        let machine = RolloutMachine::new(run, definition);
        let writer = RunWriter::load(store, run, principal, machine, State::default()).await?;
        Ok(Self {
            target,
            context,
            environment,
            writer,
            effects: JoinSet::new(),
            wakes: Vec::new(),
        })
    }

    /// Carries it out to its end. When `stop` is told, it stops where it is and can be taken up again.
    ///
    /// # Errors
    /// When the store or the runtime fails in a way that the roll-out cannot answer.
    pub async fn run(
        mut self,
        stop: CancellationToken,
        cancel: CancellationToken,
    ) -> Result<Option<Ended>, Problem> {
        let open = self.writer.machine().open_effects(self.writer.state());
        self.begin(open);
        let first = if self.writer.state().begun {
            Input::Tick
        } else {
            self.first_look().await?
        };
        self.feed(first).await?;
        let mut seen: Vec<InstanceStatus> = Vec::new();
        let mut cancelled = false;
        while self.writer.state().ended.is_none() {
            let limit = self.until_wake();
            let service = self.writer.machine().definition().service.clone();
            let (target, context) = (Arc::clone(&self.target), self.context.clone());
            // Each arm is cancel-safe: looks have no effect, and finished effects stay in the set.
            let input = tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    Input::Cancel { by: "the run".into() }
                }
                Some(done) = self.effects.join_next(), if !self.effects.is_empty() => {
                    done.map_err(|error| Problem::new(Code::INTERNAL, "an effect of a roll-out panicked").caused_by(&error))?
                }
                looked = target.instances().instance_wait(&context, &service, &seen, limit) => match looked {
                    Ok(now) if now == seen => Input::Tick,
                    Ok(now) => {
                        seen = now;
                        Input::Observed(observe(&seen))
                    }
                    Err(error) => {
                        tracing::warn!(service = %service, error = %error, "instances cannot be seen");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        Input::Tick
                    }
                },
            };
            self.feed(input).await?;
        }
        let state = self.writer.state();
        let status = state.ended.unwrap_or(RunStatus::Faulted);
        let problem = state
            .problem
            .clone()
            .or_else(|| state.failed.values().next().cloned());
        Ok(Some(Ended {
            status,
            direction: state.direction,
            problem,
        }))
    }

    async fn first_look(&self) -> Result<Input, Problem> {
        let service = &self.writer.machine().definition().service;
        let list = self
            .target
            .instances()
            .instance_list(&self.context, Some(service))
            .await;
        let list = list.map_err(|error| error.problem())?;
        let generation = self
            .context
            .facts
            .fact_get("route", &fact_key(&self.context, service))
            .await;
        let generation = generation
            .map_err(|error| error.problem())?
            .and_then(|value| value.as_u64())
            .unwrap_or(0);
        let mut instances = observe(&list);
        instances.values_mut().for_each(|seen| seen.before = true);
        Ok(Input::Begin {
            instances,
            generation,
        })
    }

    fn until_wake(&self) -> Duration {
        let next = self
            .wakes
            .iter()
            .min()
            .map(|time| time.since(clock::now()).to_std());
        next.map_or(LOOK_EVERY, |wait| {
            wait.clamp(Duration::from_millis(5), LOOK_EVERY)
        })
    }

    async fn feed(&mut self, input: Input) -> Result<(), Problem> {
        let at = clock::now();
        self.wakes.retain(|time| *time > at);
        let enrich = |records: &[RolloutRecord], _: &State, batch: &mut consort_journal::Batch| {
            for record in records {
                if let RolloutRecord::RunEnded { status } = record {
                    let error = error_of(records);
                    batch.runs[0].status = Some(consort_journal::StatusChange {
                        status: *status,
                        error,
                    });
                }
            }
        };
        let effects = self
            .writer
            .feed(&Event { at, input }, at, enrich)
            .await
            .map_err(Problem::from)?;
        self.begin(effects);
        Ok(())
    }

    fn begin(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Wake(time) = effect {
                if !self.wakes.contains(&time) {
                    self.wakes.push(time);
                }
                continue;
            }
            let performer = Performer {
                target: Arc::clone(&self.target),
                context: Context {
                    now: clock::now(),
                    ..self.context.clone()
                },
                environment: self.environment.clone(),
                machine: self.writer.machine().clone(),
                drain: self
                    .writer
                    .machine()
                    .policy(self.writer.state().direction)
                    .drain
                    .to_std(),
            };
            self.effects.spawn(performer.perform(effect));
        }
    }
}

fn error_of(records: &[RolloutRecord]) -> Option<String> {
    records.iter().find_map(|record| match record {
        RolloutRecord::RollbackBegun { problem } | RolloutRecord::SlotFailed { problem, .. } => {
            Some(problem.to_string())
        }
        _ => None,
    })
}

/// The key under which the generation of a service's route is kept.
pub(crate) fn fact_key(context: &Context, service: &consort_model::Address) -> String {
    format!("{}/{service}", context.deployment)
}

/// What the runtime says, as the machine sees it.
fn observe(list: &[InstanceStatus]) -> BTreeMap<String, Seen> {
    list.iter()
        .map(|status| {
            let slot = match status.address.part() {
                Some(consort_model::address::Part::Instance(number)) => *number,
                Some(consort_model::address::Part::Task(_)) | None => 1,
            };
            let phase = SeenPhase::of(status.phase, status.exit_code, status.restarts);
            let seen = Seen {
                slot,
                version: status.version,
                phase,
                before: false,
                ended: status.ended.clone(),
            };
            (status.id.clone(), seen)
        })
        .collect()
}

struct Performer {
    target: Arc<dyn Target>,
    context: Context,
    environment: Vec<(String, String)>,
    machine: RolloutMachine,
    drain: Duration,
}

impl Performer {
    async fn perform(self, effect: Effect) -> Input {
        match effect {
            Effect::Start {
                slot,
                key,
                direction,
            } => {
                let result = self.start(slot, key, direction).await;
                Input::Started { slot, result }
            }
            Effect::Route {
                generation,
                targets,
            } => {
                self.route(generation, targets).await;
                Input::Routed(generation)
            }
            Effect::Drain { id } => {
                let service = self.machine.definition().service.clone();
                let drained = self
                    .target
                    .instances()
                    .route_drained(&self.context, &service, &id, self.drain)
                    .await;
                // An instance of which nothing can be learnt is stopped after its drain time all the same.
                let left = drained.unwrap_or_else(|error| {
                    tracing::warn!(instance = %id, error = %error, "connections cannot be counted");
                    0
                });
                Input::Drained { id, left }
            }
            Effect::Stop { id } => {
                self.stop(&id).await;
                Input::Stopped(id)
            }
            Effect::Wake(_) => Input::Tick,
        }
    }

    async fn start(&self, slot: u32, key: String, direction: Direction) -> Result<String, Problem> {
        let definition = self.machine.definition();
        let address = definition.service.clone().instance(slot);
        let goal = self.machine.goal(direction);
        let goal = goal.ok_or_else(|| {
            Problem::new(Code::INTERNAL, "there is no version to start").at(&address)
        })?;
        let spec = ServiceSpec::from_value(&goal.spec).map_err(|error| {
            Problem::new(Code::BLUEPRINT_INVALID, "the service cannot be read")
                .at(&address)
                .caused_by(&error)
        })?;
        let request = InstanceRequest {
            key: StepKey(key),
            address: address.clone(),
            version: goal.digest,
            spec,
            service: goal.attributes.clone(),
            program: goal.program,
            environment: self.environment.clone(),
        };
        let started = self
            .target
            .instances()
            .instance_start(&self.context, request)
            .await;
        started
            .map(|status| status.id)
            .map_err(|error| error.problem().at(address))
    }

    /// Sets the route until it is set: without it nothing is right, and it may be repeated.
    async fn route(&self, generation: u64, targets: BTreeMap<String, bool>) {
        let service = self.machine.definition().service.clone();
        let key = fact_key(&self.context, &service);
        let targets: Vec<RouteTarget> = targets
            .into_iter()
            .map(|(id, draining)| RouteTarget { id, draining })
            .collect();
        for wait in backoff() {
            let route = Route {
                service: service.clone(),
                generation,
                targets: targets.clone(),
            };
            let set = self
                .target
                .instances()
                .route_set(&self.context, route)
                .await;
            let kept = self
                .context
                .facts
                .fact_put("route", &key, Some(generation.into()))
                .await;
            match set.and(kept) {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(service = %service, error = %error, "the route cannot be set yet")
                }
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn stop(&self, id: &str) {
        for wait in backoff() {
            let runtime = self.target.instances();
            let stopped = match runtime
                .instance_stop(&self.context, id, StopMode::Graceful)
                .await
            {
                Ok(()) => runtime.instance_remove(&self.context, id).await,
                Err(error) => Err(error),
            };
            match stopped {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(instance = %id, error = %error, "the instance cannot be stopped yet")
                }
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// Waits of 100 ms, doubled up to 5 s, for about half an hour in all.
fn backoff() -> impl Iterator<Item = Duration> {
    (0..360_u32).map(|step| Duration::from_millis((100 << step.min(6)).min(5_000)))
}
