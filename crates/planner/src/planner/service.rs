//! Services: the mandate that their actions spell out, and changes that only scale.

use consort_model::plan::{Difference, Mandate};
use consort_model::service::ServiceSpec;
use consort_model::{Code, Kind, Object, Partial, Problem, Value};

use super::outcome::Outcome;
use super::work::Planning;

/// What decides how a service is rolled out; the rest may still be unknown.
const POLICY_KEYS: &[&str] = &[
    "deploy",
    "volumes",
    "container_name",
    "network_mode",
    "scale",
];

/// Checks settings that are known.
pub(crate) fn check(planning: &Planning, at: u32, desired: &Partial) -> Result<(), Problem> {
    let node = planning.node(at);
    if node.address.kind() != Kind::Service {
        return Ok(());
    }
    let place = node
        .declaration
        .map(|at| planning.declarations.list[at].place.clone());
    let problem = |message: String| Problem {
        place: place.clone(),
        ..Problem::new(Code::BLUEPRINT_INVALID, message).at(&node.address)
    };
    let spec = spec(desired).map_err(|error| {
        problem(error.to_string()).remedy(format!("Mend `{}` of the service.", error.path))
    })?;
    let update = spec.deploy.update_config.unwrap_or_default();
    match update.policy(consort_model::service::Order::StartFirst) {
        Ok(_) => Ok(()),
        Err(sentence) => {
            Err(problem(sentence).remedy("Mend `deploy.update_config` of the service."))
        }
    }
}

fn spec(desired: &Partial) -> Result<ServiceSpec, consort_model::service::ServiceError> {
    ServiceSpec::from_value(&desired.known().unwrap_or_else(|| known_policy(desired)))
}

/// The known parts of the settings that decide the policy.
fn known_policy(desired: &Partial) -> Value {
    let mut known = Object::new();
    for key in POLICY_KEYS {
        if let Some(value) = desired.get(key).and_then(pruned) {
            known.insert((*key).to_owned(), value);
        }
    }
    Value::Object(known)
}

fn pruned(part: &Partial) -> Option<Value> {
    match part {
        Partial::Unknown(_) => None,
        Partial::Scalar(value) => Some(value.clone()),
        Partial::List(items) => Some(Value::Array(
            items
                .iter()
                .filter(|item| item.unknown().is_none())
                .filter_map(pruned)
                .collect(),
        )),
        Partial::Map(map) => Some(Value::Object(
            map.iter()
                .filter_map(|(key, part)| Some((key.clone(), pruned(part)?)))
                .collect(),
        )),
    }
}

/// What the engine may do later for this service: roll it out by its policy, repair it.
pub(crate) fn mandates(outcome: &Outcome) -> Vec<Mandate> {
    // Both were checked when the node was planned.
    let spec = spec(&outcome.desired).unwrap_or_default();
    let (default, why) = spec.default_order();
    let update = spec.deploy.update_config.clone().unwrap_or_default();
    let written = update.order.is_some();
    let Ok(policy) = update.policy(default) else {
        return vec![Mandate::Repair];
    };
    let replicas = scale_of(&outcome.desired).unwrap_or_else(|| spec.replicas());
    let reason = match scale(&outcome.differences) {
        Some(scale) => format!("{scale}; no instance is replaced"),
        None if written => "update_config.order says so".to_owned(),
        None => why.to_owned(),
    };
    vec![
        Mandate::RollOut {
            policy,
            replicas,
            reason,
        },
        Mandate::Repair,
    ]
}

/// Compose's older `scale`, which counts where `deploy.replicas` is not written.
fn scale_of(desired: &Partial) -> Option<u32> {
    let written = desired
        .get("deploy")
        .and_then(|deploy| deploy.get("replicas"));
    if written.is_some_and(|replicas| *replicas != Partial::NULL) {
        return None;
    }
    match desired.get("scale")? {
        Partial::Scalar(value) => u32::try_from(value.as_u64()?).ok(),
        Partial::Unknown(_) | Partial::List(_) | Partial::Map(_) => None,
    }
}

/// `scale from 2 to 3`, when nothing else differs.
pub(crate) fn scale(differences: &[Difference]) -> Option<String> {
    const OWN: &[&str] = &["deploy.replicas", "scale"];
    let setting = differences
        .iter()
        .find(|difference| OWN.contains(&difference.path.as_str()))?;
    // The driver repeats the number among the attributes that it finds out.
    let others = differences
        .iter()
        .filter(|difference| !OWN.contains(&difference.path.as_str()));
    if others
        .into_iter()
        .any(|difference| difference.path != "replicas")
    {
        return None;
    }
    let before = if setting.before.is_null() {
        "1".to_owned()
    } else {
        setting.before.to_string()
    };
    let after = setting.after.known().map_or_else(
        || "(known after apply)".to_owned(),
        |after| {
            if after.is_null() {
                "1".to_owned()
            } else {
                after.to_string()
            }
        },
    );
    Some(format!("scale from {before} to {after}"))
}
