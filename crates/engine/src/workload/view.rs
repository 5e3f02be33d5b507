//! The steps of a run, for people.

use std::collections::BTreeMap;

use consort_journal::{Envelope, Seq};
use consort_model::Problem;

use super::record::WorkloadRecord;
use crate::control::StepView;

/// The steps in the order of their beginning, and the problems of those that failed.
pub(crate) fn steps(records: &[(Seq, Envelope)]) -> (Vec<StepView>, Vec<Problem>) {
    let mut order: Vec<String> = Vec::new();
    let mut views: BTreeMap<String, StepView> = BTreeMap::new();
    let mut problems: BTreeMap<String, Problem> = BTreeMap::new();
    for (_, envelope) in records {
        let Ok(record) = envelope.unwrap::<WorkloadRecord>() else {
            continue;
        };
        let Some(step) = step_of(&record).map(str::to_owned) else {
            continue;
        };
        let view = views.entry(step.clone()).or_insert_with(|| {
            order.push(step.clone());
            StepView {
                step: step.clone(),
                status: "planned".into(),
                attempt: 1,
                started: None,
                ended: None,
                detail: None,
            }
        });
        match record {
            WorkloadRecord::StepPlanned { attempt, at, .. } => {
                view.status = "running".into();
                view.attempt = attempt;
                view.started = Some(at);
                view.ended = None;
                problems.remove(&step);
            }
            WorkloadRecord::StepEnded { outcome, .. } => {
                view.ended = Some(outcome.finished);
                view.detail = outcome.problem.as_ref().map(ToString::to_string);
                view.status = match outcome.problem {
                    None => "succeeded".into(),
                    Some(problem) => {
                        problems.insert(step, problem);
                        "failed".into()
                    }
                };
            }
            WorkloadRecord::RetryPlanned { due, .. } => {
                view.status = "waiting".into();
                let why = view.detail.take().unwrap_or_default();
                view.detail = Some(format!("tries again at {due}: {why}"));
            }
            WorkloadRecord::StepSkipped { .. } => {
                view.status = "skipped".into();
                view.detail = Some("a task that it needs has failed".into());
            }
            _ => {}
        }
    }
    let views = order.iter().filter_map(|step| views.remove(step)).collect();
    (views, problems.into_values().collect())
}

/// The step that a record is about.
fn step_of(record: &WorkloadRecord) -> Option<&str> {
    match record {
        WorkloadRecord::StepPlanned { step, .. }
        | WorkloadRecord::StepEnded { step, .. }
        | WorkloadRecord::RetryPlanned { step, .. }
        | WorkloadRecord::StepSkipped { step, .. } => Some(step),
        WorkloadRecord::RunCreated { .. }
        | WorkloadRecord::RunBegun { .. }
        | WorkloadRecord::LeaseBegun { .. }
        | WorkloadRecord::LeaseEnded { .. }
        | WorkloadRecord::Replanned { .. }
        | WorkloadRecord::CancelAsked { .. }
        | WorkloadRecord::RunEnded { .. } => None,
    }
}
