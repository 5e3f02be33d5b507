//! Looking at what is there before planning.

use consort_model::plan::{Difference, Mode};
use consort_model::secret::OPEN;
use consort_model::state::Object;
use consort_model::{Kind, Value};

use super::work::Planning;
use crate::contract::{Observed, TypeSchema};
use crate::diff;
use crate::graph::Role;

/// What is there of a recorded node.
pub(crate) struct Seen {
    /// What stands for it; none if nothing does.
    pub object: Option<Object>,
    /// It is recorded, and gone from the world.
    pub gone: bool,
    /// Between what is recorded and what is there.
    pub drift: Vec<Difference>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Asks for every recorded object whose driver can say what is there.
pub(crate) fn ask(planning: &mut Planning) {
    let wanted = planning.input.options.refresh || planning.input.mode == Mode::RefreshOnly;
    if !wanted {
        return;
    }
    for at in 0..planning.graph.nodes.len() as u32 {
        let node = planning.node(at);
        let is_recorded =
            matches!(node.role, Role::Managed | Role::Removed) && node.address.kind() != Kind::Data;
        if !is_recorded || !planning.chosen[at as usize] {
            continue;
        }
        let Some(entry) = planning.entry(at) else {
            continue;
        };
        let key = (entry.driver.clone(), entry.type_name.clone());
        let can_read = planning
            .input
            .schemas
            .get(&key)
            .is_some_and(|schema| schema.has_read);
        if let (true, Some(object)) = (can_read, entry.object.clone()) {
            planning.ask_read(at, object);
        }
    }
}

/// What is there of this node, by its record and what was observed.
pub(crate) fn seen(planning: &Planning, at: u32) -> Seen {
    let mut seen = Seen {
        object: None,
        gone: false,
        drift: Vec::new(),
        warnings: Vec::new(),
    };
    let Some(entry) = planning.entry(at) else {
        return seen;
    };
    let Some(object) = &entry.object else {
        return seen;
    };
    let key = (entry.driver.clone(), entry.type_name.clone());
    let schema = planning.input.schemas.get(&key);
    match &planning.work[at as usize].observed {
        None => seen.object = Some(object.clone()),
        Some(Observed::Unreachable(why)) => {
            seen.object = Some(object.clone());
            seen.warnings.push(format!(
                "it cannot be seen now ({why}); planned from what is recorded"
            ));
        }
        Some(Observed::Gone) => {
            seen.gone = true;
            seen.drift = diff::values(&object.attributes, &Value::Null);
        }
        Some(Observed::Present(attributes)) => {
            let attributes = merged(&object.attributes, attributes, schema);
            seen.drift = diff::values(&object.attributes, &attributes);
            seen.object = Some(Object {
                attributes,
                ..object.clone()
            });
        }
    }
    diff::mark(&mut seen.drift, schema, &[]);
    seen
}

/// What was observed, with recorded secrets in their places: those are not compared.
fn merged(recorded: &Value, observed: &Value, schema: Option<&TypeSchema>) -> Value {
    let (Value::Object(recorded), Value::Object(observed)) = (recorded, observed) else {
        return observed.clone();
    };
    let mut merged = observed.clone();
    for (name, old) in recorded {
        let is_secret = schema.is_some_and(|schema| schema.is_sensitive(name))
            || old.to_string().contains(OPEN);
        if is_secret {
            merged.insert(name.clone(), old.clone());
        }
    }
    Value::Object(merged)
}

/// `its mode and content have changed outside`.
pub(crate) fn drift_reason(drift: &[Difference]) -> String {
    format!("{} changed outside", super::managed::paths(drift))
}
