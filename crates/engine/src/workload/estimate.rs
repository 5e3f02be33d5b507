//! What the workloads of a blueprint would take, for plans.

use consort_driver::TaskRuntime;
use consort_model::blueprint::Warning;
use consort_model::bundle::Bundle;
use consort_model::plan::{Operation, Plan, WorkloadEstimate};
use consort_model::time::Span;
use consort_model::units::MicroUsd;
use consort_model::{Address, Kind, Object, Partial, Problem, Template, Value};

use super::read;
use super::start::{PLAN_WORK, is_constructive, plan as schedule};
use crate::engine::Engine;

impl Engine {
    /// Adds time, cost and fleet of each workload to a plan, and warns where an objective cannot be
    /// met or shares of processors are not enforced. What is not known yet is left out.
    pub(crate) fn estimate_workloads(&self, bundle: &Bundle, plan: &mut Plan) {
        if !is_constructive(&plan.mode) {
            return;
        }
        let nodes = bundle.blueprint.nodes.keys();
        let workloads: Vec<Address> = nodes
            .filter(|address| address.kind() == Kind::Workload)
            .cloned()
            .collect();
        let Ok(target) = self.target(plan.target) else {
            return;
        };
        let runtime = target.tasks();
        if let Err(why) = runtime.task_shares()
            && !workloads.is_empty()
        {
            let message = format!(
                "shares of processors cannot be enforced here ({why}): times of workloads are estimates for shares that tasks may exceed"
            );
            plan.warnings.push(Warning {
                message,
                place: None,
                address: None,
            });
        }
        for address in workloads {
            match estimate(bundle, plan, &address, runtime) {
                Ok(Some(found)) => {
                    plan.estimate
                        .workloads
                        .insert(address.name().to_owned(), found);
                }
                Ok(None) => {}
                Err(problem) => plan.warnings.push(Warning {
                    message: problem.message.clone()
                        + &problem
                            .causes
                            .iter()
                            .map(|cause| format!(": {cause}"))
                            .collect::<String>(),
                    place: bundle
                        .blueprint
                        .nodes
                        .get(&address)
                        .map(|node| node.place.clone()),
                    address: Some(address),
                }),
            }
        }
    }
}

fn estimate(
    bundle: &Bundle,
    plan: &Plan,
    address: &Address,
    runtime: &dyn TaskRuntime,
) -> Result<Option<WorkloadEstimate>, Problem> {
    let Some(body) = body(bundle, plan, address).filter(is_complete) else {
        return Ok(None);
    };
    let Some(name) = read::pool_name(&body) else {
        return Ok(None);
    };
    let pool = Address::new(Kind::Pool, name);
    let Some(pool_body) = self::body(bundle, plan, &pool) else {
        return Ok(None);
    };
    let objective = read::objective(address, &body, None)?;
    let spec = read::spec(
        address,
        &body,
        (&pool, &pool_body),
        objective,
        runtime.task_capacity(),
    )?;
    let schedule = schedule(address, &spec, PLAN_WORK)?;
    let fleet = schedule.fleet(&spec).into_iter();
    Ok(Some(WorkloadEstimate {
        makespan: Span::from_micros(schedule.makespan),
        cost: MicroUsd(schedule.cost),
        fleet: fleet
            .map(|(name, count)| (name.to_owned(), count))
            .collect(),
    }))
}

/// The settings as far as they are known: of the plan's action, else as written.
fn body(bundle: &Bundle, plan: &Plan, address: &Address) -> Option<Value> {
    let action = plan.actions.iter().find(|action| {
        action.address == *address && !matches!(action.operation, Operation::Delete { .. })
    });
    match action {
        Some(action) => Some(known_parts(&action.desired)),
        None => {
            let node = bundle.blueprint.nodes.get(address)?;
            Some(written_parts(&node.body))
        }
    }
}

/// Is all known that a plan needs? Environments and commands may be unknown.
fn is_complete(body: &Value) -> bool {
    let objective = body.get("objective").and_then(Value::as_object);
    let is_known =
        objective.is_some_and(|o| o.contains_key("deadline") || o.contains_key("budget"));
    let tasks = body.get("tasks").and_then(Value::as_object);
    is_known && tasks.is_some_and(|tasks| tasks.values().all(|task| task.get("estimate").is_some()))
}

fn known_parts(partial: &Partial) -> Value {
    match partial {
        Partial::Unknown(_) => Value::Null,
        Partial::Scalar(value) => value.clone(),
        Partial::List(items) => Value::Array(items.iter().map(known_parts).collect()),
        Partial::Map(map) => Value::Object(keep(map.iter().map(|(k, v)| (k, known_parts(v))))),
    }
}

fn written_parts(template: &Template) -> Value {
    match template {
        Template::Scalar(value) => value.clone(),
        Template::List(items) => Value::Array(items.iter().map(written_parts).collect()),
        Template::Map(map) => Value::Object(keep(map.iter().map(|(k, v)| (k, written_parts(v))))),
        Template::Deferred(_) => Value::Null,
    }
}

/// Without what is not known.
fn keep<'k>(pairs: impl Iterator<Item = (&'k String, Value)>) -> Object {
    pairs
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value))
        .collect()
}
