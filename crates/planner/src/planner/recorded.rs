//! Nodes of which only the record is looked at: those that have left the blueprint, all of them when
//! destroying, and all of them when only refreshing.

use consort_model::plan::VerdictKind;
use consort_model::state::Object;
use consort_model::{Kind, Partial, StateEntry, Value};

use super::actions;
use super::outcome::{Outcome, Settled};
use super::refresh::{self, Seen};
use super::work::Planning;
use crate::diff;

/// A node that is not declared any more.
pub(crate) fn removed(planning: &Planning, at: u32) -> Settled {
    let address = &planning.node(at).address;
    let declared = planning.declarations.find(&address.declaration()).is_some();
    let reason = match (declared, address.key()) {
        (true, Some(key)) => format!("`{key}` is not in its for_each any more"),
        (true, None) => "it has a for_each now".to_owned(),
        (false, _) => "it has left the blueprint".to_owned(),
    };
    gone_or_deleted(planning, at, &reason)
}

/// A node of a deployment that goes.
pub(crate) fn destroy(planning: &Planning, at: u32, volumes: bool) -> Settled {
    if planning.node(at).address.kind() == Kind::Volume && !volumes {
        let kept = Outcome::new(
            VerdictKind::Skipped,
            "named volumes are kept without --volumes",
        );
        return Settled::Node(Box::new(kept), Partial::NULL);
    }
    gone_or_deleted(planning, at, "the deployment is destroyed")
}

fn gone_or_deleted(planning: &Planning, at: u32, reason: &str) -> Settled {
    let Some(entry) = planning.entry(at) else {
        return Settled::Value(None);
    };
    let Seen {
        object,
        gone,
        drift,
        warnings,
    } = refresh::seen(planning, at);
    let is_data = entry.address.kind() == Kind::Data;
    let has_old = !entry.deposed.is_empty();
    // With replaced ones left over, deleting what is gone too ends the record in the same plan.
    let object = object.or_else(|| entry.object.clone().filter(|_| gone && has_old));
    let mut outcome = match object {
        Some(_) if is_data => Outcome::new(VerdictKind::Forget, reason),
        Some(object) => deletion(planning, entry, object, reason),
        None if has_old => Outcome {
            acts: false,
            ..Outcome::new(VerdictKind::Delete, reason)
        },
        None if gone => Outcome::new(VerdictKind::Forget, "it is gone from the world"),
        None => Outcome::new(VerdictKind::Forget, "nothing stands for it"),
    };
    let held =
        actions::protects(planning, at, &entry.lifecycle) && outcome.what == VerdictKind::Delete;
    if held {
        outcome = Outcome::new(
            VerdictKind::Held,
            format!("prevent_destroy holds it; it would be deleted because {reason}"),
        );
    }
    outcome.drift = drift;
    outcome.warnings = warnings;
    Settled::Node(Box::new(outcome), Partial::NULL)
}

fn deletion(planning: &Planning, entry: &StateEntry, object: Object, reason: &str) -> Outcome {
    let key = (entry.driver.clone(), entry.type_name.clone());
    let mut differences = diff::values(&object.desired, &Value::Null);
    diff::mark(&mut differences, planning.input.schemas.get(&key), &[]);
    Outcome {
        differences,
        prior: Some(object),
        ..Outcome::new(VerdictKind::Delete, reason)
    }
}

/// A node of which only the record is brought up to date.
pub(crate) fn refresh_only(planning: &Planning, at: u32) -> Settled {
    let Seen {
        object,
        gone,
        drift,
        warnings,
    } = refresh::seen(planning, at);
    let mut outcome = match object {
        _ if gone => Outcome::new(VerdictKind::Forget, "it is gone from the world"),
        Some(object) if !drift.is_empty() => Outcome {
            desired: object.desired.clone().into(),
            planned: object.attributes.clone().into(),
            prior: Some(object),
            differences: drift.clone(),
            ..Outcome::new(VerdictKind::Read, refresh::drift_reason(&drift))
        },
        _ => Outcome::new(VerdictKind::Unchanged, "it is as recorded"),
    };
    outcome.drift = drift;
    outcome.warnings = warnings;
    Settled::Node(Box::new(outcome), Partial::NULL)
}
