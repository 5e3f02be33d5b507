//! The first space: which nodes to lease, in which order and manner tasks are put on them.

use std::rc::Rc;

use super::anneal;
use super::goal::{Goal, Value};
use super::order;
use crate::builder::{Builder, Inputs, Offer};
use crate::problem::Problem;
use crate::random::Random;
use crate::schedule::Schedule;
use crate::spec::Micros;

/// How the place of a task is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Where it ends first.
    Earliest,
    /// Within its sub-deadline, where the node idles least before it.
    Dense,
    /// Within its sub-deadline, on the cheapest type.
    Cheap,
    /// Within its sub-deadline, where it adds least to the bill.
    Least,
}

/// A fleet beyond what is leased already, and how it is used.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    kinds: Vec<u32>,
    order: Rc<[u32]>,
    manner: Manner,
    limits: Option<Rc<[Micros]>>,
}

impl Fleet {
    fn new(problem: &Problem, kinds: Vec<u32>) -> Self {
        Self {
            kinds,
            order: order::usual(problem),
            manner: Manner::Earliest,
            limits: None,
        }
    }

    /// The fleet of a plan.
    pub(super) fn of(problem: &Problem, plan: &Schedule) -> Self {
        let held = problem.progress().leases.len();
        let kinds = plan.instances.iter().skip(held).map(|lease| lease.kind);
        Self::new(problem, kinds.collect())
    }
}

/// One node of the fastest type for each task of the largest level.
pub(super) fn widest(problem: &Problem) -> Fleet {
    /// More are never useful at the start: the search adds what is missing.
    const MOST: usize = 400;
    let kind = by_power(problem).last().copied().unwrap_or(0);
    Fleet::new(problem, vec![kind; problem.graph().width().min(MOST)])
}

/// Node types by what they do in an hour, the weakest first.
fn by_power(problem: &Problem) -> Vec<u32> {
    let types = &problem.spec().types;
    let mut kinds: Vec<u32> = (0..problem.kinds()).collect();
    kinds.sort_by_key(|&k| {
        let kind = &types[k as usize];
        let power = u64::from(kind.speed_milli) * u64::from(kind.cpus_milli);
        (power, kind.price_micro_usd_per_hour, k)
    });
    kinds
}

pub(super) struct Space<'s, 'p> {
    problem: &'p Problem,
    goal: Goal,
    builder: &'s mut Builder<'p>,
    inputs: Inputs,
    by_power: Vec<u32>,
    /// For each type its place in `by_power`.
    power: Vec<usize>,
}

impl<'s, 'p> Space<'s, 'p> {
    pub(super) fn new(problem: &'p Problem, goal: Goal, builder: &'s mut Builder<'p>) -> Self {
        let by_power = by_power(problem);
        let mut power = vec![0; by_power.len()];
        for (at, &kind) in by_power.iter().enumerate() {
            power[kind as usize] = at;
        }
        Self {
            problem,
            goal,
            builder,
            inputs: Inputs::default(),
            by_power,
            power,
        }
    }

    pub(super) fn schedule(&mut self, fleet: &Fleet) -> Option<Schedule> {
        self.decode(fleet)?;
        self.builder.finish()
    }

    fn decode(&mut self, fleet: &Fleet) -> Option<()> {
        self.builder.reset();
        for &kind in &fleet.kinds {
            self.builder.open(kind);
        }
        for &task in fleet.order.iter() {
            self.builder.inputs(task, &mut self.inputs);
            let limit = fleet
                .limits
                .as_ref()
                .map_or(Micros::MAX, |l| l[task as usize]);
            let offer = self.choose(task, fleet.manner, limit)?;
            self.builder.commit(task, offer);
        }
        Some(())
    }

    fn choose(&self, task: u32, manner: Manner, limit: Micros) -> Option<Offer> {
        let mut best: Option<((bool, u64, u64), Offer)> = None;
        for machine in 0..self.builder.len() {
            let Some(offer) = self.builder.offer(task, &self.inputs, machine) else {
                continue;
            };
            let rank = self.rank(&offer, manner, limit);
            if best.as_ref().is_none_or(|(known, _)| rank < *known) {
                best = Some((rank, offer));
            }
        }
        let new = || {
            let kinds = 0..self.problem.kinds();
            let offers = kinds.filter_map(|k| self.builder.offer_new(task, &self.inputs, k));
            offers.min_by_key(|offer| (offer.end, offer.kind))
        };
        best.map(|(_, offer)| offer).or_else(new)
    }

    /// The less the better; late ones after all others, by their end.
    fn rank(&self, offer: &Offer, manner: Manner, limit: Micros) -> (bool, u64, u64) {
        let kind = &self.problem.spec().types[offer.kind as usize];
        let price = kind.price_micro_usd_per_hour;
        let late = offer.end > limit;
        if late || manner == Manner::Earliest {
            return (late, offer.end, price);
        }
        match manner {
            Manner::Earliest => (false, offer.end, price),
            Manner::Dense => {
                let free = self.builder.machine(offer.machine).free_from();
                (false, offer.start.saturating_sub(free), price)
            }
            Manner::Cheap => (false, price, offer.start),
            Manner::Least => (false, self.builder.added_cost(offer), offer.end),
        }
    }

    /// A type weaker or stronger by some steps, if there is one.
    fn shifted(&self, kind: u32, steps: isize) -> u32 {
        let at = self.power[kind as usize].saturating_add_signed(steps);
        self.by_power[at.min(self.by_power.len() - 1)]
    }

    fn new_manner(&self, fleet: &mut Fleet, random: &mut Random) {
        const ALL: [Manner; 4] = [
            Manner::Earliest,
            Manner::Dense,
            Manner::Cheap,
            Manner::Least,
        ];
        fleet.manner = ALL[random.below(ALL.len())];
        fleet.limits = Some(order::limits(self.problem, random));
    }
}

impl anneal::Space for Space<'_, '_> {
    type State = Fleet;

    fn effort(&self, fleet: &Fleet) -> u64 {
        u64::from(self.problem.tasks()) * (1 + fleet.kinds.len() as u64 / 8) + 1
    }

    fn value(&mut self, fleet: &mut Fleet) -> Option<Value> {
        self.decode(fleet)?;
        let (makespan, cost) = self.builder.figures();
        // The fleet becomes what was used of it, and what had to be added.
        let held = self.problem.progress().leases.len() as u32;
        let used = (held..self.builder.len()).map(|m| self.builder.machine(m));
        let used = used.filter(|machine| machine.lease().is_some());
        fleet.kinds.clear();
        fleet.kinds.extend(used.map(|machine| machine.kind));
        Some(self.goal.value(makespan, cost))
    }

    fn vary(&self, fleet: &Fleet, random: &mut Random) -> Fleet {
        let mut next = fleet.clone();
        let nodes = next.kinds.len();
        let any = random.below(nodes);
        let steps = self.by_power.len();
        match random.below(100) {
            0..29 if nodes > 1 => {
                next.kinds.swap_remove(any);
            }
            0..58 if nodes > 0 => {
                let down = 1 + random.below(steps.max(2) - 1) as isize;
                next.kinds[any] = self.shifted(next.kinds[any], -down);
            }
            58..72 if nodes > 0 => next.kinds[any] = self.shifted(next.kinds[any], 1),
            72..80 => next.kinds.push(self.by_power[random.below(steps)]),
            80..87 if nodes > 1 => {
                next.kinds.swap_remove(any);
                let other = random.below(nodes - 1);
                let up = 1 + random.below(3) as isize;
                next.kinds[other] = self.shifted(next.kinds[other], up);
            }
            87..96 => next.order = order::varied(self.problem, random),
            _ => self.new_manner(&mut next, random),
        }
        next
    }
}
