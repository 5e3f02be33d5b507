//! Jobs: their planning side. They are run as tasks.

use consort_driver::{Applied, ApplyRequest, DriverError, PlanRequest, PlannedChange};
use consort_model::service::ServiceSpec;
use consort_model::{Code, Partial, Value};
use indexmap::IndexMap;

use super::{differs, known_parts, unsupported};
use crate::command;
use crate::runtime::Runtime;

pub(super) fn plan(runtime: &Runtime, request: &PlanRequest) -> Result<PlannedChange, DriverError> {
    let settings = known_parts(&request.desired);
    let spec = spec(request, &settings)?;
    if request.desired.known().is_some() {
        command::words(&request.address, &spec)?;
    }
    let program = request
        .desired
        .get("program")
        .cloned()
        .unwrap_or(Partial::NULL);
    let planned = IndexMap::from([
        (
            "name".to_owned(),
            Partial::from(Value::from(request.address.name())),
        ),
        ("program".to_owned(), program),
    ]);
    Ok(PlannedChange {
        planned: Partial::Map(planned),
        requires_replacement: Vec::new(),
        changes: differs(request),
        warnings: unsupported::warnings(&settings, &spec, runtime.machine.rung()),
    })
}

fn spec(request: &PlanRequest, settings: &Value) -> Result<ServiceSpec, DriverError> {
    ServiceSpec::from_value(settings).map_err(|problem| {
        let message = format!("{} cannot be read", request.address);
        DriverError::new(Code::BLUEPRINT_INVALID, message).because(problem)
    })
}

pub(super) fn apply(request: &ApplyRequest) -> Result<Applied, DriverError> {
    let program = request.desired.get("program").cloned().unwrap_or_default();
    Ok(Applied {
        id: request.address.to_string(),
        attributes: serde_json::json!({"name": request.address.name(), "program": program}),
        ..Applied::default()
    })
}
