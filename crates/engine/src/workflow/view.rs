//! What people see of a run of a workflow, out of its records alone.

use consort_journal::{Envelope, Seq};
use consort_model::{Code, Problem, Timestamp, Value};
use consort_workflow::view::Step;
use consort_workflow::{Ended, Record};

use super::enrich::sentence;
use crate::control::StepView;

/// Steps in the order of their beginning, and what went wrong.
pub(crate) fn steps(records: &[(Seq, Envelope)]) -> (Vec<StepView>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut read: Vec<(Timestamp, Record)> = Vec::new();
    for (_, envelope) in records {
        match envelope.unwrap::<Record>() {
            Ok(record) => read.push((envelope.at, record)),
            Err(error) => problems.push(error.into()),
        }
    }
    let fault = consort_workflow::view::ended(read.iter().map(|(_, record)| record))
        .and_then(|ended| ended.error);
    problems.extend(fault.map(|fault| Problem::new(Code::WORKFLOW_FAULTED, sentence(&fault))));
    let steps = consort_workflow::view::steps(read.iter().map(|(at, record)| (*at, record)));
    (steps.into_iter().map(shown).collect(), problems)
}

fn shown(step: Step) -> StepView {
    StepView {
        step: step.act,
        status: step.status.word().to_owned(),
        attempt: step.attempt,
        started: Some(step.started),
        ended: step.ended,
        detail: step.detail,
    }
}

/// What the run gave back.
pub(crate) fn output(records: &[(Seq, Envelope)]) -> Option<Value> {
    ended(records)?.output
}

/// How the run ended, if it has.
pub(super) fn ended(records: &[(Seq, Envelope)]) -> Option<Ended> {
    let last = records
        .iter()
        .rev()
        .find(|(_, envelope)| envelope.kind == "RunEnded")?;
    let record = last.1.unwrap::<Record>().ok()?;
    consort_workflow::view::ended([&record])
}
