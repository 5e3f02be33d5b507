//! Fleet-first search: choose which nodes to lease, schedule onto them, improve by annealing; then
//! improve the assignment itself. Anytime: it ends with its budget of work, with the best it saw.

use super::Planner;
use crate::builder::Builder;
use crate::problem::Problem;
use crate::random::Random;
use crate::schedule::Schedule;
use crate::work::Work;

mod anneal;
mod assign;
mod compose;
mod goal;
mod order;

use anneal::{Cooling, anneal};
use assign::Assignment;
use compose::Fleet;
use goal::Goal;

/// The search, from no plan or from known ones.
#[derive(Debug, Clone, Default)]
pub struct FleetSearch {
    /// The seed of its randomness.
    pub seed: u64,
    /// Known plans: their fleets and assignments are starting points. The answer is never worse for
    /// the objective than the best of them.
    pub known: Vec<Schedule>,
}

/// Annealing of fleets starts at this part of the first value, of assignments at that.
const FLEET_HEAT: f64 = 0.05;
const ASSIGNMENT_HEAT: f64 = 0.02;

impl Planner for FleetSearch {
    fn name(&self) -> &str {
        "fleet-search"
    }

    fn plan(&self, problem: &Problem, budget: &mut Work<'_>) -> Option<Schedule> {
        let mut search = Search::new(self, problem)?;
        let total = budget.left();
        let shares: [u64; 4] = [30, 20, 30, 20];
        let [wide, seeded, polish, reseeded] = shares.map(|part| total / 100 * part);
        search.fleets(compose::widest(problem), &mut budget.take(wide));
        search.fleets_of_best(&mut budget.take(seeded));
        search.assignments(0, &mut budget.take(polish));
        search.assignments(1, &mut budget.take(reseeded));
        search.found.into_iter().next().map(|(_, plan)| plan)
    }
}

/// The best plans so far, from all phases.
struct Search<'p> {
    problem: &'p Problem,
    goal: Goal,
    random: Random,
    builder: Builder<'p>,
    /// By value, the best first.
    found: Vec<(f64, Schedule)>,
}

/// So many plans are kept as starting points.
const KEPT: usize = 4;

impl<'p> Search<'p> {
    fn new(from: &FleetSearch, problem: &'p Problem) -> Option<Self> {
        let mut search = Self {
            problem,
            goal: Goal::new(problem, &from.known)?,
            random: Random::new(from.seed),
            builder: Builder::new(problem),
            found: Vec::new(),
        };
        for plan in &from.known {
            search.keep(plan.clone());
        }
        Some(search)
    }

    fn keep(&mut self, plan: Schedule) {
        let value = self.goal.value(plan.makespan, plan.cost);
        let at = self.found.partition_point(|(known, _)| *known <= value);
        if at > 0 && self.found[at - 1].0 == value {
            return;
        }
        self.found.insert(at, (value, plan));
        self.found.truncate(KEPT);
    }

    fn fleets_of_best(&mut self, work: &mut Work<'_>) {
        let best = self.found.first().map(|(_, plan)| plan);
        if let Some(fleet) = best.map(|plan| Fleet::of(self.problem, plan)) {
            self.fleets(fleet, work);
        }
    }

    fn fleets(&mut self, start: Fleet, work: &mut Work<'_>) {
        let mut space = compose::Space::new(self.problem, self.goal, &mut self.builder);
        let best = anneal(
            &mut space,
            start,
            Cooling(FLEET_HEAT),
            &mut self.random,
            work,
        );
        if let Some(plan) = best.and_then(|fleet| space.schedule(&fleet)) {
            self.keep(plan);
        }
    }

    fn assignments(&mut self, rank: usize, work: &mut Work<'_>) {
        let Some((_, plan)) = self.found.get(rank).or_else(|| self.found.first()) else {
            return;
        };
        let start = Assignment::of(self.problem, plan);
        let mut space = assign::Space::new(self.problem, self.goal, &mut self.builder);
        let cooling = Cooling(ASSIGNMENT_HEAT);
        let best = anneal(&mut space, start, cooling, &mut self.random, work);
        if let Some(plan) = best.and_then(|assignment| space.schedule(&assignment)) {
            self.keep(plan);
        }
    }
}
