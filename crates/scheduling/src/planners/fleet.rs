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
use goal::{Goal, Merit};

/// The search, from no plan or from known ones.
#[derive(Debug, Clone, Default)]
pub struct FleetSearch {
    /// The seed of its randomness.
    pub seed: u64,
    /// Known plans: their fleets and assignments are starting points. The answer is never worse for
    /// the objective than the best of them.
    pub known: Vec<Schedule>,
}

/// Annealing of fleets starts at this part of the best value, of assignments at that.
const FLEET_HEAT: f64 = 0.03;
const ASSIGNMENT_HEAT: f64 = 0.02;

/// Several short searches, from the widest fleet and from the best known one by turns, find more
/// than one long search. So many percent of the work are for fleets, for assignments, and the rest
/// for the assignment of the best plan at the end.
const ROUNDS: u64 = 4;
const FLEET_SHARE: u64 = 40;
const ASSIGNMENT_SHARE: u64 = 40;

impl Planner for FleetSearch {
    fn name(&self) -> &str {
        "fleet-search"
    }

    fn plan(&self, problem: &Problem, budget: &mut Work<'_>) -> Option<Schedule> {
        let mut search = Search::new(self, problem)?;
        let total = budget.left();
        for round in 0..ROUNDS {
            let known = search.found.first().filter(|_| round % 2 == 1);
            let start = match known {
                Some((_, plan)) => Fleet::of(problem, plan),
                None => compose::widest(problem),
            };
            let fleets = total / 100 * FLEET_SHARE / ROUNDS;
            let assignments = total / 100 * ASSIGNMENT_SHARE / ROUNDS;
            if let Some(plan) = search.fleets(start, &mut budget.take(fleets)) {
                search.assignments(&plan, &mut budget.take(assignments));
            }
        }
        if let Some((_, plan)) = search.found.first().cloned() {
            search.assignments(&plan, budget);
        }
        search.found.into_iter().next().map(|(_, plan)| plan)
    }
}

/// The best plans so far, from all phases.
struct Search<'p> {
    problem: &'p Problem,
    goal: Goal,
    random: Random,
    builder: Builder<'p>,
    /// The best first.
    found: Vec<(Merit, Schedule)>,
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
        let merit = self.goal.value(plan.makespan, plan.cost).merit;
        let at = self.found.partition_point(|(known, _)| *known <= merit);
        if at > 0 && self.found[at - 1].0 == merit {
            return;
        }
        self.found.insert(at, (merit, plan));
        self.found.truncate(KEPT);
    }

    fn fleets(&mut self, start: Fleet, work: &mut Work<'_>) -> Option<Schedule> {
        let mut space = compose::Space::new(self.problem, self.goal, &mut self.builder);
        let cooling = Cooling(FLEET_HEAT);
        let best = anneal(&mut space, start, cooling, &mut self.random, work)?;
        let plan = space.schedule(&best)?;
        self.keep(plan.clone());
        Some(plan)
    }

    fn assignments(&mut self, from: &Schedule, work: &mut Work<'_>) {
        let start = Assignment::of(self.problem, from);
        let mut space = assign::Space::new(self.problem, self.goal, &mut self.builder);
        let cooling = Cooling(ASSIGNMENT_HEAT);
        let best = anneal(&mut space, start, cooling, &mut self.random, work);
        if let Some(plan) = best.and_then(|assignment| space.schedule(&assignment)) {
            self.keep(plan);
        }
    }
}
