//! Workflows as durable runs, events, exposed workflows.

use std::sync::Arc;

use consort_journal::{Envelope, RunRow, Seq};
use consort_model::revision::Principal;
use consort_model::{Code, Problem, Value};

use crate::control::{CloudEvent, ExposedCall, ExposedReply, StartAnswer, StartRequest, StepView};
use crate::engine::Engine;

pub(crate) fn steps(_records: &[(Seq, Envelope)]) -> (Vec<StepView>, Vec<Problem>) {
    (Vec::new(), Vec::new())
}

pub(crate) fn output(_records: &[(Seq, Envelope)]) -> Option<Value> {
    None
}

fn missing() -> Problem {
    Problem::new(Code::USAGE, "workflows are not run yet")
}

impl Engine {
    pub(crate) async fn drive_workflow(self: &Arc<Self>, row: RunRow) {
        tracing::error!(run = %row.summary.id, "runs of workflows cannot be taken up by this version");
    }

    pub(crate) async fn start_workflow(
        self: &Arc<Self>,
        _request: StartRequest,
        _by: Principal,
    ) -> Result<StartAnswer, Problem> {
        Err(missing())
    }

    pub(crate) async fn take_event(
        self: &Arc<Self>,
        _deployment: &str,
        _token: Option<&str>,
        _event: CloudEvent,
    ) -> Result<bool, Problem> {
        Err(missing())
    }

    pub(crate) async fn answer_exposed(
        self: &Arc<Self>,
        _deployment: &str,
        _call: ExposedCall,
    ) -> Result<ExposedReply, Problem> {
        Err(missing())
    }

    pub(crate) async fn start_dispatchers(self: &Arc<Self>) -> Result<(), Problem> {
        Ok(())
    }
}
