//! For a budget: first buy by speed per price, then HEFT that respects the rest of the budget
//! (Faragardi et al., *GRP-HEFT*, IEEE TPDS 2020).

use super::Planner;
use crate::builder::{Builder, Inputs, Offer};
use crate::problem::Problem;
use crate::rank;
use crate::schedule::Schedule;
use crate::spec::Objective;
use crate::work::Work;

/// Tries each node type as the first choice; the best of these fleets wins.
#[derive(Debug, Clone, Copy, Default)]
pub struct GrpHeft;

impl Planner for GrpHeft {
    fn name(&self) -> &str {
        "grp-heft"
    }

    fn plan(&self, problem: &Problem, budget: &mut Work<'_>) -> Option<Schedule> {
        let Objective::Budget(money) = problem.objective() else {
            return None;
        };
        let by_value = kinds_by_value(problem);
        let fleets = (0..by_value.len()).map(|skip| fleet(problem, money, &by_value[skip..]));
        let plans = fleets.filter_map(|fleet| schedule(problem, money, &fleet, budget));
        plans.min_by_key(|plan| (plan.cost > money, plan.makespan, plan.cost))
    }
}

/// Node types, those with the most speed per price first.
fn kinds_by_value(problem: &Problem) -> Vec<u32> {
    let types = &problem.spec().types;
    let mut kinds: Vec<u32> = (0..problem.kinds()).collect();
    kinds.sort_by(|&a, &b| {
        let [a, b] = [a, b].map(|k| &types[k as usize]);
        let [speed_a, speed_b] =
            [a, b].map(|k| u128::from(k.speed_milli) * u128::from(k.cpus_milli));
        let [price_a, price_b] = [a, b].map(|k| u128::from(k.price_micro_usd_per_hour));
        (speed_b * price_a).cmp(&(speed_a * price_b))
    });
    kinds
}

/// As many nodes as the budget and the graph's width allow, in this order of types.
fn fleet(problem: &Problem, money: u64, kinds: &[u32]) -> Vec<u32> {
    let mut left = money;
    let mut fleet = Vec::new();
    let width = problem.graph().width();
    for &kind in kinds {
        let charge = problem.least_charge(kind).max(1);
        while left >= charge && fleet.len() < width {
            left -= charge;
            fleet.push(kind);
        }
    }
    fleet
}

fn schedule(
    problem: &Problem,
    money: u64,
    fleet: &[u32],
    budget: &mut Work<'_>,
) -> Option<Schedule> {
    let priority = rank::upward(problem, |t| problem.fastest(t), |_, transfer| transfer);
    let mut builder = Builder::new(problem);
    for &kind in fleet {
        builder.open(kind);
    }
    let mut spent = 0_u64;
    let mut inputs = Inputs::default();
    for task in rank::order(problem, &priority) {
        budget.spend(1);
        builder.inputs(task, &mut inputs);
        let owned = (0..builder.len()).filter_map(|m| builder.offer(task, &inputs, m));
        let offers: Vec<(u64, Offer)> = owned.map(|o| (builder.added_cost(&o), o)).collect();
        let affordable = offers
            .iter()
            .filter(|(cost, _)| spent.saturating_add(*cost) <= money);
        let best = affordable.min_by_key(|(cost, o)| (o.end, *cost, o.machine));
        let cheapest = || {
            offers
                .iter()
                .min_by_key(|(cost, o)| (*cost, o.end, o.machine))
        };
        let (cost, offer) = match best.or_else(cheapest) {
            Some(&found) => found,
            None => any_new(&builder, task, &inputs)?,
        };
        spent = spent.saturating_add(cost);
        builder.commit(task, offer);
    }
    builder.finish()
}

/// Where the fleet has nothing for a task: the cheapest new node.
fn any_new(builder: &Builder<'_>, task: u32, inputs: &Inputs) -> Option<(u64, Offer)> {
    let kinds = 0..builder.problem().kinds();
    let offers = kinds.filter_map(|kind| builder.offer_new(task, inputs, kind));
    offers
        .map(|offer| (builder.added_cost(&offer), offer))
        .min_by_key(|(cost, offer)| (*cost, offer.end))
}
