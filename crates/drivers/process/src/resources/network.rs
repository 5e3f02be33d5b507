//! Networks: sets of names. Nothing is made; services of shared networks find each other.

use consort_driver::{Applied, ApplyRequest, Context, DriverError, PlanRequest, PlannedChange};
use consort_model::{Partial, Value};
use serde_json::json;

use super::{differs, known_parts, text_of};

pub(super) fn plan(request: &PlanRequest) -> Result<PlannedChange, DriverError> {
    let settings = known_parts(&request.desired);
    let mut warnings = Vec::new();
    if settings.get("internal").and_then(Value::as_bool) == Some(true) {
        warnings.push(
            "`internal` is not enforced: instances use the network of this machine".to_owned(),
        );
    }
    let subnets = settings
        .get("ipam")
        .and_then(|ipam| ipam.get("config"))
        .and_then(Value::as_array);
    if subnets.is_some_and(|subnets| !subnets.is_empty()) {
        warnings.push(
            "`ipam` is not used: addresses come from the block of the home in 127/8".to_owned(),
        );
    }
    Ok(PlannedChange {
        planned: Partial::from(attributes(request.address.name(), &settings)),
        requires_replacement: Vec::new(),
        changes: differs(request),
        warnings,
    })
}

pub(super) fn apply(context: &Context, request: &ApplyRequest) -> Applied {
    Applied {
        id: format!("{}/{}", context.deployment, request.address),
        attributes: attributes(request.address.name(), &request.desired),
        ..Applied::default()
    }
}

fn attributes(key: &str, settings: &Value) -> Value {
    json!({"name": text_of(settings, "name").unwrap_or(key)})
}
