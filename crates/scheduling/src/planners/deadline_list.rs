//! List scheduling for a deadline at least cost: ProLiS (Wu et al., *Deadline-constrained cost
//! optimization approaches for workflow scheduling in clouds*, IEEE TPDS 2017).

use super::Planner;
use super::shortlist::Shortlist;
use crate::builder::{Builder, Inputs, Offer};
use crate::problem::Problem;
use crate::random::Random;
use crate::rank;
use crate::schedule::Schedule;
use crate::spec::{Micros, Objective};
use crate::work::Work;

/// Each task gets its share of the deadline by its rank, and the place that adds least to the bill
/// among those that keep it. Where none does, it ends as early as it can.
#[derive(Debug, Clone, Copy)]
pub struct DeadlineList {
    /// A transfer counts in the ranks with probability 1 − θ^(−run time / transfer): a child with
    /// large data will mostly be put beside its parent. `None` counts all.
    pub theta: Option<f64>,
    /// The seed of that.
    pub seed: u64,
}

impl Planner for DeadlineList {
    fn name(&self) -> &str {
        "deadline-list"
    }

    fn plan(&self, problem: &Problem, budget: &mut Work<'_>) -> Option<Schedule> {
        let Objective::Deadline(deadline) = problem.objective() else {
            return None;
        };
        let rank = self.rank(problem);
        let limits = shares(problem, &rank, deadline);
        let mut builder = Builder::new(problem);
        let mut list = Shortlist::new(&builder);
        let mut inputs = Inputs::default();
        for task in rank::order(problem, &rank) {
            budget.spend(1);
            builder.inputs(task, &mut inputs);
            let offers = list.offers(&builder, task, &inputs);
            let best = choose(&builder, offers, limits[task as usize])?;
            list.commit(&mut builder, task, best);
        }
        builder.finish()
    }
}

impl DeadlineList {
    fn rank(&self, problem: &Problem) -> Vec<Micros> {
        let mut random = Random::new(self.seed);
        let counted = |child: u32, transfer: Micros| match self.theta {
            Some(theta) if transfer > 0 => {
                let ratio = problem.fastest(child) as f64 / transfer as f64;
                let counts = random.chance(1.0 - theta.powf(-ratio));
                if counts { transfer } else { 0 }
            }
            _ => transfer,
        };
        rank::upward(problem, |t| problem.fastest(t), counted)
    }
}

/// When each task must have ended: its share of the time from the present to the deadline.
fn shares(problem: &Problem, rank: &[Micros], deadline: Micros) -> Vec<Micros> {
    let types = problem.spec().types.iter();
    let startup = types.map(|kind| kind.startup_us).min().unwrap_or(0);
    let from = problem.progress().now.saturating_add(startup);
    let time = u128::from(deadline.saturating_sub(from));
    let open = (0..problem.tasks()).filter(|&t| problem.frozen(t).is_none());
    let longest = open.map(|t| rank[t as usize]).max().unwrap_or(0).max(1);
    let share = |task: u32| {
        let rest = rank[task as usize].min(longest);
        let done = longest - rest + problem.fastest(task).min(rest);
        from.saturating_add((time * u128::from(done) / u128::from(longest)) as Micros)
    };
    (0..problem.tasks()).map(share).collect()
}

fn choose(builder: &Builder<'_>, offers: &[Offer], limit: Micros) -> Option<Offer> {
    let within = offers.iter().filter(|offer| offer.end <= limit);
    let cheapest = within.min_by_key(|o| (builder.added_cost(o), o.end, o.machine));
    let first = || {
        offers
            .iter()
            .min_by_key(|o| (o.end, builder.added_cost(o), o.machine))
    };
    cheapest.or_else(first).copied()
}
