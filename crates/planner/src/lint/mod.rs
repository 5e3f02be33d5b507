//! The independent check of a plan: from the plan itself and the recorded state, with no use of what
//! the planner knew.

mod finding;
mod order;
mod tokens;

use std::collections::BTreeMap;

use consort_model::plan::{Action, Mode, Operation, Plan, VerdictKind};
use consort_model::{Address, Kind, StateEntry};

pub use finding::{Finding, Severity};
use order::Actions;

/// Everything that is wrong with a plan that was made from this state.
#[must_use]
pub fn lint(plan: &Plan, state: &BTreeMap<Address, StateEntry>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let actions = Actions::of(plan, &mut findings);
    actions.check_makers(&mut findings);
    actions.check_deletions(state, &mut findings);
    verdicts(plan, &actions, state, &mut findings);
    generations(plan, state, &mut findings);
    for action in &plan.actions {
        single(plan, action, &mut findings);
    }
    findings
}

fn verdicts(
    plan: &Plan,
    actions: &Actions<'_>,
    state: &BTreeMap<Address, StateEntry>,
    findings: &mut Vec<Finding>,
) {
    let nodes = plan
        .actions
        .iter()
        .map(|action| &action.address)
        .chain(state.keys());
    let mut missing: Vec<&Address> = nodes
        .filter(|address| !plan.verdicts.contains_key(*address))
        .collect();
    missing.sort();
    missing.dedup();
    findings.extend(missing.into_iter().cloned().map(Finding::NoVerdict));
    let mut of_node: BTreeMap<&Address, Vec<&Action>> = BTreeMap::new();
    for action in &plan.actions {
        of_node.entry(&action.address).or_default().push(action);
    }
    for (address, verdict) in &plan.verdicts {
        let own = of_node.get(address).map_or(&[][..], Vec::as_slice);
        if !agrees(verdict.what, own) {
            findings.push(Finding::ActionsDisagree {
                address: address.clone(),
                verdict: verdict.what,
                actions: own.iter().map(|action| action.id.to_string()).collect(),
            });
        }
        halves(verdict.what, address, own, actions, findings);
    }
}

/// Are these the actions of this verdict? Deletions of what was replaced in an earlier run may come
/// with any that does something.
fn agrees(verdict: VerdictKind, actions: &[&Action]) -> bool {
    let is = |operation: &Operation| {
        actions
            .iter()
            .filter(|action| action.operation == *operation)
            .count()
    };
    let old = actions
        .iter()
        .filter(|action| matches!(action.operation, Operation::Delete { deposed: Some(_) }))
        .count();
    let all = actions.len();
    let (create, create_first) = (
        is(&Operation::Create { replaces: false }),
        is(&Operation::Create { replaces: true }),
    );
    let (delete, update) = (
        is(&Operation::Delete { deposed: None }),
        is(&Operation::Update),
    );
    match verdict {
        VerdictKind::Unchanged
        | VerdictKind::Waiting
        | VerdictKind::Held
        | VerdictKind::Skipped => all == 0,
        VerdictKind::Create => create == 1 && all == 1 + old,
        VerdictKind::Update => update <= 1 && all == update + old && all > 0,
        VerdictKind::Replace => create == 1 && delete == 1 && all == 2 + old,
        VerdictKind::ReplaceCreateFirst => create_first == 1 && old >= 1 && all == 1 + old,
        VerdictKind::Delete => delete <= 1 && all == delete + old && all > 0,
        VerdictKind::Read => is(&Operation::Read) == 1 && all == 1 + old,
        VerdictKind::Forget => is(&Operation::Forget) == 1 && all == 1 + old,
    }
}

fn halves(
    verdict: VerdictKind,
    address: &Address,
    own: &[&Action],
    actions: &Actions<'_>,
    findings: &mut Vec<Finding>,
) {
    let place = |wanted: fn(&Operation) -> bool| {
        own.iter()
            .find(|action| wanted(&action.operation))
            .and_then(|action| actions.place(&action.id))
    };
    let create = place(|operation| matches!(operation, Operation::Create { .. }));
    let right = match (verdict, create) {
        (VerdictKind::Replace, Some(create)) => {
            place(|operation| matches!(operation, Operation::Delete { deposed: None }))
                .is_none_or(|delete| actions.waits(create, delete))
        }
        (VerdictKind::ReplaceCreateFirst, Some(create)) => {
            place(|operation| matches!(operation, Operation::Delete { .. }))
                .is_none_or(|delete| actions.waits(delete, create))
        }
        _ => true,
    };
    if !right {
        findings.push(Finding::HalvesOutOfOrder(address.clone()));
    }
}

fn generations(plan: &Plan, state: &BTreeMap<Address, StateEntry>, findings: &mut Vec<Finding>) {
    for (address, entry) in state {
        let skipped = plan
            .verdicts
            .get(address)
            .is_some_and(|verdict| verdict.what == VerdictKind::Skipped);
        let named = plan.read.get(address).copied();
        let wrong = named.map_or(!skipped, |named| named != entry.generation);
        if wrong {
            findings.push(Finding::WrongGeneration {
                address: address.clone(),
                expected: entry.generation,
                named,
            });
        }
    }
    if plan.parent.is_none() && !state.is_empty() {
        findings.push(Finding::NoParent);
    }
}

fn single(plan: &Plan, action: &Action, findings: &mut Vec<Finding>) {
    let deletes = matches!(action.operation, Operation::Delete { .. });
    if deletes && action.lifecycle.prevent_destroy {
        findings.push(Finding::ProtectedDeleted(action.address.clone()));
    }
    let fits = match plan.mode {
        Mode::Apply => true,
        Mode::Destroy { .. } => deletes || action.operation == Operation::Forget,
        Mode::RefreshOnly => matches!(action.operation, Operation::Read | Operation::Forget),
    };
    if !fits {
        findings.push(Finding::WrongMode(action.id.clone()));
    }
    if deletes
        && plan.mode == (Mode::Destroy { volumes: false })
        && action.address.kind() == Kind::Volume
    {
        findings.push(Finding::VolumeDeleted(action.id.clone()));
    }
    let mut needs = |there: bool, part| {
        if !there {
            findings.push(Finding::Incomplete {
                action: action.id.clone(),
                part,
            });
        }
    };
    needs(!action.driver.is_empty(), "driver");
    needs(!action.type_name.is_empty(), "type");
    match action.operation {
        Operation::Create { .. } => needs(action.template.is_some(), "settings"),
        Operation::Update => {
            needs(
                action.template.is_some() || action.service_change.is_some(),
                "settings",
            );
            needs(action.prior.is_some(), "prior object");
        }
        Operation::Delete { .. } => needs(action.prior.is_some(), "prior object"),
        Operation::Read | Operation::Forget => {}
    }
    if let Some(part) = tokens::broken(action) {
        findings.push(Finding::BrokenToken {
            action: action.id.clone(),
            part,
        });
    }
}
