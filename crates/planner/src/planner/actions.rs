//! The actions of one node, and what they record of its dependencies.

use consort_model::blueprint::{Condition, Lifecycle, NodeDecl};
use consort_model::plan::{Action, ActionId, Operation, VerdictKind};
use consort_model::state::{Object, Site};
use consort_model::time::Span;
use consort_model::{Address, Kind, Partial, StateEntry};

use super::outcome::Outcome;
use super::service;
use super::work::Planning;
use crate::graph::{Role, Source};

/// The longest that one action may take when the blueprint does not say: long enough for a slow
/// database of a cloud, short enough that a hung call is noticed within the hour.
const TIME_LIMIT: Span = Span::from_secs(20 * 60);

/// Which part of a node an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// Create, update or read.
    Do,
    /// Delete or forget what stands for it now.
    Delete,
    /// Delete one that was replaced before.
    Leftover,
}

/// An action with its place in the graph.
pub(crate) struct Placed {
    pub node: u32,
    pub slot: Slot,
    pub action: Action,
}

/// What a node depends on, as the state records it: managed nodes and data, through locals; a
/// declaration stands for all its instances. Sorted, without doubles.
pub(crate) fn depends_on(planning: &Planning, at: u32) -> Vec<Address> {
    let mut found = Vec::new();
    for on in &planning.node(at).dependencies {
        let node = planning.node(*on);
        match node.role {
            Role::Managed | Role::Data | Role::Removed | Role::Group => {
                found.push(node.address.clone())
            }
            Role::Local => found.extend(planning.work[*on as usize].through.iter().cloned()),
            Role::Input | Role::Output | Role::Nothing => {}
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Everything that is done about one node.
pub(crate) fn of(planning: &Planning, at: u32) -> Vec<Placed> {
    let Some(outcome) = &planning.work[at as usize].outcome else {
        return Vec::new();
    };
    let mut actions = Vec::new();
    let create = |replaces| Operation::Create { replaces };
    let delete = |deposed| Operation::Delete { deposed };
    let mut add = |slot, operation| {
        actions.push(placed(
            planning,
            at,
            outcome,
            slot,
            operation,
            outcome.prior.clone(),
        ))
    };
    match outcome.what {
        _ if !outcome.acts => {}
        VerdictKind::Create => add(Slot::Do, create(false)),
        VerdictKind::Update => add(Slot::Do, Operation::Update),
        VerdictKind::Read => add(Slot::Do, Operation::Read),
        VerdictKind::Replace => {
            add(Slot::Delete, delete(None));
            add(Slot::Do, create(false));
        }
        VerdictKind::ReplaceCreateFirst => {
            add(Slot::Do, create(true));
            let id = outcome.prior.as_ref().map(|object| object.id.clone());
            add(Slot::Delete, delete(id));
        }
        VerdictKind::Delete => add(Slot::Delete, delete(None)),
        VerdictKind::Forget => add(Slot::Delete, Operation::Forget),
        VerdictKind::Unchanged
        | VerdictKind::Waiting
        | VerdictKind::Held
        | VerdictKind::Skipped => {}
    }
    actions.extend(leftovers(planning, at, outcome));
    actions
}

/// Deletions of what was replaced in a run that did not get so far.
fn leftovers(planning: &Planning, at: u32, outcome: &Outcome) -> Vec<Placed> {
    let skipped = matches!(
        outcome.what,
        VerdictKind::Waiting | VerdictKind::Held | VerdictKind::Skipped
    );
    let Some(entry) = planning
        .entry(at)
        .filter(|entry| !skipped && !protects(planning, at, &entry.lifecycle))
    else {
        return Vec::new();
    };
    let action = |object: &Object| {
        let operation = Operation::Delete {
            deposed: Some(object.id.clone()),
        };
        placed(
            planning,
            at,
            outcome,
            Slot::Leftover,
            operation,
            Some(object.clone()),
        )
    };
    entry.deposed.iter().map(action).collect()
}

/// Is the node protected? By the blueprint; what has left it by its record, and by the declaration
/// that it was an instance of.
pub(crate) fn protects(planning: &Planning, at: u32, recorded: &Lifecycle) -> bool {
    if let Some(Source::Node(decl)) = planning.source(at) {
        return decl.lifecycle.prevent_destroy;
    }
    let declaration = planning.node(at).address.declaration();
    let declared = planning.input.blueprint.nodes.get(&declaration);
    recorded.prevent_destroy || declared.is_some_and(|decl| decl.lifecycle.prevent_destroy)
}

fn placed(
    planning: &Planning,
    at: u32,
    outcome: &Outcome,
    slot: Slot,
    operation: Operation,
    prior: Option<Object>,
) -> Placed {
    let action = match slot {
        Slot::Do => doing(planning, at, outcome, operation, prior),
        Slot::Delete | Slot::Leftover => deleting(planning, at, outcome, operation, prior),
    };
    Placed {
        node: at,
        slot,
        action,
    }
}

fn doing(
    planning: &Planning,
    at: u32,
    outcome: &Outcome,
    operation: Operation,
    prior: Option<Object>,
) -> Action {
    let node = planning.node(at);
    let (driver, type_name) = planning.driver(at);
    let decl = match planning.source(at) {
        Some(Source::Node(decl)) => Some(decl),
        _ => None,
    };
    let entry = planning.entry(at);
    let changes = operation != Operation::Read;
    Action {
        id: ActionId::new(&operation, &node.address),
        prior: prior.filter(|_| !matches!(operation, Operation::Create { .. })),
        operation,
        address: node.address.clone(),
        driver,
        type_name,
        site: entry.map_or_else(Site::local, |entry| entry.site.clone()),
        template: outcome.template.clone(),
        each: node.each.clone(),
        desired: outcome.desired.clone(),
        planned: outcome.planned.clone(),
        differences: outcome.differences.clone(),
        after: Vec::new(),
        waits_for: if changes {
            waits_for(planning, at)
        } else {
            Vec::new()
        },
        depends_on: match (decl, entry) {
            (None, Some(entry)) => entry.depends_on.clone(),
            _ => depends_on(planning, at),
        },
        lifecycle: lifecycle(decl, entry),
        service_change: None,
        mandates: match node.address.kind() {
            Kind::Service if changes => service::mandates(outcome),
            _ => Vec::new(),
        },
        time_limit: decl.and_then(|decl| decl.time_limit).unwrap_or(TIME_LIMIT),
    }
}

fn deleting(
    planning: &Planning,
    at: u32,
    outcome: &Outcome,
    operation: Operation,
    prior: Option<Object>,
) -> Action {
    let node = planning.node(at);
    let entry = planning.entry(at);
    let decl = match planning.source(at) {
        Some(Source::Node(decl)) => Some(decl),
        _ => None,
    };
    Action {
        id: ActionId::new(&operation, &node.address),
        address: node.address.clone(),
        driver: entry.map(|entry| entry.driver.clone()).unwrap_or_default(),
        type_name: entry
            .map(|entry| entry.type_name.clone())
            .unwrap_or_default(),
        site: entry.map_or_else(Site::local, |entry| entry.site.clone()),
        prior,
        template: None,
        each: node.each.clone(),
        desired: Partial::NULL,
        planned: Partial::NULL,
        differences: if outcome.what == VerdictKind::Delete
            && operation == (Operation::Delete { deposed: None })
        {
            outcome.differences.clone()
        } else {
            Vec::new()
        },
        operation,
        after: Vec::new(),
        waits_for: Vec::new(),
        depends_on: entry
            .map(|entry| entry.depends_on.clone())
            .unwrap_or_default(),
        lifecycle: lifecycle(decl, entry),
        service_change: None,
        mandates: Vec::new(),
        time_limit: decl.and_then(|decl| decl.time_limit).unwrap_or(TIME_LIMIT),
    }
}

/// The life-cycle settings that hold: declared or, if the node is not declared any more, recorded.
fn lifecycle(decl: Option<&NodeDecl>, entry: Option<&StateEntry>) -> Lifecycle {
    let declared = decl.map(|decl| &decl.lifecycle);
    let recorded = entry.map(|entry| &entry.lifecycle);
    declared.or(recorded).cloned().unwrap_or_default()
}

/// The services whose condition must be met first.
fn waits_for(planning: &Planning, at: u32) -> Vec<(Address, Condition)> {
    let Some(declaration) = planning.node(at).declaration else {
        return Vec::new();
    };
    let conditions = &planning.declarations.list[declaration].conditions;
    let nodes = |on: &usize| {
        let address = &planning.declarations.list[*on].address;
        planning
            .graph
            .declared(address)
            .map(|on| planning.node(on).address.clone())
            .collect::<Vec<_>>()
    };
    conditions
        .iter()
        .flat_map(|(on, condition)| nodes(on).into_iter().map(|on| (on, *condition)))
        .collect()
}
