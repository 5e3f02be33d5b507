//! Replacement: what asks for it, and which half comes first.

use consort_model::plan::VerdictKind;

use super::drivers;
use super::work::Planning;
use crate::diff;
use crate::graph::{Declarations, Graph, Role, Source, Trigger, Which, source};
use crate::input::PlanInput;
use crate::path;

/// For each node: is a replacement made before the old one is deleted? What such a node depends on
/// is handled the same way: its old form is in use until the old node is gone.
pub(crate) fn create_first(
    input: &PlanInput,
    declarations: &Declarations,
    graph: &Graph,
) -> Vec<bool> {
    let own = |at: usize| {
        let declaration = &declarations.list[at];
        let Some(Source::Node(decl)) = source(&input.blueprint, &declaration.address) else {
            return false;
        };
        let kind = declaration.address.kind();
        let driver = drivers::driver(kind, &declaration.type_name, input.target, &input.schemas);
        let schema = input.schemas.get(&(driver, declaration.type_name.clone()));
        decl.lifecycle.create_before_destroy
            || schema.is_some_and(|schema| schema.create_before_destroy)
    };
    let declared: Vec<bool> = (0..declarations.list.len()).map(own).collect();
    let mut first = vec![false; graph.nodes.len()];
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        first[at] |= node.role == Role::Managed && node.declaration.is_some_and(|at| declared[at]);
        if first[at] {
            for on in &node.dependencies {
                first[*on as usize] = true;
            }
        }
    }
    first
}

/// Why a recorded node is replaced whatever its settings are.
pub(crate) fn forced(planning: &Planning, at: u32, tainted: bool) -> Option<String> {
    let node = planning.node(at);
    if tainted {
        return Some("it was not made completely".into());
    }
    if planning
        .input
        .options
        .replace
        .iter()
        .any(|address| address.node().covers(&node.address))
    {
        return Some("--replace asks for it".into());
    }
    let declaration = &planning.declarations.list[node.declaration?];
    let fired = declaration
        .triggers
        .iter()
        .find(|trigger| fires(planning, trigger))?;
    Some(format!("replace_triggered_by: {} changes", fired.text))
}

fn fires(planning: &Planning, trigger: &Trigger) -> bool {
    let address = planning.declarations.list[trigger.on].address.clone();
    let address = match &trigger.which {
        Which::All => address,
        Which::Key(key) => address.with_key(key.as_str()),
    };
    planning
        .graph
        .declared(&address)
        .any(|on| changes(planning, on, trigger))
}

fn changes(planning: &Planning, on: u32, trigger: &Trigger) -> bool {
    let (Some(outcome), Some(entry)) = (&planning.work[on as usize].outcome, planning.entry(on))
    else {
        return false;
    };
    let changes = match outcome.what {
        VerdictKind::Create
        | VerdictKind::Replace
        | VerdictKind::ReplaceCreateFirst
        | VerdictKind::Held => true,
        VerdictKind::Update => outcome.acts,
        VerdictKind::Unchanged
        | VerdictKind::Delete
        | VerdictKind::Read
        | VerdictKind::Forget
        | VerdictKind::Waiting
        | VerdictKind::Skipped => false,
    };
    if trigger.attribute.is_empty() || !changes {
        return changes;
    }
    let before = entry
        .attributes()
        .and_then(|attributes| path::get(attributes, &trigger.attribute));
    let value = planning.values.get(&planning.node(on).address);
    let after = value.and_then(|value| path::get_partial(value, &trigger.attribute));
    match (before, after) {
        (None, None) => false,
        (Some(before), Some(after)) => !diff::is_same(before, after),
        (None, Some(_)) | (Some(_), None) => true,
    }
}
