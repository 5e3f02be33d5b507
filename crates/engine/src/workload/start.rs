//! Starts runs of workloads and jobs, and takes open ones up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use consort_driver::TaskRuntime;
use consort_journal::{
    Appended, Batch, Blob, Envelope, NewRun, RunPart, RunRow, Seq, StartKey, StatusChange,
};
use consort_model::id::RunId;
use consort_model::plan::Mode;
use consort_model::revision::{Deployment, Principal};
use consort_model::run::{RunKind, RunStatus};
use consort_model::time::Span;
use consort_model::units::MicroUsd;
use consort_model::{Address, Code, Digest, Kind, Problem, StateEntry, Value};
use consort_scheduling::{Limits, Objective, Schedule, Spec};
use serde_json::json;
use tokio::sync::mpsc;

use super::definition::Definition;
use super::machine::WorkloadMachine;
use super::perform::Performer;
use super::read;
use super::record::WorkloadRecord;
use super::report::report;
use super::runner::Runner;
use super::runtime::OfTarget;
use super::state::State;
use crate::clock;
use crate::control::{StartAnswer, StartRequest, WorkloadReport};
use crate::engine::Engine;
use crate::tasks::TaskKind;

/// The search for a plan, in tasks placed.
pub(super) const PLAN_WORK: u64 = 200_000;

/// Plans with so much search, or says why the objective cannot be met and what can.
pub(super) fn plan(address: &Address, spec: &Spec, work: u64) -> Result<Schedule, Problem> {
    let problem = consort_scheduling::Problem::new(spec.clone()).map_err(|error| {
        Problem::new(Code::BLUEPRINT_INVALID, "the workload cannot be planned")
            .at(address)
            .caused_by(&error)
    })?;
    consort_scheduling::plan(&problem, &Limits::of(work)).map_err(|infeasible| {
        let (cost, time) = (infeasible.schedule.cost, infeasible.schedule.makespan);
        let (cost, time) = (MicroUsd(cost), Span::from_micros(time));
        let (asked, nearest, flag) = match (infeasible.asked, infeasible.nearest) {
            (Objective::Deadline(asked), Objective::Deadline(nearest)) => (
                format!("a deadline of {}", Span::from_micros(asked)),
                format!("{}, at {cost}", Span::from_micros(nearest)),
                "deadline",
            ),
            (Objective::Budget(asked), Objective::Budget(nearest)) => (
                format!("a budget of {}", MicroUsd(asked)),
                format!("{}, done after {time}", MicroUsd(nearest)),
                "budget",
            ),
            (asked, nearest) => (asked.to_string(), nearest.to_string(), "objective"),
        };
        let message = format!(
            "{asked} cannot be met with this pool; the nearest feasible {flag} is {nearest}"
        );
        Problem::new(Code::OBJECTIVE_INFEASIBLE, message)
            .at(address)
            .remedy(format!(
                "Ask for that {flag}, or give the pool larger types or a higher limit."
            ))
    })
}

impl Engine {
    /// Takes an open run up after a restart.
    pub(crate) async fn drive_workload(self: &Arc<Self>, row: RunRow) {
        let run = row.summary.id;
        let definition = match self
            .kept::<Definition>(row.summary.definition, "workload")
            .await
        {
            Ok(definition) => definition,
            Err(problem) => {
                tracing::error!(%run, %problem, "the run cannot be taken up");
                return;
            }
        };
        self.drive_defined(run, Arc::new(definition), row.summary.principal);
    }

    fn drive_defined(self: &Arc<Self>, run: RunId, definition: Arc<Definition>, by: Principal) {
        if self.inbox(run).is_some() {
            return;
        }
        let (send, receive) = mpsc::channel(16);
        self.note_driven(run, Some(send));
        let engine = Arc::clone(self);
        self.tasks.start(TaskKind::Run, async move {
            let stop = engine.tasks.stopping();
            let driven = match engine.runner(run, definition, by).await {
                Ok(runner) => runner.drive(stop, receive).await,
                Err(problem) => Err(problem),
            };
            if let Err(problem) = driven {
                tracing::error!(%run, %problem, "the run stops here; it is taken up at the next start");
            }
            engine.note_driven(run, None);
        });
    }

    async fn runner(
        self: &Arc<Self>,
        run: RunId,
        definition: Arc<Definition>,
        by: Principal,
    ) -> Result<Runner, Problem> {
        let deployment = self.deployment(&definition.deployment).await?;
        let target = Arc::clone(self.target(deployment.target)?);
        let context = self.context_of(&deployment).await?;
        let mut environment =
            crate::evaluate::instance_environment(self, &context, &deployment.name).await?;
        environment.push(("CONSORT_RUN".into(), run.to_string()));
        let performer = Performer {
            runtime: Arc::new(OfTarget(target)),
            context,
            environment,
            run_directory: self.run_directory(&deployment.name, run),
            definition,
        };
        Ok(Runner::load(Arc::clone(&self.store), run, by, performer).await?)
    }

    /// `HOME/workloads/DEPLOYMENT/RUN`.
    fn run_directory(&self, deployment: &str, run: RunId) -> PathBuf {
        let home = &self.home.directory;
        home.join("workloads")
            .join(deployment)
            .join(run.to_string())
    }

    /// Plans a workload and begins its run, or begins the run of a job; the run that was begun under
    /// the same key before is answered again.
    pub(crate) async fn start_workload(
        self: &Arc<Self>,
        request: StartRequest,
        by: Principal,
    ) -> Result<StartAnswer, Problem> {
        if !request.input.is_null() {
            let message = "workloads and jobs take no input";
            return Err(Problem::new(Code::REQUEST_INVALID, message).at(&request.address));
        }
        let deployment = self.deployment(&request.deployment).await?;
        let definition = self
            .define(&deployment, &request.address, request.deadline.as_deref())
            .await?;
        if request.estimate_only {
            if !definition.pooled {
                let message = "a job has no pool and no objective: there is nothing to estimate";
                return Err(Problem::new(Code::REQUEST_INVALID, message).at(&request.address));
            }
            return Ok(StartAnswer {
                run: None,
                workload: Some(report(&definition, None)),
            });
        }
        let run = self.create_workload_run(&definition, &request, &by).await?;
        let row = self.run_row(run).await?;
        if !row.summary.status.is_ended() {
            self.drive_workload(row).await;
        }
        // A repeated request meets its run with the plan that was made then.
        let workload = match definition.pooled {
            true => Some(self.report_workload(run).await?),
            false => None,
        };
        Ok(StartAnswer {
            run: Some(run),
            workload,
        })
    }

    /// Reads what is registered and plans it.
    async fn define(
        &self,
        deployment: &Deployment,
        address: &Address,
        deadline: Option<&str>,
    ) -> Result<Definition, Problem> {
        let state = self.store.state_list(&deployment.name).await?;
        let body = registered(&state, address)?;
        let runtime = OfTarget(Arc::clone(self.target(deployment.target)?));
        let program = self.program_of(deployment, address, body).await?;
        if address.kind() == Kind::Job {
            if deadline.is_some() {
                let message = "a job has no pool: a deadline cannot be asked for";
                return Err(Problem::new(Code::REQUEST_INVALID, message).at(address));
            }
            let (spec, schedule, task) = read::job(address, body, program)?;
            return Ok(Definition {
                deployment: deployment.name.clone(),
                address: address.clone(),
                objective: String::new(),
                spec,
                schedule,
                tasks: vec![task],
                pooled: false,
                enforced: Ok(()),
            });
        }
        let name = read::pool_name(body).unwrap_or_default();
        let pool = Address::new(Kind::Pool, name);
        let objective = read::objective(address, body, deadline)?;
        let spec = read::spec(
            address,
            body,
            (&pool, registered(&state, &pool)?),
            objective,
            runtime.task_capacity(),
        )?;
        let tasks = read::tasks(address, body, program)?;
        let (planned_for, of) = (spec.clone(), address.clone());
        let schedule = tokio::task::spawn_blocking(move || plan(&of, &planned_for, PLAN_WORK))
            .await
            .map_err(|error| Problem::new(Code::INTERNAL, "planning failed").caused_by(&error))??;
        Ok(Definition {
            deployment: deployment.name.clone(),
            address: address.clone(),
            objective: read::in_words(objective),
            spec,
            schedule,
            tasks,
            pooled: true,
            enforced: runtime.task_shares(),
        })
    }

    /// The built program: of the registration, else of the newest revision's bundle.
    async fn program_of(
        &self,
        deployment: &Deployment,
        address: &Address,
        body: &Value,
    ) -> Result<Option<Digest>, Problem> {
        let recorded = body.get("program").and_then(Value::as_str);
        if let Some(digest) = recorded.and_then(|text| text.parse().ok()) {
            return Ok(Some(digest));
        }
        let bundle = self.newest_bundle(deployment).await?;
        let program = bundle
            .as_ref()
            .and_then(|bundle| bundle.programs.get(address.name()));
        Ok(program.map(consort_model::bundle::BuiltProgram::digest))
    }

    async fn create_workload_run(
        &self,
        definition: &Definition,
        request: &StartRequest,
        by: &Principal,
    ) -> Result<RunId, Problem> {
        let bytes = serde_json::to_vec(definition).map_err(|error| {
            Problem::new(Code::INTERNAL, "a workload cannot be written").caused_by(&error)
        })?;
        let blob = Blob::new(bytes);
        let at = clock::now();
        let run = RunId::new(at, clock::random());
        let record = WorkloadRecord::RunCreated {
            definition: blob.digest,
            fleet: definition.fleet(),
            makespan: Span::from_micros(definition.schedule.makespan),
            cost: MicroUsd(definition.schedule.cost),
        };
        let asked = json!({"deployment": request.deployment, "address": request.address,
            "deadline": request.deadline});
        let mut batch = Batch::new(by.clone(), at);
        batch.runs.push(RunPart {
            run,
            create: Some(NewRun {
                id: run,
                kind: if definition.pooled {
                    RunKind::Workload
                } else {
                    RunKind::Job
                },
                deployment: definition.deployment.clone(),
                subject: Some(definition.address.clone()),
                definition: blob.digest,
                parent: None,
                key: Some(StartKey {
                    key: request.key.clone(),
                    digest: Digest::of_value(&asked),
                }),
                created: at,
            }),
            epoch: self.store.epoch(),
            expected: Seq(0),
            records: vec![Envelope::wrap(&record, at)?],
            status: Some(StatusChange {
                status: RunStatus::Running,
                error: None,
            }),
            snapshot: None,
        });
        batch.blobs.push(blob);
        match self.store.append(batch).await? {
            Appended::Written(_) => Ok(run),
            Appended::Existing(existing) => Ok(existing),
        }
    }

    /// Plan and actual of a run of a workload or job.
    pub(crate) async fn report_workload(&self, run: RunId) -> Result<WorkloadReport, Problem> {
        let row = self.run_row(run).await?;
        match row.summary.kind {
            RunKind::Workload | RunKind::Job => {}
            RunKind::Plan | RunKind::RollOut | RunKind::Workflow => {
                let message = format!("run {run} is of kind {}", row.summary.kind.word());
                return Err(Problem::new(Code::REQUEST_INVALID, message)
                    .remedy("Name a run of a workload or of a job."));
            }
        }
        let definition: Definition = self.kept(row.summary.definition, "workload").await?;
        let machine = WorkloadMachine::new(run, Arc::new(definition));
        let writer = crate::writer::RunWriter::load(
            Arc::clone(&self.store),
            run,
            row.summary.principal,
            machine,
            State::default(),
        )
        .await?;
        Ok(report(writer.machine().definition(), Some(writer.state())))
    }

    /// Ends all runs of workloads and jobs of a deployment and removes what they left in their
    /// folders. For `down`, before what they use is taken away.
    ///
    /// # Errors
    /// When a run does not end within a minute, or the folder cannot be removed.
    pub async fn end_workloads(&self, deployment: &str, by: &Principal) -> Result<(), Problem> {
        let limit = std::time::Duration::from_secs(60);
        let ended = tokio::time::timeout(limit, self.cancel_all(deployment, by)).await;
        ended.map_err(|_| {
            let message =
                format!("the workloads of `{deployment}` have not ended within {limit:?}");
            Problem::new(Code::TIME_LIMIT, message)
        })??;
        let path = self.home.directory.join("workloads").join(deployment);
        match tokio::fs::remove_dir_all(&path).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                let message = format!("the folder `{}` cannot be removed", path.display());
                Err(Problem::new(Code::FILE_UNREADABLE, message).caused_by(&error))
            }
        }
    }

    async fn cancel_all(&self, deployment: &str, by: &Principal) -> Result<(), Problem> {
        let mut told: BTreeMap<RunId, ()> = BTreeMap::new();
        loop {
            let open = self.store.run_open().await?;
            let mine = open.into_iter().map(|row| row.summary).filter(|run| {
                run.deployment == deployment && matches!(run.kind, RunKind::Workload | RunKind::Job)
            });
            let mut left = 0;
            for run in mine {
                left += 1;
                if told.insert(run.id, ()).is_none()
                    && let Some(inbox) = self.inbox(run.id)
                {
                    let cancel = crate::plan_run::Command::Cancel {
                        by: by.0.clone(),
                        now: true,
                    };
                    // A run that takes no commands any more has just ended.
                    let _ = inbox.send(cancel).await;
                }
            }
            if left == 0 {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// What is registered under this address.
fn registered<'s>(state: &'s [StateEntry], address: &Address) -> Result<&'s Value, Problem> {
    let entry = state.iter().find(|entry| entry.address == *address);
    let object = entry.and_then(|entry| entry.object.as_ref());
    object.map(|object| &object.desired).ok_or_else(|| {
        let message = format!("`{address}` is not registered in this deployment");
        Problem::new(Code::NODE_UNKNOWN, message)
            .at(address)
            .remedy("`consort up` registers what the blueprint declares; `consort state list` shows it.")
    })
}

/// Does this plan make or change things, so that estimates are of use?
pub(super) const fn is_constructive(mode: &Mode) -> bool {
    matches!(mode, Mode::Apply)
}
