//! From the outcomes of all nodes to the plan.

use std::collections::BTreeMap;

use consort_model::blueprint::Warning;
use consort_model::plan::{Estimate, FORMAT, Mode, Plan, Verdict, VerdictKind};
use consort_model::{Address, Code, Problem};
use indexmap::IndexMap;

use super::work::Planning;
use super::{Unplannable, actions, order, questions};
use crate::graph::Role;
use crate::input::PlanInput;
use crate::lint::{self, Severity};

/// The plan, or every reason why there is none.
pub(crate) fn finish(mut planning: Planning) -> Result<Plan, Unplannable> {
    planning.forget_values();
    let mut problems = Vec::new();
    if !planning.pending.is_empty() {
        problems.push(super::unanswered(planning.pending.len()));
    }
    for at in 0..planning.graph.nodes.len() as u32 {
        problems.extend(planning.work[at as usize].problems.iter().cloned());
        problems.extend(planning.held(at));
    }
    let mut plan = empty(&planning.input);
    plan.verdicts = verdicts(&planning);
    plan.read = read(&planning);
    plan.drift = outcomes(&planning)
        .filter(|(_, outcome)| !outcome.drift.is_empty())
        .map(|(address, outcome)| (address.clone(), outcome.drift.clone()))
        .collect();
    plan.warnings = warnings(&planning);
    if planning.input.mode == Mode::Apply {
        outputs(&planning, &mut plan);
    }
    let mut placed = Vec::new();
    for at in 0..planning.graph.nodes.len() as u32 {
        placed.extend(actions::of(&planning, at));
        if let Some(outcome) = &mut planning.work[at as usize].outcome {
            outcome.lighten();
        }
    }
    match order::ordered(&planning, placed) {
        Ok(actions) => plan.actions = actions,
        Err(problem) => problems.push(problem),
    }
    plan.questions = questions::of(&planning, &plan.actions);
    if problems.is_empty() {
        problems.extend(checked(&plan, &planning.input));
    }
    if problems.is_empty() {
        Ok(plan)
    } else {
        Err(Unplannable {
            problems,
            plan: Box::new(plan),
        })
    }
}

/// No plan leaves here that the independent checker would refuse.
fn checked(plan: &Plan, input: &PlanInput) -> Vec<Problem> {
    let errors = lint::lint(plan, &input.state)
        .into_iter()
        .filter(|finding| finding.severity() == Severity::Error);
    errors
        .map(|finding| {
            Problem::new(Code::INTERNAL, format!("the plan does not hold: {finding}"))
                .remedy("Please report this with the blueprint.")
        })
        .collect()
}

/// The plan without anything in it.
pub(crate) fn empty(input: &PlanInput) -> Plan {
    Plan {
        format: FORMAT,
        deployment: input.deployment.clone(),
        target: input.target,
        mode: input.mode,
        parent: input.parent,
        bundle: input.bundle,
        inputs: input.inputs.clone(),
        only: input.options.only.clone(),
        read: BTreeMap::new(),
        actions: Vec::new(),
        verdicts: IndexMap::new(),
        outputs: IndexMap::new(),
        planned_outputs: IndexMap::new(),
        drift: IndexMap::new(),
        estimate: Estimate::default(),
        warnings: Vec::new(),
        questions: Vec::new(),
        created: input.created,
    }
}

fn outcomes(planning: &Planning) -> impl Iterator<Item = (&Address, &super::outcome::Outcome)> {
    let nodes = planning.graph.nodes.iter().zip(&planning.work);
    nodes.filter_map(|(node, work)| Some((&node.address, work.outcome.as_ref()?)))
}

fn verdicts(planning: &Planning) -> IndexMap<Address, Verdict> {
    let mut verdicts: IndexMap<Address, Verdict> = outcomes(planning)
        .map(|(address, outcome)| {
            let verdict = Verdict {
                what: outcome.what,
                reason: outcome.reason.clone(),
            };
            (address.clone(), verdict)
        })
        .collect();
    if planning.input.mode == Mode::Apply {
        return verdicts;
    }
    // Only what is recorded was looked at; what is merely declared has nothing to lose.
    for address in planning.input.blueprint.nodes.keys() {
        let is_node = matches!(Role::of(address.kind()), Role::Managed | Role::Data);
        if is_node && planning.graph.covered(address).next().is_none() {
            let verdict = Verdict {
                what: VerdictKind::Unchanged,
                reason: "it does not exist".into(),
            };
            verdicts.insert(address.clone(), verdict);
        }
    }
    verdicts
}

/// The generations that the plan rests on: of all recorded nodes but those that were left out.
fn read(planning: &Planning) -> BTreeMap<Address, consort_model::Generation> {
    let nodes = planning.graph.nodes.iter().enumerate();
    nodes
        .filter(|(at, _)| planning.chosen[*at])
        .filter_map(|(_, node)| {
            let entry = planning.input.state.get(&node.address)?;
            Some((entry.address.clone(), entry.generation))
        })
        .collect()
}

fn outputs(planning: &Planning, plan: &mut Plan) {
    for (name, output) in &planning.input.blueprint.outputs {
        plan.outputs.insert(name.clone(), output.value.clone());
        if let Some(value) = planning.outputs.get(name) {
            plan.planned_outputs.insert(name.clone(), value.clone());
        }
    }
}

fn warnings(planning: &Planning) -> Vec<Warning> {
    let mut warnings = planning.input.blueprint.warnings.clone();
    for (at, node) in planning.graph.nodes.iter().enumerate() {
        let Some(outcome) = &planning.work[at].outcome else {
            continue;
        };
        let place = node
            .declaration
            .map(|at| planning.declarations.list[at].place.clone());
        let mut add = |message: String| {
            warnings.push(Warning {
                message,
                place: place.clone(),
                address: Some(node.address.clone()),
            });
        };
        outcome.warnings.iter().cloned().for_each(&mut add);
        let entry = planning
            .entry(at as u32)
            .filter(|entry| !entry.deposed.is_empty());
        if entry.is_some_and(|entry| actions::protects(planning, at as u32, &entry.lifecycle))
            && outcome.what != VerdictKind::Held
        {
            add("a replaced one of it is kept, because prevent_destroy holds it".into());
        }
    }
    warnings
}
