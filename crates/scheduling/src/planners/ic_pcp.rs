//! IC-PCP (Abrishami, Naghibzadeh, Epema: *Deadline-constrained workflow scheduling algorithms for
//! Infrastructure as a Service Clouds*, FGCS 29(1), 2013).

use super::Planner;
use crate::builder::{Builder, Inputs, NOWHERE, Offer};
use crate::problem::Problem;
use crate::schedule::Schedule;
use crate::spec::{Micros, Objective};
use crate::work::Work;

/// Partial critical paths, each as a whole on one node: on time that is paid already, else on a new
/// node of the cheapest type that keeps the deadline. Finds nothing where a path fits nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct IcPcp;

impl Planner for IcPcp {
    fn name(&self) -> &str {
        "ic-pcp"
    }

    fn plan(&self, problem: &Problem, budget: &mut Work<'_>) -> Option<Schedule> {
        let Objective::Deadline(deadline) = problem.objective() else {
            return None;
        };
        let mut state = State {
            problem,
            deadline,
            builder: Builder::new(problem),
            earliest: vec![0; problem.tasks() as usize],
            latest: vec![deadline; problem.tasks() as usize],
            on_path: vec![false; problem.tasks() as usize],
        };
        state.refresh();
        // The paper's recursion as a stack: a task stays on it until all its parents have a place.
        // The exit tasks stand for the paper's added exit node.
        let mut stack = Vec::new();
        loop {
            let end = match stack.last() {
                Some(&task) => state.critical_parent(task),
                None => state.critical_exit(),
            };
            match (end, stack.is_empty()) {
                (Some(end), _) => {
                    let path = state.path(end);
                    if !budget.spend(path.len() as u64 + u64::from(problem.tasks()) / 16) {
                        return None;
                    }
                    state.place(&path)?;
                    state.refresh();
                    stack.extend(path.into_iter().rev());
                }
                (None, false) => {
                    stack.pop();
                }
                (None, true) => return state.builder.finish(),
            }
        }
    }
}

struct State<'p> {
    problem: &'p Problem,
    deadline: Micros,
    builder: Builder<'p>,
    /// Earliest start: of a placed task its real one.
    earliest: Vec<Micros>,
    /// Latest end that keeps the deadline.
    latest: Vec<Micros>,
    /// The tasks of the path that is being placed.
    on_path: Vec<bool>,
}

impl State<'_> {
    fn open(&self, task: u32) -> bool {
        self.builder.placed(task).is_none()
    }

    /// Earliest starts forwards and latest ends backwards, from what is placed.
    fn refresh(&mut self) {
        let graph = self.problem.graph();
        let types = self.problem.spec().types.iter();
        let startup = types.map(|kind| kind.startup_us).min().unwrap_or(0);
        let floor = self.problem.progress().now.saturating_add(startup);
        for &task in graph.order() {
            self.earliest[task as usize] = match self.builder.placed(task) {
                Some(placed) => placed.start,
                None => {
                    let arrivals = graph.parents(task).iter();
                    let arrivals = arrivals.map(|arc| self.earliest_end(arc.task) + arc.transfer);
                    arrivals.max().unwrap_or(0).max(floor)
                }
            };
        }
        for &task in graph.order().iter().rev() {
            let limits = graph.children(task).iter().map(|arc| {
                let start = match self.builder.placed(arc.task) {
                    Some(placed) => placed.start,
                    None => self.latest[arc.task as usize]
                        .saturating_sub(self.problem.fastest(arc.task)),
                };
                start.saturating_sub(arc.transfer)
            });
            self.latest[task as usize] = limits.min().unwrap_or(self.deadline).min(self.deadline);
        }
    }

    fn earliest_end(&self, task: u32) -> Micros {
        match self.builder.placed(task) {
            Some(placed) => placed.end,
            None => self.earliest[task as usize] + self.problem.fastest(task),
        }
    }

    /// The open parent whose data arrive last.
    fn critical_parent(&self, task: u32) -> Option<u32> {
        let parents = self.problem.graph().parents(task).iter();
        let open = parents.filter(|arc| self.open(arc.task));
        let last = open.max_by_key(|arc| {
            let arrival = self.earliest_end(arc.task) + arc.transfer;
            (arrival, std::cmp::Reverse(arc.task))
        });
        last.map(|arc| arc.task)
    }

    /// The open task without open children that ends last.
    fn critical_exit(&self) -> Option<u32> {
        let graph = self.problem.graph();
        let exits = (0..self.problem.tasks()).filter(|&task| {
            self.open(task) && !graph.children(task).iter().any(|arc| self.open(arc.task))
        });
        exits.max_by_key(|&task| (self.earliest_end(task), std::cmp::Reverse(task)))
    }

    /// From this task back over critical parents, in order of time.
    fn path(&self, end: u32) -> Vec<u32> {
        let mut path = vec![end];
        let mut task = end;
        while let Some(parent) = self.critical_parent(task) {
            path.push(parent);
            task = parent;
        }
        path.reverse();
        path
    }

    fn place(&mut self, path: &[u32]) -> Option<()> {
        for &task in path {
            self.on_path[task as usize] = true;
        }
        let owned = (0..self.builder.len()).filter_map(|m| self.on_paid_time(path, m));
        let best = match owned.min_by_key(|(cost, trial)| (*cost, trial[0].machine)) {
            Some((_, trial)) => trial,
            None => self.on_new(path)?,
        };
        // The first of the path opens the new machine, if it is one.
        for (&task, offer) in path.iter().zip(best) {
            self.on_path[task as usize] = false;
            self.builder.commit(task, offer);
        }
        Some(())
    }

    /// On a machine that is leased already, if the path starts within time that is paid.
    fn on_paid_time(&self, path: &[u32], machine: u32) -> Option<(u64, Vec<Offer>)> {
        let found = self.builder.machine(machine);
        let (from, to) = found.lease()?;
        if found.closed() {
            return None;
        }
        let trial = self.try_on(path, machine, found.kind)?;
        let spec = self.problem.spec();
        let rest = spec.billing.paid_rest(to - from);
        let first = trial.first()?;
        let last = trial.last()?;
        if first.start >= to.saturating_add(rest) || first.start < from.saturating_sub(rest) {
            return None;
        }
        let price = spec.types[found.kind as usize].price_micro_usd_per_hour;
        let start = from.min(first.start.saturating_sub(first.inbound));
        let before = spec.billing.cost(to - from, price);
        let after = spec.billing.cost(to.max(last.end) - start, price);
        Some((after.saturating_sub(before), trial))
    }

    fn on_new(&self, path: &[u32]) -> Option<Vec<Offer>> {
        let machine = self.builder.len();
        let trials = (0..self.problem.kinds()).filter_map(|kind| {
            let trial = self.try_on(path, machine, kind)?;
            let kind = &self.problem.spec().types[kind as usize];
            let span = trial.last()?.end - trial.first()?.start;
            let price = kind.price_micro_usd_per_hour;
            Some((price, self.problem.spec().billing.cost(span, price), trial))
        });
        let cheapest = trials.min_by_key(|&(price, cost, _)| (price, cost));
        cheapest.map(|(.., trial)| trial)
    }

    /// The whole path, one task after the other, on one machine; `None` if one would be late.
    fn try_on(&self, path: &[u32], machine: u32, kind: u32) -> Option<Vec<Offer>> {
        let mut inputs = Inputs::default();
        let mut trial: Vec<Offer> = Vec::with_capacity(path.len());
        for &task in path {
            self.builder.inputs_where(task, &mut inputs, |parent| {
                (!self.on_path[parent as usize]).then(|| self.earliest_end(parent))
            });
            let (ready, inbound) = inputs.at(if machine == self.builder.len() {
                NOWHERE
            } else {
                machine
            });
            let ready = ready.max(trial.last().map_or(0, |before| before.end));
            let offer = self
                .builder
                .offer_from(task, machine, kind, ready, inbound)?;
            if offer.end > self.latest_on(task, machine) {
                return None;
            }
            trial.push(offer);
        }
        let held = self
            .builder
            .can_hold(trial.first()?, path.last().copied()?, trial.last()?);
        held.then_some(trial)
    }

    /// The latest end of a task on this machine: children beside it need no transfer, and those on
    /// the path are looked at themselves.
    fn latest_on(&self, task: u32, machine: u32) -> Micros {
        let children = self.problem.graph().children(task).iter();
        let others = children.filter(|arc| !self.on_path[arc.task as usize]);
        let limits = others.map(|arc| match self.builder.placed(arc.task) {
            Some(placed) if placed.machine == machine => placed.start,
            Some(placed) => placed.start.saturating_sub(arc.transfer),
            None => self.latest[arc.task as usize]
                .saturating_sub(self.problem.fastest(arc.task))
                .saturating_sub(arc.transfer),
        });
        limits.min().unwrap_or(self.deadline).min(self.deadline)
    }
}
