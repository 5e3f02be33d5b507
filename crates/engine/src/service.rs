//! Steps of services: the target prepares addresses and ports, a roll-out replaces the instances,
//! and what runs in the end is recorded.

use std::sync::Arc;

use consort_driver::{Context, Target};
use consort_journal::{Appended, Batch, Blob, Envelope, NewRun, RunPart, RuntimeChange, Seq};
use consort_model::id::RunId;
use consort_model::plan::{Mandate, Operation};
use consort_model::run::{RunKind, RunStatus};
use consort_model::service::{Order, RollOutPolicy, ServiceSpec};
use consort_model::state::Object;
use consort_model::{Code, Digest, Problem, Value};

use crate::clock;
use crate::perform::{Failure, Performed, Step, request, settings};
use crate::rollout::{Definition, Direction, Ended, RolloutRecord, Runner, Version};

/// Keys of a service that do not change what an instance runs with: a difference of them alone
/// replaces nothing.
const NOT_OF_AN_INSTANCE: &[&str] = &[
    "deploy",
    "scale",
    "depends_on",
    "autoscale",
    "objective",
    "profiles",
    "develop",
    "pull_policy",
    "build",
];

/// The scope of runtime facts under which the wanted number of instances is kept when it differs
/// from the blueprint's.
pub(crate) const SCALE: &str = "scale";

/// Carries out a step of a service.
pub(crate) async fn perform(step: &Step) -> Result<Performed, Failure> {
    let context = step.context().await?;
    let target = Arc::clone(step.engine.target(step.plan.target)?);
    if matches!(step.action.operation, Operation::Delete { .. }) {
        return remove(step, &target, context).await;
    }
    let desired = settings(step).await?;
    let applied = target
        .resources()
        .apply(&context, request(step, desired.clone()))
        .await?;
    let replicas = wanted_replicas(step);
    let to = version(&desired, &applied.attributes, replicas, step)?;
    let from = running(step)?;
    let ended = roll_out(step, &target, context, from, Some(to.clone())).await?;
    if ended.status == RunStatus::Completed {
        return Ok(record(step, desired, applied.id, &to));
    }
    Err(failed(step, desired, applied.id, &to, ended))
}

async fn remove(
    step: &Step,
    target: &Arc<dyn Target>,
    context: Context,
) -> Result<Performed, Failure> {
    let from = running(step)?;
    let ended = roll_out(step, target, context.clone(), from, None).await?;
    if ended.status != RunStatus::Completed {
        let problem = ended
            .problem
            .unwrap_or_else(|| Problem::new(Code::RUN_CANCELLED, "stopped before it was gone"));
        return Err(problem.into());
    }
    target
        .resources()
        .apply(&context, request(step, Value::Null))
        .await?;
    let mut performed = Performed {
        state: vec![step.removal()],
        ..Performed::default()
    };
    performed.runtime.push(scale_fact(step, None));
    Ok(performed)
}

fn scale_fact(step: &Step, replicas: Option<u32>) -> RuntimeChange {
    let key = format!("{}/{}", step.plan.deployment, step.action.address);
    RuntimeChange {
        scope: SCALE.into(),
        key,
        value: replicas.map(Value::from),
    }
}

/// The number of instances that a person sets with this step.
fn wanted_replicas(step: &Step) -> Option<u32> {
    step.action.service_change.as_ref()?.replicas
}

/// The version that the settings ask for.
pub(crate) fn version(
    desired: &Value,
    attributes: &Value,
    replicas: Option<u32>,
    step: &Step,
) -> Result<Version, Problem> {
    let spec = read_spec(desired, step)?;
    let mut of_instance = desired.clone();
    if let Some(object) = of_instance.as_object_mut() {
        NOT_OF_AN_INSTANCE.iter().for_each(|key| {
            object.shift_remove(*key);
        });
        object.insert(
            "limits".into(),
            serde_json::to_value(&spec.limits).unwrap_or_default(),
        );
    }
    let program = desired
        .get("program")
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok());
    Ok(Version {
        digest: Digest::of_value(&of_instance),
        spec: desired.clone(),
        attributes: attributes.clone(),
        program,
        replicas: replicas.unwrap_or_else(|| spec.replicas()),
        has_health_check: spec.healthcheck.is_some(),
    })
}

fn read_spec(desired: &Value, step: &Step) -> Result<ServiceSpec, Problem> {
    ServiceSpec::from_value(desired).map_err(|error| {
        let message = "the service cannot be read now that its expressions have values";
        Problem::new(Code::BLUEPRINT_INVALID, message)
            .at(&step.action.address)
            .caused_by(&error)
    })
}

/// What is recorded as running.
fn running(step: &Step) -> Result<Option<Version>, Problem> {
    let recorded = step
        .state
        .get(&step.action.address)
        .and_then(|entry| entry.object.as_ref());
    let recorded = recorded.filter(|object| {
        !object.tainted || matches!(step.action.operation, Operation::Delete { .. })
    });
    let Some(object) = recorded else {
        return Ok(None);
    };
    let replicas = object
        .attributes
        .get("replicas")
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok());
    version(&object.desired, &object.attributes, replicas, step).map(Some)
}

/// The state row of what runs.
fn record(step: &Step, desired: Value, id: String, version: &Version) -> Performed {
    let mut attributes = version.attributes.clone();
    attributes["replicas"] = version.replicas.into();
    attributes["version"] = version.digest.to_string().into();
    if let Some(program) = version.program {
        attributes["program"] = program.to_string().into();
    }
    let object = Object {
        id,
        desired,
        attributes,
        tainted: false,
    };
    let mut performed = Performed {
        state: vec![step.entry(object)],
        ..Performed::default()
    };
    let set = step
        .action
        .service_change
        .as_ref()
        .and_then(|change| change.replicas);
    performed.runtime.push(scale_fact(step, set));
    performed
}

/// A roll-out that failed. After one that went back, what runs is what ran; else what is there is
/// recorded as tainted, so that nothing is there unknown.
fn failed(step: &Step, desired: Value, id: String, version: &Version, ended: Ended) -> Failure {
    let unknown = || {
        Problem::new(
            Code::RUN_CANCELLED,
            "stopped before all instances were replaced",
        )
    };
    let mut problem = ended.problem.unwrap_or_else(unknown);
    let back = ended.direction == Direction::Back;
    if back {
        problem.message = format!(
            "{} (rolled back: the version before is running)",
            problem.message
        );
    }
    let first = step
        .state
        .get(&step.action.address)
        .and_then(|entry| entry.object.as_ref())
        .is_none();
    let partial = (first && !back).then(|| {
        let mut attributes = version.attributes.clone();
        attributes["replicas"] = version.replicas.into();
        attributes["version"] = version.digest.to_string().into();
        let object = Object {
            id,
            desired,
            attributes,
            tainted: true,
        };
        Performed {
            state: vec![step.entry(object)],
            ..Performed::default()
        }
    });
    Failure {
        partial,
        ..Failure::from(problem)
    }
}

/// The policy that was approved; for settings that were unknown then, the one that they give.
fn policy(
    step: &Step,
    spec: Option<&ServiceSpec>,
) -> Result<(RollOutPolicy, RollOutPolicy), Problem> {
    let approved = step
        .action
        .mandates
        .iter()
        .find_map(|mandate| match mandate {
            Mandate::RollOut { policy, .. } => Some(policy.clone()),
            Mandate::Repair | Mandate::Lease { .. } => None,
        });
    let wrong =
        |problem: String| Problem::new(Code::BLUEPRINT_INVALID, problem).at(&step.action.address);
    let empty = ServiceSpec::default();
    let spec = spec.unwrap_or(&empty);
    let (order, _) = spec.default_order();
    let update = spec.deploy.update_config.clone().unwrap_or_default();
    let forward = match approved {
        Some(policy) => policy,
        None => update.policy(order).map_err(wrong)?,
    };
    let back = match &spec.deploy.rollback_config {
        Some(config) => config.policy(order).map_err(wrong)?,
        None => RollOutPolicy {
            failure_action: consort_model::service::FailureAction::Pause,
            ..forward
        },
    };
    Ok((forward, back))
}

/// Rolls out as a child run and waits for its end.
async fn roll_out(
    step: &Step,
    target: &Arc<dyn Target>,
    context: Context,
    from: Option<Version>,
    to: Option<Version>,
) -> Result<Ended, Failure> {
    let spec = to
        .as_ref()
        .or(from.as_ref())
        .map(|version| read_spec(&version.spec, step))
        .transpose()?;
    let (mut policy, rollback) = policy(step, spec.as_ref())?;
    if step.action.operation == (Operation::Create { replaces: false }) {
        policy.order = Order::StartFirst;
    }
    let definition = Definition {
        deployment: step.plan.deployment.clone(),
        service: step.action.address.clone(),
        from,
        to,
        policy,
        rollback,
        restart: step
            .action
            .service_change
            .as_ref()
            .is_some_and(|change| change.restart),
    };
    let (run, definition) = open_child(step, definition).await?;
    let environment =
        crate::evaluate::instance_environment(&step.engine, &context, &step.plan.deployment)
            .await?;
    let store = Arc::clone(&step.engine.store);
    let runner = Runner::load(
        store,
        Arc::clone(target),
        context,
        environment,
        run,
        definition,
        step.principal.clone(),
    )
    .await;
    let runner = runner.map_err(Problem::from)?;
    let ended = runner
        .run(step.engine.tasks.stopping(), step.abandon.clone())
        .await?;
    ended.ok_or_else(|| Failure {
        problem: Problem::new(
            Code::RUN_CANCELLED,
            "the server stops; the roll-out goes on when it is back",
        ),
        ambiguity: consort_driver::Ambiguity::Ambiguous,
        retryable: false,
        partial: None,
    })
}

/// The roll-out of this step: the one that is open, or a new one. A second try of a step gets a new
/// run, since an ended one stays as it is.
async fn open_child(step: &Step, definition: Definition) -> Result<(RunId, Definition), Problem> {
    let store = &step.engine.store;
    for number in 0..1_000_u32 {
        let run = if number == 0 {
            step.child
        } else {
            RunId::derive(step.child.as_bytes(), &number.to_string())
        };
        match store.run_get(run).await? {
            None => {
                create_child(step, run, &definition).await?;
                return Ok((run, definition));
            }
            Some(row) if !row.summary.status.is_ended() => {
                let begun = step.engine.kept(row.summary.definition, "roll-out").await?;
                return Ok((run, begun));
            }
            Some(_) => {}
        }
    }
    Err(
        Problem::new(Code::INTERNAL, "the step was tried a thousand times")
            .at(&step.action.address),
    )
}

async fn create_child(step: &Step, run: RunId, definition: &Definition) -> Result<(), Problem> {
    let bytes = serde_json::to_vec(definition).map_err(|error| {
        Problem::new(Code::INTERNAL, "a roll-out cannot be written").caused_by(&error)
    })?;
    let blob = Blob::new(bytes);
    let at = clock::now();
    let parent = step.engine.store.epoch();
    let record = Envelope::wrap(
        &RolloutRecord::RunCreated {
            definition: blob.digest,
        },
        at,
    )?;
    let mut batch = Batch::new(step.principal.clone(), at);
    batch.runs.push(RunPart {
        run,
        create: Some(NewRun {
            id: run,
            kind: RunKind::RollOut,
            deployment: step.plan.deployment.clone(),
            subject: Some(step.action.address.clone()),
            definition: blob.digest,
            parent: Some(step.run),
            key: None,
            created: at,
        }),
        epoch: parent,
        expected: Seq(0),
        records: vec![record],
        status: Some(consort_journal::StatusChange {
            status: RunStatus::Running,
            error: None,
        }),
        snapshot: None,
    });
    batch.blobs.push(blob);
    match step.engine.store.append(batch).await? {
        Appended::Written(_) | Appended::Existing(_) => Ok(()),
    }
}
