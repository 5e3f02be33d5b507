//! Carries out one step of a plan run: evaluates its settings again, compares them with what was
//! approved, calls the driver, and says what to record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use consort_driver::{
    Ambiguity, Applied, ApplyRequest, Context, DriverError, Intent, Resolution, StepKey,
};
use consort_journal::{RuntimeChange, Sensitive, StateChange};
use consort_model::id::RunId;
use consort_model::plan::{Action, Operation, Plan};
use consort_model::revision::Principal;
use consort_model::state::Object;
use consort_model::{
    Address, Code, Digest, Kind, Problem, SecretHandle, StateEntry, Timestamp, Value,
};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::engine::Engine;
use crate::{evaluate, service};

/// One step that is to be carried out.
pub(crate) struct Step {
    pub(crate) engine: Arc<Engine>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) action: Action,
    /// The idempotency key of the effect.
    pub(crate) key: String,
    /// The run that the step is of.
    pub(crate) run: RunId,
    /// The roll-out that carries out a step of a service.
    pub(crate) child: RunId,
    pub(crate) principal: Principal,
    /// As recorded when the step begins.
    pub(crate) state: BTreeMap<Address, StateEntry>,
    /// Told when what is under way is given up.
    pub(crate) abandon: CancellationToken,
}

/// What a step changed: written with its outcome.
#[derive(Debug, Clone, Default)]
pub(crate) struct Performed {
    pub(crate) state: Vec<StateChange>,
    pub(crate) secrets: Vec<(SecretHandle, Sensitive)>,
    pub(crate) runtime: Vec<RuntimeChange>,
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) problem: Problem,
    pub(crate) ambiguity: Ambiguity,
    pub(crate) retryable: bool,
    /// What it changed all the same.
    pub(crate) partial: Option<Performed>,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            ambiguity: Ambiguity::Definite,
            retryable: false,
            partial: None,
        }
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        let (ambiguity, retryable) = (error.ambiguity, error.retryable);
        Self {
            problem: error.problem(),
            ambiguity,
            retryable,
            partial: None,
        }
    }
}

/// What became of a step that was in doubt.
pub(crate) enum Resolved {
    /// It took effect.
    Happened(Box<Performed>),
    /// Do it (again).
    Repeat,
    /// Only a person can tell.
    Ask(String),
}

/// Carries a step out, within its time.
pub(crate) async fn perform(step: Step, deadline: Timestamp) -> Result<Performed, Failure> {
    let limit = deadline.since(clock::now()).to_std();
    let address = step.action.address.clone();
    let abandon = step.abandon.clone();
    // Dropping an effect half-way leaves it in doubt, never done and unrecorded: the intent is durable.
    let result = tokio::select! {
        result = tokio::time::timeout(limit, carry_out(&step)) => result,
        () = abandon.cancelled() => {
            let problem = Problem::new(Code::RUN_CANCELLED, "given up while it was under way");
            return Err(Failure { problem: problem.at(address), ambiguity: Ambiguity::Ambiguous, retryable: false, partial: None });
        }
    };
    match result {
        Ok(result) => result.map_err(|mut failure| {
            failure
                .problem
                .address
                .get_or_insert_with(|| address.to_string());
            failure
        }),
        Err(_) => {
            let message = format!("it took longer than {}", step.action.time_limit);
            let problem = Problem::new(Code::TIME_LIMIT, message).at(address);
            Err(Failure {
                problem,
                ambiguity: Ambiguity::Ambiguous,
                retryable: false,
                partial: None,
            })
        }
    }
}

async fn carry_out(step: &Step) -> Result<Performed, Failure> {
    let action = &step.action;
    if action.operation == Operation::Forget {
        return Ok(Performed {
            state: vec![StateChange::Remove(action.address.clone())],
            ..Performed::default()
        });
    }
    if action.address.kind() == Kind::Service {
        return service::perform(step).await;
    }
    if action.operation == Operation::Read {
        return read(step).await;
    }
    let destroys = matches!(step.plan.mode, consort_model::plan::Mode::Destroy { .. });
    if destroys && matches!(action.address.kind(), Kind::Workload | Kind::Job) {
        step.engine
            .end_workloads(&step.plan.deployment, &step.principal)
            .await?;
    }
    let desired = settings(step).await?;
    if action.driver == ENGINE {
        if action.address.kind() == Kind::Workflow {
            publish(step, &desired).await?;
        }
        return Ok(register(step, desired));
    }
    let request = request(step, desired.clone());
    let context = step.context().await?;
    let applied = step
        .engine
        .driver(&action.driver)?
        .apply(&context, request)
        .await?;
    step.performed(desired, applied).await
}

/// Data is read, and what was observed of a resource is recorded: nothing in the world changes.
async fn read(step: &Step) -> Result<Performed, Failure> {
    let action = &step.action;
    let known = action.prior.clone();
    let object = match known {
        Some(object) => object,
        None => Object {
            id: action.address.to_string(),
            desired: settings(step).await?,
            attributes: Value::Null,
            tainted: false,
        },
    };
    let context = step.context().await?;
    let observed = step
        .engine
        .driver(&action.driver)?
        .read(&context, &action.type_name, &object)
        .await?;
    let attributes = match observed {
        consort_driver::Observed::Present(seen) => with_secrets_of(&object.attributes, seen),
        consort_driver::Observed::Gone => {
            return Err(Problem::new(Code::NODE_FAILED, "it is not there").into());
        }
        consort_driver::Observed::Unreachable(why) => {
            return Err(
                Problem::new(Code::NODE_FAILED, format!("it cannot be read: {why}")).into(),
            );
        }
    };
    Ok(Performed {
        state: vec![step.entry(Object {
            attributes,
            ..object
        })],
        ..Performed::default()
    })
}

/// What was seen, with the recorded value where a driver shows none: that of a secret.
fn with_secrets_of(recorded: &Value, mut seen: Value) -> Value {
    if let (Some(recorded), Some(seen)) = (recorded.as_object(), seen.as_object_mut()) {
        for (name, value) in recorded {
            let shown = seen.entry(name.clone()).or_insert(Value::Null);
            if shown.is_null() {
                shown.clone_from(value);
            }
        }
    }
    seen
}

/// The driver of nodes that the engine itself keeps: workflows, workloads, pools, jobs.
pub(crate) const ENGINE: &str = "engine";

/// The settings with everything known, as they were approved.
pub(crate) async fn settings(step: &Step) -> Result<Value, Failure> {
    let action = &step.action;
    if matches!(action.operation, Operation::Delete { .. }) {
        return Ok(Value::Null);
    }
    let Some(template) = &action.template else {
        let known = action.desired.known();
        let unknown = || {
            Problem::new(
                Code::PLAN_BROKEN_PROMISE,
                "the plan holds unknown settings and no expressions",
            )
        };
        return Ok(known.ok_or_else(unknown)?);
    };
    let value = evaluate::settings(&step.engine, &step.plan, action, template, &step.state).await?;
    if let Some((path, approved, actual)) = action.desired.broken_by(&value) {
        let (approved, actual) = (shown(&approved), shown(&actual));
        let message = format!(
            "`{}` was approved as {approved} and is now {actual}",
            path.trim_start_matches('.')
        );
        return Err(Problem::new(Code::PLAN_BROKEN_PROMISE, message).into());
    }
    Ok(value)
}

fn shown(value: &Value) -> String {
    consort_model::secret::masked(&value.to_string())
}

pub(crate) fn request(step: &Step, desired: Value) -> ApplyRequest {
    ApplyRequest {
        key: StepKey(step.key.clone()),
        address: step.action.address.clone(),
        type_name: step.action.type_name.clone(),
        operation: step.action.operation.clone(),
        prior: step.action.prior.clone(),
        desired,
    }
}

/// The scope of the fact that says where a deployment's own address is published.
const PUBLISHED: &str = "process/published";

/// Publishes the deployment's own address where an exposed workflow names a port. All of them share
/// the address; the port of the last one counts.
async fn publish(step: &Step, desired: &Value) -> Result<(), Failure> {
    let Some(port) = desired.pointer("/expose/port").filter(|port| port.is_u64()) else {
        return Ok(());
    };
    let context = step.context().await?;
    let host = desired
        .pointer("/expose/host_ip")
        .cloned()
        .unwrap_or_else(|| "127.0.0.1".into());
    let fact = serde_json::json!({"port": port, "host_ip": host});
    context
        .facts
        .fact_put(PUBLISHED, &step.plan.deployment, Some(fact))
        .await?;
    step.engine
        .target(step.plan.target)?
        .endpoints()
        .deployment_url(&context)
        .await?;
    Ok(())
}

/// Registered definitions: there is nothing in the world but the record.
fn register(step: &Step, desired: Value) -> Performed {
    let action = &step.action;
    if matches!(action.operation, Operation::Delete { .. }) {
        return Performed {
            state: vec![StateChange::Remove(action.address.clone())],
            ..Performed::default()
        };
    }
    let digest = Digest::of_value(&desired);
    let mut attributes = serde_json::json!({"digest": digest, "name": action.address.name()});
    if let Some(planned) = action
        .planned
        .known()
        .and_then(|planned| planned.as_object().cloned())
    {
        for (key, value) in planned {
            attributes[key] = value;
        }
    }
    let object = Object {
        id: action.address.to_string(),
        desired,
        attributes,
        tainted: false,
    };
    Performed {
        state: vec![step.entry(object)],
        ..Performed::default()
    }
}

impl Step {
    pub(crate) async fn context(&self) -> Result<Context, Problem> {
        let project = match self.plan.bundle {
            Some(digest) => PathBuf::from(self.engine.bundle(digest).await?.project_directory),
            None => match self
                .engine
                .store
                .deployment_get(&self.plan.deployment)
                .await?
            {
                Some(deployment) => return self.engine.context_of(&deployment).await,
                None => self.engine.home.directory.clone(),
            },
        };
        Ok(self.engine.context(&self.plan.deployment, project))
    }

    /// The state row after the effect.
    pub(crate) fn entry(&self, object: Object) -> StateChange {
        let action = &self.action;
        let before = self.state.get(&action.address);
        let mut deposed = before
            .map(|entry| entry.deposed.clone())
            .unwrap_or_default();
        if action.operation == (Operation::Create { replaces: true })
            && let Some(old) = before.and_then(|entry| entry.object.clone())
        {
            deposed.push(old);
        }
        StateChange::Put(Box::new(StateEntry {
            address: action.address.clone(),
            driver: action.driver.clone(),
            type_name: action.type_name.clone(),
            site: action.site.clone(),
            object: Some(object),
            deposed,
            generation: before
                .map(|entry| entry.generation)
                .unwrap_or_default()
                .next(),
            depends_on: action.depends_on.clone(),
            lifecycle: action.lifecycle.clone(),
            changed: clock::now(),
        }))
    }

    /// The state row after a deletion: the rest of it, or nothing.
    pub(crate) fn removal(&self) -> StateChange {
        let action = &self.action;
        let Some(before) = self.state.get(&action.address) else {
            return StateChange::Remove(action.address.clone());
        };
        let mut rest = before.clone();
        match &action.operation {
            Operation::Delete { deposed: Some(id) } => {
                rest.deposed.retain(|object| object.id != *id)
            }
            _ => rest.object = None,
        }
        if rest.object.is_none() && rest.deposed.is_empty() {
            return StateChange::Remove(action.address.clone());
        }
        rest.generation = rest.generation.next();
        rest.changed = clock::now();
        StateChange::Put(Box::new(rest))
    }

    /// What to record of an effect: sensitive attributes become secrets, and tokens stand for them.
    pub(crate) async fn performed(
        &self,
        desired: Value,
        applied: Applied,
    ) -> Result<Performed, Failure> {
        if matches!(self.action.operation, Operation::Delete { .. }) {
            return Ok(Performed {
                state: vec![self.removal()],
                ..Performed::default()
            });
        }
        let mut attributes = applied.attributes;
        let mut secrets = Vec::new();
        for (name, value) in applied.secrets {
            let handle = self.next_handle(&name, value.reveal()).await?;
            attributes[name.as_str()] = Value::String(handle.token());
            secrets.push((handle, Sensitive::new(value.reveal().to_owned())));
        }
        let object = Object {
            id: applied.id,
            desired,
            attributes,
            tainted: applied.tainted,
        };
        Ok(Performed {
            state: vec![self.entry(object)],
            secrets,
            runtime: Vec::new(),
        })
    }

    /// The handle of a value: the version that has this value already, else the next one.
    async fn next_handle(&self, attribute: &str, value: &str) -> Result<SecretHandle, Problem> {
        let name = format!("{}.{attribute}", self.action.address);
        let (store, deployment) = (&self.engine.store, &self.plan.deployment);
        let version = store.secret_version(deployment, &name).await?;
        if version > 0 {
            let newest = SecretHandle {
                name: name.clone(),
                version,
            };
            let kept = store.secret_get(deployment, &newest).await?;
            if kept.is_some_and(|kept| kept.reveal() == value) {
                return Ok(newest);
            }
        }
        Ok(SecretHandle {
            name,
            version: version + 1,
        })
    }
}

/// Asks the driver what became of a step of which no outcome is recorded.
pub(crate) async fn resolve(step: Step) -> Result<Resolved, Problem> {
    let action = &step.action;
    // A roll-out looks everything up by itself, and a registration is only a record.
    if action.address.kind() == Kind::Service
        || action.driver == ENGINE
        || action.operation == Operation::Forget
    {
        return Ok(Resolved::Repeat);
    }
    let desired = match settings(&step).await {
        Ok(desired) => desired,
        Err(failure) => return Err(failure.problem),
    };
    let context = step.context().await?;
    let intent = Intent {
        request: request(&step, desired.clone()),
    };
    let driver = step.engine.driver(&action.driver)?;
    match driver
        .resolve(&context, intent)
        .await
        .map_err(|error| error.problem())?
    {
        Resolution::Repeat => Ok(Resolved::Repeat),
        Resolution::Ask(text) => Ok(Resolved::Ask(text)),
        Resolution::Happened(applied) => match step.performed(desired, applied).await {
            Ok(performed) => Ok(Resolved::Happened(Box::new(performed))),
            Err(failure) => Err(failure.problem),
        },
    }
}

/// Records what is there after a person said that a step took effect.
pub(crate) async fn adopt(step: Step) -> Result<Performed, Problem> {
    match resolve(step).await? {
        Resolved::Happened(performed) => Ok(*performed),
        Resolved::Repeat | Resolved::Ask(_) => {
            let message = "the driver does not find what is said to be there";
            Err(Problem::new(Code::RUN_IN_DOUBT, message)
                .remedy("Say `--did-not`: it is done again then."))
        }
    }
}

/// Folds state rows into the view of a run.
pub(crate) fn fold(state: &mut BTreeMap<Address, StateEntry>, changes: &[StateChange]) {
    for change in changes {
        match change {
            StateChange::Put(entry) => {
                state.insert(entry.address.clone(), (**entry).clone());
            }
            StateChange::Remove(address) => {
                state.remove(address);
            }
        }
    }
}

/// The exact things that a state stands for: what a kept revision must find again.
pub(crate) fn pins(state: &BTreeMap<Address, StateEntry>) -> BTreeMap<String, String> {
    let mut pins = BTreeMap::new();
    for (address, entry) in state {
        let Some(object) = &entry.object else {
            continue;
        };
        for key in ["program", "digest"] {
            if let Some(digest) = object.attributes.get(key).and_then(Value::as_str) {
                pins.insert(format!("{address}.{key}"), digest.to_owned());
            }
        }
        for handle in consort_model::secret::handles(&object.attributes) {
            pins.insert(handle.name, handle.version.to_string());
        }
    }
    pins
}
