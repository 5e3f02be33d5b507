//! Plan and actual of a run, side by side.

use std::collections::BTreeMap;

use consort_model::time::Span;
use consort_model::units::MicroUsd;
use consort_scheduling::Placement;

use super::definition::Definition;
use super::state::{Phase, State};
use crate::control::{TaskReport, WorkloadReport};

/// The report; without a state, of the plan alone.
pub(super) fn report(definition: &Definition, state: Option<&State>) -> WorkloadReport {
    let schedule = &definition.schedule;
    let task = |placement: &Placement| task_report(definition, placement, state);
    WorkloadReport {
        workload: definition.address.name().to_owned(),
        objective: definition.objective.clone(),
        fleet: match state.filter(|state| state.ended.is_some()) {
            Some(state) => actual_fleet(definition, state),
            None => definition.fleet(),
        },
        planned: (
            Span::from_micros(schedule.makespan),
            MicroUsd(schedule.cost),
        ),
        actual: state.and_then(actual),
        tasks: schedule.placements.iter().map(task).collect(),
        enforced: enforced(definition, state),
    }
}

fn actual_fleet(definition: &Definition, state: &State) -> BTreeMap<String, u32> {
    let mut fleet = BTreeMap::new();
    for lease in &state.leases {
        *fleet
            .entry(definition.node_type(lease.node_type).to_owned())
            .or_insert(0) += 1;
    }
    fleet
}

/// Time and cost of a run that has ended.
fn actual(state: &State) -> Option<(Span, MicroUsd)> {
    state.ended?;
    let begun = state.begun?;
    let tasks = state.tasks.values().filter_map(|task| task.last.as_ref());
    let end = tasks.map(|outcome| outcome.finished).max()?;
    let cost = state.leases.iter().map(|lease| lease.cost.0).sum();
    Some((end.since(begun), MicroUsd(cost)))
}

fn task_report(definition: &Definition, planned: &Placement, state: Option<&State>) -> TaskReport {
    let known = state.and_then(|state| state.tasks.get(&planned.task));
    let lease = known.and_then(|task| task.lease);
    let node_type = match (state, lease) {
        (Some(state), Some(lease)) => state.leases.get(lease as usize).map(|l| l.node_type),
        _ => {
            let lease = definition.schedule.instances.get(planned.instance as usize);
            lease.map(|lease| lease.kind)
        }
    };
    let actual = state.and_then(|state| {
        let begun = state.begun?;
        let last = known?.last.as_ref()?;
        Some((last.started.since(begun), last.finished.since(begun)))
    });
    TaskReport {
        task: definition.name(planned.task).to_owned(),
        node_type: node_type
            .map_or("", |kind| definition.node_type(kind))
            .to_owned(),
        lease: lease.unwrap_or(planned.instance) as usize,
        planned: (
            Span::from_micros(planned.start),
            Span::from_micros(planned.end),
        ),
        actual,
        status: known.map_or("planned", |task| word(&task.phase)).to_owned(),
    }
}

/// The word for people.
pub(super) const fn word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Waiting => "planned",
        Phase::Running { .. } => "running",
        Phase::Retrying { .. } => "waiting",
        Phase::Succeeded { .. } => "succeeded",
        Phase::Failed => "failed",
        Phase::Skipped => "skipped",
    }
}

fn enforced(definition: &Definition, state: Option<&State>) -> Result<(), String> {
    definition.enforced.clone()?;
    let tasks = state.into_iter().flat_map(|state| &state.tasks);
    let mut loose = tasks.filter(|(_, task)| task.last.as_ref().is_some_and(|o| !o.enforced));
    match loose.next() {
        Some((task, _)) if definition.pooled => Err(format!(
            "the share of task `{}` was not enforced",
            definition.name(*task)
        )),
        _ => Ok(()),
    }
}
