//! Data: read while planning if everything that it needs is known and stays, else during the run. A
//! result that is new is recorded by a read action, so that the steps of the run find it.

use consort_model::plan::VerdictKind;
use consort_model::state::Object;
use consort_model::{Code, Partial, Problem, Value, Why};

use super::outcome::{Outcome, Settled};
use super::work::Planning;
use crate::contract::Observed;
use crate::diff;
use crate::graph::Source;

/// Begins, or goes on when what was asked is answered.
pub(crate) fn step(planning: &mut Planning, at: u32) -> Option<Settled> {
    let Some(Source::Node(decl)) = planning.source(at) else {
        return Some(Settled::Value(None));
    };
    let template = decl.body.clone();
    let desired = match planning.evaluate(at, &template)? {
        Ok(desired) => desired,
        Err(problems) => return Some(Settled::Failed(problems, String::new())),
    };
    let later = match desired.unknown() {
        Some(Why::Apply) => Some("what it asks for is known after apply".to_owned()),
        Some(Why::Build) => Some("what it asks for is known after build".to_owned()),
        None => changing_dependency(planning, at),
    };
    let prior = planning.entry(at).and_then(|entry| entry.object.clone());
    let outcome = |reason: String| Outcome {
        desired: desired.clone(),
        template: Some(template.clone()),
        prior: prior.clone(),
        ..Outcome::new(VerdictKind::Read, reason)
    };
    if let Some(reason) = later {
        let planned = Partial::Unknown(Why::Apply);
        let outcome = Outcome {
            planned: planned.clone(),
            ..outcome(reason)
        };
        return Some(Settled::Node(Box::new(outcome), planned));
    }
    let Some(observed) = planning.work[at as usize].observed.take() else {
        ask(planning, at, &desired);
        return None;
    };
    let address = &planning.node(at).address;
    let problem = match observed {
        Observed::Present(attributes) => {
            return Some(read(planning, at, &desired, attributes, outcome));
        }
        Observed::Gone => not_found(address),
        Observed::Unreachable(why) => unreachable(address, &why),
    };
    Some(Settled::Failed(vec![problem], String::new()))
}

/// What is asked for has neither an id nor attributes yet.
fn ask(planning: &mut Planning, at: u32, desired: &Partial) {
    let object = Object {
        id: String::new(),
        desired: desired.known().unwrap_or(Value::Null),
        attributes: Value::Null,
        tainted: false,
    };
    planning.ask_read(at, object);
}

fn unreachable(address: &consort_model::Address, why: &str) -> Problem {
    Problem::new(Code::NODE_FAILED, format!("it cannot be read: {why}"))
        .at(address)
        .remedy("Try again when it can be reached.")
}

fn read(
    planning: &Planning,
    at: u32,
    desired: &Partial,
    attributes: Value,
    outcome: impl FnOnce(String) -> Outcome,
) -> Settled {
    let recorded = planning.entry(at).and_then(|entry| entry.object.as_ref());
    let differences = match recorded {
        None => None,
        Some(object) => {
            let mut found = diff::values(&object.attributes, &attributes);
            if found.is_empty() {
                found = diff::settings(&object.desired, desired);
            }
            Some(found)
        }
    };
    let planned = Partial::from(attributes);
    let mut outcome = match differences {
        None => outcome("it was not read before".into()),
        Some(found) if !found.is_empty() => Outcome {
            differences: found.clone(),
            ..outcome(format!("{} changed", super::managed::paths(&found)))
        },
        Some(_) => match super::managed::record_reason(planning, at) {
            Some(reason) => outcome(reason),
            None => Outcome::new(VerdictKind::Unchanged, "it is as recorded"),
        },
    };
    outcome.planned = planned.clone();
    diff::mark(&mut outcome.differences, planning.schema(at), &[]);
    Settled::Node(Box::new(outcome), planned)
}

/// A dependency that is going to change: what is read may change with it.
fn changing_dependency(planning: &Planning, at: u32) -> Option<String> {
    let mut dependencies = planning.node(at).dependencies.iter();
    dependencies
        .find(|on| planning.work[**on as usize].changes)
        .map(|on| format!("{} changes before", planning.node(*on).address))
}

fn not_found(address: &consort_model::Address) -> Problem {
    Problem::new(Code::NODE_FAILED, "what it asks for does not exist")
        .at(address)
        .remedy("Check its settings, or declare it as a resource that is made.")
}
