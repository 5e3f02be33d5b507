//! Planning again while a workload runs.

use crate::plan::plan;
use crate::problem::Problem;
use crate::progress::Progress;
use crate::refusal::ProblemError;
use crate::schedule::Schedule;
use crate::spec::{Objective, Spec};
use crate::work::Limits;

/// How to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replan {
    /// Everything, past and future: leases and tasks that were begun are in it as they were, and the
    /// leases of [`Progress::leases`] keep their index.
    pub schedule: Schedule,
    /// The nearest objective that can still be met, if the one asked for cannot.
    pub missed: Option<Objective>,
}

/// The best way to go on from what has happened. What was begun stays where it is; a running task is
/// taken to end by its estimate, see [`Progress::expected_end`]. A lease that is held but has no
/// task in the new plan ends now.
///
/// # Errors
/// What is wrong with the question or the progress. An objective that cannot be met any more is not
/// an error: the work goes on as near to it as possible.
pub fn replan(
    spec: &Spec,
    progress: Progress,
    limits: &Limits<'_>,
) -> Result<Replan, ProblemError> {
    let problem = Problem::resumed(spec.clone(), progress)?;
    Ok(match plan(&problem, limits) {
        Ok(schedule) => Replan {
            schedule,
            missed: None,
        },
        Err(infeasible) => Replan {
            schedule: infeasible.schedule,
            missed: Some(infeasible.nearest),
        },
    })
}
