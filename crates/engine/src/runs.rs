//! Begins runs, takes open ones up after a restart, and tells driven ones what people ask.

use std::sync::Arc;
use std::time::Duration;

use consort_journal::{
    Appended, Batch, DeploymentChange, Envelope, NewRun, NewSecret, RunPart, RunRow, Sensitive,
    Seq, StartKey, StatusChange,
};
use consort_model::id::{DeploymentId, RunId};
use consort_model::plan::{Mode, Plan};
use consort_model::revision::Principal;
use consort_model::run::{RunKind, RunStatus};
use consort_model::{Code, Digest, Generation, Problem, Why};
use tokio::sync::mpsc;

use crate::clock;
use crate::control::{ApplyRequest, Approval};
use crate::engine::Engine;
use crate::evaluate::event_token;
use crate::plan_run::{Command, Executor, PlanRecord};
use crate::tasks::TaskKind;

/// A run whose store or driver fails in an unforeseen way is taken up again so often, with growing
/// waits; then at the next start of the server.
const ATTEMPTS: u32 = 20;

impl Engine {
    /// Takes up every run that has not ended. Called once, when the server starts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recover(self: &Arc<Self>) -> Result<(), Problem> {
        for row in self.store.run_open().await? {
            match row.summary.kind {
                RunKind::Plan => self.drive_plan(
                    row.summary.id,
                    row.summary.definition,
                    row.summary.principal,
                    None,
                ),
                // A roll-out is carried on by the step that it is of.
                RunKind::RollOut => {}
                RunKind::Job | RunKind::Workload => self.drive_workload(row).await,
                RunKind::Workflow => self.drive_workflow(row).await,
            }
        }
        self.start_reconciler();
        self.start_dispatchers().await
    }

    /// Begins to carry a kept plan out, or finds the run that was begun under the same key.
    pub(crate) async fn begin_plan(
        self: &Arc<Self>,
        request: ApplyRequest,
        by: Principal,
    ) -> Result<RunId, Problem> {
        let unknown = || {
            Problem::new(
                Code::PLAN_UNKNOWN,
                format!("plan {} is not kept here", request.plan.short()),
            )
        };
        let bytes = self
            .store
            .blob_get(request.plan)
            .await?
            .ok_or_else(unknown)?;
        let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(
                Code::PLAN_UNKNOWN,
                "what is kept under this digest is no plan",
            )
            .caused_by(&error)
        })?;
        if let Some(row) = self.store.run_by_key(&request.key).await?
            && row.summary.definition == request.plan
        {
            return Ok(row.summary.id);
        }
        if !plan.questions.is_empty() && request.approval != Approval::Approved {
            return Err(Problem::new(
                Code::PLAN_REFUSED,
                "the plan must be approved first",
            ));
        }
        refuse_unbuilt(&plan)?;
        self.refuse_stale(&plan).await?;
        self.create_plan_run(&plan, request, by).await
    }

    /// A plan is stale only if its parent or a generation that it read has changed.
    async fn refuse_stale(&self, plan: &Plan) -> Result<(), Problem> {
        let stale = |message: String| Err(Problem::new(Code::PLAN_STALE, message));
        let found = self.store.deployment_get(&plan.deployment).await?;
        let parent = found.as_ref().and_then(|deployment| deployment.revision);
        if parent != plan.parent {
            let name = |number: Option<_>| {
                number.map_or(
                    "nothing".to_owned(),
                    |number: consort_model::revision::RevisionNumber| number.to_string(),
                )
            };
            return stale(format!(
                "the plan follows {}, the newest revision is {}",
                name(plan.parent),
                name(parent)
            ));
        }
        let state = self.store.state_list(&plan.deployment).await?;
        let now: std::collections::BTreeMap<_, Generation> = state
            .into_iter()
            .map(|entry| (entry.address, entry.generation))
            .collect();
        for (address, generation) in &plan.read {
            match now.get(address) {
                Some(current) if current == generation => {}
                Some(_) => return stale(format!("`{address}` has changed since")),
                None => return stale(format!("`{address}` is gone since")),
            }
        }
        match now.keys().find(|address| !plan.read.contains_key(*address)) {
            Some(address) => stale(format!("`{address}` was made since")),
            None => Ok(()),
        }
    }

    async fn create_plan_run(
        self: &Arc<Self>,
        plan: &Plan,
        request: ApplyRequest,
        by: Principal,
    ) -> Result<RunId, Problem> {
        let at = clock::now();
        let run = RunId::new(at, clock::random());
        let name = plan.deployment.clone();
        let mut batch = Batch::new(by.clone(), at);
        if self.store.deployment_get(&name).await?.is_none() {
            if matches!(plan.mode, Mode::Destroy { .. }) && plan.actions.is_empty() {
                return Err(Problem::new(
                    Code::DEPLOYMENT_UNKNOWN,
                    format!("there is no deployment `{name}` in this home"),
                ));
            }
            let id = DeploymentId::new(at, clock::random());
            batch.deployments.push(DeploymentChange::Create {
                id,
                name: name.clone(),
                target: plan.target,
                created: at,
            });
        }
        if self
            .store
            .secret_version(&name, &event_token().name)
            .await?
            == 0
        {
            let value = Sensitive::new(new_token());
            batch.secrets.push(NewSecret {
                deployment: name.clone(),
                handle: event_token(),
                value,
            });
        }
        batch.deployments.push(DeploymentChange::Lock {
            name: name.clone(),
            run,
        });
        let record = Envelope::wrap(&PlanRecord::RunCreated { plan: request.plan }, at)?;
        batch.runs.push(RunPart {
            run,
            create: Some(NewRun {
                id: run,
                kind: RunKind::Plan,
                deployment: name,
                subject: None,
                definition: request.plan,
                parent: None,
                key: Some(StartKey {
                    key: request.key,
                    digest: request.plan,
                }),
                created: at,
            }),
            epoch: self.store.epoch(),
            expected: Seq(0),
            records: vec![record],
            status: Some(StatusChange {
                status: RunStatus::Running,
                error: None,
            }),
            snapshot: None,
        });
        match self.store.append(batch).await? {
            Appended::Existing(run) => Ok(run),
            Appended::Written(_) => {
                self.drive_plan(run, request.plan, by, None);
                Ok(run)
            }
        }
    }

    /// Drives a plan run in the background, if nobody does already.
    pub(crate) fn drive_plan(
        self: &Arc<Self>,
        run: RunId,
        plan: Digest,
        by: Principal,
        resume: Option<String>,
    ) {
        if self.inbox(run).is_some() {
            return;
        }
        let (send, mut receive) = mpsc::channel(16);
        self.note_driven(run, Some(send));
        let engine = Arc::clone(self);
        self.tasks.start(TaskKind::Run, async move {
            let (mut resume, stop) = (resume, engine.tasks.stopping());
            for attempt in 0..ATTEMPTS {
                let loaded = Executor::load(Arc::clone(&engine), run, plan, by.clone()).await;
                let driven = match loaded {
                    Ok(executor) => executor.drive(&mut receive, resume.take()).await,
                    Err(problem) => Err(problem),
                };
                let Err(problem) = driven else { break };
                tracing::error!(%run, %problem, attempt, "the run cannot go on; it is taken up again soon");
                let wait = Duration::from_secs(1 << attempt.min(5));
                // Cancel-safe: nothing was begun.
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(wait) => {}
                }
            }
            engine.note_driven(run, None);
        });
    }

    pub(crate) async fn tell(
        self: &Arc<Self>,
        run: RunId,
        command: Command,
    ) -> Result<(), Problem> {
        let row = self.run_row(run).await?;
        if row.summary.kind == RunKind::Workflow {
            return self.command_workflow(run, command).await;
        }
        let ended = || {
            Problem::new(
                Code::RUN_UNKNOWN,
                format!(
                    "run {run} is not under way: it is {}",
                    row.summary.status.word()
                ),
            )
        };
        let inbox = self.inbox(run).ok_or_else(ended)?;
        let busy = |_| {
            Problem::new(
                Code::QUEUE_FULL,
                format!("run {run} does not take commands any more"),
            )
        };
        inbox.send(command).await.map_err(busy)
    }

    pub(crate) async fn run_row(&self, run: RunId) -> Result<RunRow, Problem> {
        let found = self.store.run_get(run).await?;
        found.ok_or_else(|| Problem::new(Code::RUN_UNKNOWN, format!("there is no run {run}")))
    }

    /// Goes on with a plan run that was stopped or that failed.
    pub(crate) async fn resume_run(
        self: &Arc<Self>,
        run: RunId,
        by: Principal,
    ) -> Result<(), Problem> {
        let row = self.run_row(run).await?;
        let cannot = |why: String| Err(Problem::new(Code::RUN_UNKNOWN, why));
        match (row.summary.kind, row.summary.status) {
            (RunKind::Plan, RunStatus::Faulted | RunStatus::Cancelled) => {}
            (RunKind::Plan, status) if !status.is_ended() => return Ok(()),
            (RunKind::Plan, _) => {
                return cannot(format!(
                    "run {run} is complete: there is nothing to go on with"
                ));
            }
            (kind, _) => {
                return cannot(format!(
                    "runs of kind {} are not resumed by hand yet",
                    kind.word()
                ));
            }
        }
        let plan: Plan = self.kept(row.summary.definition, "plan").await?;
        let deployment = self.deployment(&plan.deployment).await?;
        let newest = self.store.run_list(consort_journal::RunFilter {
            deployment: Some(plan.deployment.clone()),
            kind: Some(RunKind::Plan),
            limit: Some(1),
            ..Default::default()
        });
        if newest
            .await?
            .first()
            .is_none_or(|newest| newest.summary.id != run)
        {
            return cannot(format!(
                "a later run has changed `{}`; plan again",
                deployment.name
            ));
        }
        self.drive_plan(run, row.summary.definition, by.clone(), Some(by.0));
        Ok(())
    }
}

/// What was not built cannot be carried out: the plan was made to be read.
fn refuse_unbuilt(plan: &Plan) -> Result<(), Problem> {
    let unbuilt = plan
        .actions
        .iter()
        .find(|action| action.desired.unknown() == Some(Why::Build));
    match unbuilt {
        Some(action) => Err(Problem::new(
            Code::PLAN_IMPOSSIBLE,
            "its program was not built when the plan was made",
        )
        .at(&action.address)
        .remedy("Make the plan with `--build`, or use `consort up` without a plan file.")),
        None => Ok(()),
    }
}

/// 32 random bytes as text.
fn new_token() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(clock::random::<32>())
}
