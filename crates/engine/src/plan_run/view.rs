//! What people see of a plan run.

use std::collections::BTreeMap;

use consort_journal::{Envelope, Seq};
use consort_model::Problem;

use super::{PlanRecord, StepOutcome};
use crate::control::StepView;

/// The steps of a run in the order of their beginning, and the problems of those that failed.
pub fn steps(records: &[(Seq, Envelope)]) -> (Vec<StepView>, Vec<Problem>) {
    let mut order: Vec<String> = Vec::new();
    let mut views: BTreeMap<String, StepView> = BTreeMap::new();
    let mut problems: BTreeMap<String, Problem> = BTreeMap::new();
    for (_, envelope) in records {
        let Ok(record) = envelope.unwrap::<PlanRecord>() else {
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
            PlanRecord::StepPlanned { attempt, .. } => {
                view.status = "running".into();
                view.attempt = attempt;
                view.started = view.started.or(Some(envelope.at));
                view.ended = None;
                problems.remove(&step);
            }
            PlanRecord::StepEnded {
                outcome: StepOutcome::Succeeded,
                ..
            } => {
                view.status = "succeeded".into();
                view.ended = Some(envelope.at);
                view.detail = None;
            }
            PlanRecord::StepEnded {
                outcome: StepOutcome::Failed { problem },
                ..
            } => {
                view.status = "failed".into();
                view.ended = Some(envelope.at);
                view.detail = Some(problem.to_string());
                problems.insert(step, problem);
            }
            PlanRecord::StepInDoubt { .. } => view.status = "in doubt".into(),
            PlanRecord::QuestionAsked { text, .. } => {
                view.status = "waiting".into();
                view.detail = Some(text);
            }
            PlanRecord::RetryPlanned { problem, due, .. } => {
                view.status = "waiting".into();
                view.detail = Some(format!("tries again at {due}: {problem}"));
            }
            PlanRecord::StepResolved { .. }
            | PlanRecord::RunCreated { .. }
            | PlanRecord::CancelAsked { .. }
            | PlanRecord::RunResumed { .. }
            | PlanRecord::RunEnded { .. } => {}
        }
    }
    let views = order.iter().filter_map(|step| views.remove(step)).collect();
    (views, problems.into_values().collect())
}

/// The step that a record is about.
pub(crate) fn step_of(record: &PlanRecord) -> Option<&str> {
    match record {
        PlanRecord::StepPlanned { step, .. }
        | PlanRecord::StepEnded { step, .. }
        | PlanRecord::StepInDoubt { step }
        | PlanRecord::StepResolved { step, .. }
        | PlanRecord::RetryPlanned { step, .. }
        | PlanRecord::QuestionAsked { step, .. } => Some(&step.0),
        PlanRecord::RunCreated { .. }
        | PlanRecord::CancelAsked { .. }
        | PlanRecord::RunResumed { .. }
        | PlanRecord::RunEnded { .. } => None,
    }
}

/// One line for people.
pub fn describe(record: &PlanRecord) -> String {
    match record {
        PlanRecord::RunCreated { plan } => format!("began to carry out plan {}", plan.short()),
        PlanRecord::StepPlanned {
            step, attempt: 1, ..
        } => step.to_string(),
        PlanRecord::StepPlanned { step, attempt, .. } => format!("{step} (try {attempt})"),
        PlanRecord::StepEnded {
            step,
            outcome: StepOutcome::Succeeded,
        } => format!("{step}: done"),
        PlanRecord::StepEnded {
            step,
            outcome: StepOutcome::Failed { problem },
        } => format!("{step}: failed: {problem}"),
        PlanRecord::StepInDoubt { step } => format!("{step}: in doubt, asking its driver"),
        PlanRecord::StepResolved {
            step,
            answer: Answer::Happened,
            by,
        } => format!("{step}: it had taken effect ({by})"),
        PlanRecord::StepResolved {
            step,
            answer: Answer::Repeat,
            by,
        } => format!("{step}: is done (again) ({by})"),
        PlanRecord::RetryPlanned { step, problem, .. } => {
            format!("{step}: will be tried again: {problem}")
        }
        PlanRecord::QuestionAsked { step, text } => format!("{step}: did it take effect? {text}"),
        PlanRecord::CancelAsked { by, now: false } => {
            format!("{by} asked to stop after what is under way")
        }
        PlanRecord::CancelAsked { by, now: true } => format!("{by} asked to stop at once"),
        PlanRecord::RunResumed { by } => format!("{by} asked to go on"),
        PlanRecord::RunEnded {
            status,
            revision: None,
        } => format!("run {}", status.word()),
        PlanRecord::RunEnded {
            status,
            revision: Some(number),
        } => format!("run {}: revision {number}", status.word()),
    }
}

use super::Answer;
