//! List scheduling for the least makespan: HEFT (Topcuoglu, Hariri, Wu, 2002) on leased nodes.

use super::Planner;
use super::shortlist::Shortlist;
use crate::builder::{Builder, Inputs};
use crate::problem::Problem;
use crate::rank;
use crate::schedule::Schedule;
use crate::work::Work;

/// Tasks by falling upward rank; each goes where it ends first, at equal ends where it adds least
/// to the bill. Always finds a schedule.
#[derive(Debug, Clone, Copy, Default)]
pub struct EarliestFinish;

impl Planner for EarliestFinish {
    fn name(&self) -> &str {
        "earliest-finish"
    }

    fn plan(&self, problem: &Problem, budget: &mut Work<'_>) -> Option<Schedule> {
        let priority = rank::upward(problem, |t| problem.fastest(t), |_, transfer| transfer);
        let mut builder = Builder::new(problem);
        let mut list = Shortlist::new(&builder);
        let mut inputs = Inputs::default();
        for task in rank::order(problem, &priority) {
            budget.spend(1);
            builder.inputs(task, &mut inputs);
            let offers = list.offers(&builder, task, &inputs).iter();
            let best = *offers.min_by_key(|o| (o.end, builder.added_cost(o), o.machine))?;
            list.commit(&mut builder, task, best);
        }
        builder.finish()
    }
}
