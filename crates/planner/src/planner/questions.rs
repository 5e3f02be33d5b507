//! Why a plan must be asked about (DESIGN 9).

use std::collections::BTreeSet;

use consort_model::plan::{Action, Operation, Question};
use consort_model::{Kind, Value};

use super::work::Planning;
use crate::input::{BUILTIN, ENGINE, target_driver};

/// The kinds that Compose knows.
const COMPOSE: &[Kind] = &[
    Kind::Service,
    Kind::Network,
    Kind::Volume,
    Kind::Config,
    Kind::Secret,
    Kind::Job,
    Kind::Build,
];

/// Everything that a person is asked about; nothing for a project that Compose could have made.
pub(crate) fn of(planning: &Planning, actions: &[Action]) -> Vec<Question> {
    if is_compose(planning) {
        return Vec::new();
    }
    let own = [
        BUILTIN,
        ENGINE,
        target_driver(planning.input.target),
        "process",
        "docker",
        "kubernetes",
        "host",
    ];
    let mut providers = BTreeSet::new();
    let mut questions = Vec::new();
    for action in actions {
        if destroys_data(planning, action) {
            let question = Question::DestroysData {
                address: action.address.clone(),
            };
            if !questions.contains(&question) {
                questions.push(question);
            }
        }
        if !own.contains(&action.driver.as_str()) && providers.insert(action.driver.clone()) {
            questions.push(Question::CallsProvider {
                driver: action.driver.clone(),
            });
        }
        if action.address.kind() == Kind::Host {
            questions.push(Question::TouchesHost {
                address: action.address.clone(),
            });
        }
    }
    questions
}

fn is_compose(planning: &Planning) -> bool {
    let blueprint = &planning.input.blueprint;
    let mut kinds = blueprint
        .nodes
        .keys()
        .chain(planning.input.state.keys())
        .map(|address| address.kind());
    kinds.all(|kind| COMPOSE.contains(&kind))
        && blueprint.inputs.is_empty()
        && blueprint.outputs.is_empty()
}

fn destroys_data(planning: &Planning, action: &Action) -> bool {
    let key = (action.driver.clone(), action.type_name.clone());
    let holds_data = planning
        .input
        .schemas
        .get(&key)
        .is_some_and(|schema| schema.holds_data);
    // What is `external` is only let go of.
    let external = action
        .prior
        .as_ref()
        .and_then(|object| object.desired.get("external"));
    let is_external = external == Some(&Value::Bool(true));
    matches!(action.operation, Operation::Delete { .. }) && holds_data && !is_external
}
