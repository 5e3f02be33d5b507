//! A node that is made, changed and replaced: from its settings and its record to an outcome.

use std::sync::Arc;

use consort_model::blueprint::TargetKind;
use consort_model::plan::{Difference, VerdictKind};
use consort_model::state::Object;
use consort_model::{Kind, Partial, Problem, Template, Value, Why};

use super::outcome::{Outcome, Settled};
use super::work::Planning;
use super::{actions, refresh, replace, service};
use crate::contract::{Need, NeedId, NeedStep, PlannedChange};
use crate::graph::Source;
use crate::input::ENGINE;
use crate::{diff, ignore};

/// What is wanted of a node, while its driver is asked.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    desired: Partial,
    template: Template,
    /// The same as the blueprint has it, where `ignore_changes` made a difference: a new one is made
    /// by the blueprint.
    written: Option<(Partial, Template)>,
    /// What is there, as observed.
    prior: Option<Object>,
    /// Recorded, and gone from the world.
    gone: bool,
    drift: Vec<Difference>,
    warnings: Vec<String>,
    /// Why it is replaced, once that is settled.
    replaced: Option<String>,
    /// The paths that force it.
    forcing: Vec<String>,
    retyped: bool,
}

/// Begins with a node whose dependencies are settled.
pub(crate) fn step(planning: &mut Planning, at: u32) -> Option<Settled> {
    let blueprint = Arc::clone(&planning.input.blueprint);
    let declaration = planning.node(at).address.declaration();
    let Some(decl) = blueprint.nodes.get(&declaration) else {
        return Some(Settled::Value(None));
    };
    let ignored = &decl.lifecycle.ignore_changes;
    let (desired, template) = match planning.evaluate(at, &decl.body)? {
        Ok(desired) => with_program(planning, at, desired, decl.body.clone()),
        Err(problems) => return Some(Settled::Failed(problems, String::new())),
    };
    let seen = refresh::seen(planning, at);
    let (desired, template, written) = match &seen.object {
        Some(object) if !ignored.is_empty() => {
            let written = Some((desired.clone(), template.clone()));
            let (desired, template) =
                ignore::keep_ignored(ignored, &object.desired, desired, template);
            (desired, template, written)
        }
        _ => (desired, template, None),
    };
    if let Err(problem) = service::check(planning, at, &desired) {
        return Some(Settled::Failed(vec![problem], String::new()));
    }
    let mut wanted = Wanted {
        desired,
        template,
        written,
        prior: seen.object,
        gone: seen.gone,
        drift: seen.drift,
        warnings: seen.warnings,
        replaced: None,
        forcing: Vec::new(),
        retyped: false,
    };
    wanted.force(planning, at);
    if planning.driver(at).0 == ENGINE {
        return Some(definition(planning, at, wanted));
    }
    ask(planning, at, wanted);
    None
}

impl Wanted {
    /// Finds out whether what is there must be replaced whatever its settings are.
    fn force(&mut self, planning: &Planning, at: u32) {
        let (Some(object), Some(entry)) = (&self.prior, planning.entry(at)) else {
            return;
        };
        let (driver, type_name) = planning.driver(at);
        self.retyped = (&entry.driver, &entry.type_name) != (&driver, &type_name);
        self.replaced = if self.retyped {
            let old = &entry.type_name;
            Some(format!("its type changes from {old} to {type_name}"))
        } else {
            replace::forced(planning, at, object.tainted)
        };
    }
}

/// The digest of the program that was built for a service is one of its settings.
fn with_program(
    planning: &Planning,
    at: u32,
    mut desired: Partial,
    mut template: Template,
) -> (Partial, Template) {
    let node = planning.node(at);
    if !matches!(node.address.kind(), Kind::Service | Kind::Job) {
        return (desired, template);
    }
    let digest = planning.input.programs.get(node.address.name());
    let is_built = template
        .get("process")
        .and_then(|process| process.get("build"))
        .is_some_and(|build| *build != Template::default());
    let program = match digest {
        Some(digest) => Partial::Scalar(Value::String(digest.to_string())),
        None if is_built && planning.input.target == TargetKind::Process => {
            Partial::Unknown(Why::Build)
        }
        None => return (desired, template),
    };
    if let (Partial::Map(desired), Template::Map(template)) = (&mut desired, &mut template) {
        if let Partial::Scalar(digest) = &program {
            template.insert("program".into(), Template::Scalar(digest.clone()));
        }
        desired.insert("program".into(), program);
    }
    (desired, template)
}

fn ask(planning: &mut Planning, at: u32, mut wanted: Wanted) {
    if wanted.replaced.is_some()
        && let Some((desired, template)) = wanted.written.take()
    {
        (wanted.desired, wanted.template) = (desired, template);
    }
    let (driver, type_name) = planning.driver(at);
    let is_new = wanted.replaced.is_some() || wanted.prior.is_none();
    let need = Need::PlanChange {
        driver,
        type_name,
        address: planning.node(at).address.clone(),
        prior: if is_new { None } else { wanted.prior.clone() },
        desired: wanted.desired.clone(),
    };
    planning.work[at as usize].wanted = Some(Box::new(wanted));
    planning.need(
        at,
        if is_new {
            NeedStep::New
        } else {
            NeedStep::Change
        },
        need,
    );
}

/// The driver has answered; asks again, as for a new one, when the answer is a replacement.
pub(crate) fn planned(
    planning: &mut Planning,
    id: NeedId,
    change: PlannedChange,
) -> Option<Settled> {
    let mut wanted = *planning.work[id.node as usize].wanted.take()?;
    wanted.warnings.extend(change.warnings.iter().cloned());
    match (id.step, wanted.prior.is_some()) {
        (NeedStep::New, true) => Some(replacement(planning, id.node, wanted, change.planned)),
        (NeedStep::New, false) => Some(creation(planning, id.node, wanted, change.planned)),
        _ if !change.requires_replacement.is_empty() => {
            wanted.replaced = Some(format!(
                "{} forces it",
                listed(&change.requires_replacement)
            ));
            wanted.forcing = change.requires_replacement;
            ask(planning, id.node, wanted);
            None
        }
        _ if change.changes => Some(update(planning, id.node, wanted, change.planned)),
        _ => Some(unchanged(planning, id.node, wanted)),
    }
}

/// Pools, workloads and workflows are definitions that the engine keeps: changed in place when they
/// differ. What else they have is found out when they are registered.
fn definition(planning: &Planning, at: u32, wanted: Wanted) -> Settled {
    let planned = Partial::Unknown(Why::Apply);
    match &wanted.prior {
        None => creation(planning, at, wanted, planned),
        Some(_) if wanted.replaced.is_some() => replacement(planning, at, wanted, planned),
        Some(object) if diff::is_same(&object.desired, &wanted.desired) => {
            unchanged(planning, at, wanted)
        }
        Some(_) => update(planning, at, wanted, planned),
    }
}

fn creation(planning: &Planning, at: u32, wanted: Wanted, planned: Partial) -> Settled {
    let unfinished = planning
        .entry(at)
        .is_some_and(|entry| entry.object.is_none());
    let reason = match (wanted.gone, unfinished) {
        (true, _) => "it is gone from the world",
        (false, true) => "its replacement was not finished",
        (false, false) => "it does not exist yet",
    };
    let mut differences = diff::settings(&Value::Null, &wanted.desired);
    // Settings of which there are none differ from nothing only in form.
    differences.retain(|difference| !difference.path.is_empty());
    diff::attributes(&Value::Null, &planned, &wanted.desired, &mut differences);
    finish(
        planning,
        at,
        wanted,
        Outcome {
            differences,
            planned,
            ..Outcome::new(VerdictKind::Create, reason)
        },
    )
}

fn replacement(planning: &Planning, at: u32, wanted: Wanted, planned: Partial) -> Settled {
    let reason = wanted.replaced.clone().unwrap_or_default();
    let differences = differences(&wanted, &planned);
    // The record holds one driver and type: the old kind must be gone before the new one is made.
    let first = planning.create_first[at as usize] && !wanted.retyped;
    let what = if first {
        VerdictKind::ReplaceCreateFirst
    } else {
        VerdictKind::Replace
    };
    let mut outcome = Outcome {
        differences,
        planned,
        ..Outcome::new(what, reason)
    };
    if let Some(Source::Node(decl)) = planning.source(at)
        && decl.lifecycle.prevent_destroy
    {
        outcome.what = VerdictKind::Held;
        outcome.acts = false;
        outcome.reason = format!(
            "prevent_destroy holds it; it would be replaced because {}",
            outcome.reason
        );
    }
    finish(planning, at, wanted, outcome)
}

fn update(planning: &Planning, at: u32, wanted: Wanted, planned: Partial) -> Settled {
    let differences = differences(&wanted, &planned);
    let is_service = planning.node(at).address.kind() == Kind::Service;
    let reason = match service::scale(&differences).filter(|_| is_service) {
        Some(scale) => scale,
        None if !wanted.drift.is_empty() => refresh::drift_reason(&wanted.drift),
        None if differences.is_empty() => "its driver asks for it".into(),
        None => format!("{} changed", paths(&differences)),
    };
    finish(
        planning,
        at,
        wanted,
        Outcome {
            differences,
            planned,
            ..Outcome::new(VerdictKind::Update, reason)
        },
    )
}

fn unchanged(planning: &Planning, at: u32, wanted: Wanted) -> Settled {
    let attributes = wanted
        .prior
        .as_ref()
        .map(|object| object.attributes.clone());
    let planned = attributes.map_or(Partial::NULL, Partial::from);
    let reason = if wanted.drift.is_empty() {
        record_reason(planning, at)
    } else {
        Some(refresh::drift_reason(&wanted.drift))
    };
    let outcome = match reason {
        Some(reason) => Outcome {
            differences: wanted.drift.clone(),
            planned,
            ..Outcome::new(VerdictKind::Read, reason)
        },
        None => Outcome {
            planned,
            ..leftovers(planning, at)
        },
    };
    finish(planning, at, wanted, outcome)
}

/// Nothing to do to the thing itself; replaced ones may be left over from a run that failed.
fn leftovers(planning: &Planning, at: u32) -> Outcome {
    let entry = planning
        .entry(at)
        .filter(|entry| !actions::protects(planning, at, &entry.lifecycle));
    match entry.map_or(0, |entry| entry.deposed.len()) {
        0 => Outcome::new(VerdictKind::Unchanged, "it is as wanted"),
        count => Outcome {
            acts: false,
            ..Outcome::new(
                VerdictKind::Update,
                format!(
                    "{count} replaced {} still to be deleted",
                    if count == 1 { "one is" } else { "ones are" }
                ),
            )
        },
    }
}

/// Why the record of a node that is as wanted must be written again.
pub(crate) fn record_reason(planning: &Planning, at: u32) -> Option<String> {
    let entry = planning.entry(at)?;
    let Some(Source::Node(decl)) = planning.source(at) else {
        return None;
    };
    let mut recorded = entry.depends_on.clone();
    recorded.sort();
    recorded.dedup();
    if recorded != actions::depends_on(planning, at) {
        Some("what it depends on is recorded anew".into())
    } else if entry.lifecycle != decl.lifecycle {
        Some("its life-cycle settings are recorded anew".into())
    } else {
        None
    }
}

fn finish(planning: &Planning, at: u32, wanted: Wanted, mut outcome: Outcome) -> Settled {
    diff::mark(
        &mut outcome.differences,
        planning.schema(at),
        &wanted.forcing,
    );
    outcome.drift = wanted.drift;
    outcome.warnings = wanted.warnings;
    if outcome.what == VerdictKind::Unchanged {
        let value = std::mem::replace(&mut outcome.planned, Partial::NULL);
        return Settled::Node(Box::new(outcome), value);
    }
    let value = outcome.planned.clone();
    outcome.desired = wanted.desired;
    outcome.template = Some(wanted.template);
    outcome.prior = wanted.prior;
    outcome.retyped = wanted.retyped;
    Settled::Node(Box::new(outcome), value)
}

/// The differences of settings, against what was observed where that has drifted, and those of the
/// attributes that the driver finds out.
fn differences(wanted: &Wanted, planned: &Partial) -> Vec<Difference> {
    let Some(object) = &wanted.prior else {
        return Vec::new();
    };
    let mut before = object.desired.clone();
    for difference in &wanted.drift {
        let Some(crate::path::Step::Key(name)) =
            crate::path::parse(&difference.path).and_then(|steps| steps.into_iter().next())
        else {
            continue;
        };
        if let (Value::Object(before), Some(observed), true) = (
            &mut before,
            object.attributes.get(&name),
            wanted.desired.get(&name).is_some(),
        ) {
            before.insert(name, observed.clone());
        }
    }
    let mut found = diff::settings(&before, &wanted.desired);
    diff::attributes(&object.attributes, planned, &wanted.desired, &mut found);
    found
}

/// `image, environment.BUCKET and 2 more`.
pub(crate) fn paths(differences: &[Difference]) -> String {
    let paths: Vec<String> = differences
        .iter()
        .map(|difference| difference.path.clone())
        .collect();
    listed(&paths)
}

fn listed(paths: &[String]) -> String {
    let named = |path: &String| {
        if path.is_empty() {
            "all of it".to_owned()
        } else {
            path.clone()
        }
    };
    let shown: Vec<String> = paths.iter().take(3).map(named).collect();
    match paths.len() {
        0..=3 => shown.join(", "),
        count => format!("{} and {} more", shown.join(", "), count - 3),
    }
}

impl Planning {
    /// What holds this node.
    pub(crate) fn held(&self, at: u32) -> Option<Problem> {
        let outcome = self.work[at as usize].outcome.as_ref()?;
        (outcome.what == VerdictKind::Held).then(|| Problem {
            place: self
                .node(at)
                .declaration
                .map(|at| self.declarations.list[at].place.clone()),
            ..Problem::new(consort_model::Code::PREVENT_DESTROY, outcome.reason.clone())
                .at(&self.node(at).address)
                .remedy("Take `prevent_destroy` away first, if you mean it.")
        })
    }
}
