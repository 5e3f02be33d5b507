//! Workloads and jobs as durable runs.

use std::sync::Arc;

use consort_journal::{Envelope, RunRow, Seq};
use consort_model::bundle::Bundle;
use consort_model::id::RunId;
use consort_model::plan::Plan;
use consort_model::revision::Principal;
use consort_model::{Code, Problem};

use crate::control::{StartAnswer, StartRequest, StepView, WorkloadReport};
use crate::engine::Engine;

pub(crate) fn steps(_records: &[(Seq, Envelope)]) -> (Vec<StepView>, Vec<Problem>) {
    (Vec::new(), Vec::new())
}

fn missing() -> Problem {
    Problem::new(Code::USAGE, "workloads and jobs are not run yet")
}

impl Engine {
    pub(crate) async fn drive_workload(self: &Arc<Self>, row: RunRow) {
        tracing::error!(run = %row.summary.id, "runs of workloads cannot be taken up by this version");
    }

    pub(crate) async fn start_workload(
        self: &Arc<Self>,
        _request: StartRequest,
        _by: Principal,
    ) -> Result<StartAnswer, Problem> {
        Err(missing())
    }

    pub(crate) async fn report_workload(&self, _run: RunId) -> Result<WorkloadReport, Problem> {
        Err(missing())
    }

    pub(crate) fn estimate_workloads(&self, _bundle: &Bundle, _plan: &mut Plan) {}
}
