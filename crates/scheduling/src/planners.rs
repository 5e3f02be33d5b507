//! Planners behind one interface. None of them is best everywhere: [`crate::plan`] asks all.

use crate::problem::Problem;
use crate::schedule::Schedule;
use crate::work::Work;

mod deadline_list;
mod earliest;
mod fleet;
mod grp_heft;
mod ic_pcp;
mod shortlist;

pub use deadline_list::DeadlineList;
pub use earliest::EarliestFinish;
pub use fleet::FleetSearch;
pub use grp_heft::GrpHeft;
pub use ic_pcp::IcPcp;

/// One way to plan. Pure: the same problem, seed and budget give the same answer.
pub trait Planner {
    /// Its name, for reports.
    fn name(&self) -> &str;

    /// A complete schedule that aims at the problem's objective, not always meeting it; `None` when
    /// it found none, or when it cannot plan for this kind of objective.
    fn plan(&self, problem: &Problem, budget: &mut Work<'_>) -> Option<Schedule>;
}
