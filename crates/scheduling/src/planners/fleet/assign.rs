//! The second space: which task runs on which node, of which type, in which order.

use std::rc::Rc;

use super::anneal;
use super::goal::{Goal, Value};
use super::order;
use crate::builder::{Builder, Inputs};
use crate::problem::Problem;
use crate::random::Random;
use crate::schedule::Schedule;

/// A plan as choices. Nodes without a task cost nothing.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    /// For each task its node.
    node: Vec<u32>,
    /// For each node its type; those that were leased before come first.
    kinds: Vec<u32>,
    order: Rc<[u32]>,
}

impl Assignment {
    pub(super) fn of(problem: &Problem, plan: &Schedule) -> Self {
        let open = plan
            .placements
            .iter()
            .filter(|p| problem.frozen(p.task).is_none());
        let mut order: Vec<_> = open.map(|p| (p.start, p.task)).collect();
        // A parent starts before its child: by start, each comes after those that it needs.
        order.sort_unstable();
        Self {
            node: plan.placements.iter().map(|p| p.instance).collect(),
            kinds: plan.instances.iter().map(|lease| lease.kind).collect(),
            order: order.into_iter().map(|(_, task)| task).collect(),
        }
    }

    /// A node of this type without tasks.
    fn new_node(&mut self, kind: u32, held: usize) -> u32 {
        let mut used = vec![false; self.kinds.len()];
        for &node in &self.node {
            used[node as usize] = true;
        }
        match (held..used.len()).find(|&node| !used[node]) {
            Some(node) => {
                self.kinds[node] = kind;
                node as u32
            }
            None => {
                self.kinds.push(kind);
                self.kinds.len() as u32 - 1
            }
        }
    }
}

pub(super) struct Space<'s, 'p> {
    problem: &'p Problem,
    goal: Goal,
    builder: &'s mut Builder<'p>,
    inputs: Inputs,
    held: usize,
}

impl<'s, 'p> Space<'s, 'p> {
    pub(super) fn new(problem: &'p Problem, goal: Goal, builder: &'s mut Builder<'p>) -> Self {
        Self {
            problem,
            goal,
            builder,
            inputs: Inputs::default(),
            held: problem.progress().leases.len(),
        }
    }

    pub(super) fn schedule(&mut self, assignment: &Assignment) -> Option<Schedule> {
        self.decode(assignment)?;
        self.builder.finish()
    }

    fn decode(&mut self, assignment: &Assignment) -> Option<()> {
        self.builder.reset();
        for &kind in &assignment.kinds[self.held..] {
            self.builder.open(kind);
        }
        for &task in assignment.order.iter() {
            self.builder.inputs(task, &mut self.inputs);
            let node = assignment.node[task as usize];
            let offer = self.builder.offer(task, &self.inputs, node)?;
            self.builder.commit(task, offer);
        }
        Some(())
    }

    /// A task that was not begun, its place in the order with it.
    fn any_task(assignment: &Assignment, random: &mut Random) -> Option<(usize, u32)> {
        let at = random.below(assignment.order.len());
        assignment.order.get(at).map(|&task| (at, task))
    }

    fn any_node(assignment: &Assignment, random: &mut Random) -> Option<u32> {
        // By a task of it: nodes without tasks do not matter.
        Self::any_task(assignment, random).map(|(_, task)| assignment.node[task as usize])
    }

    fn any_kind(&self, random: &mut Random) -> u32 {
        random.below(self.problem.kinds() as usize) as u32
    }

    fn shift(&self, next: &mut Assignment, random: &mut Random) -> Option<()> {
        let (_, task) = Self::any_task(next, random)?;
        let node = if random.chance(0.12) {
            let kind = self.any_kind(random);
            next.new_node(kind, self.held)
        } else {
            Self::any_node(next, random)?
        };
        next.node[task as usize] = node;
        Some(())
    }

    fn join_parent(&self, next: &mut Assignment, random: &mut Random) -> Option<()> {
        let (_, task) = Self::any_task(next, random)?;
        let parents = self.problem.graph().parents(task);
        let parent = parents.get(random.below(parents.len()))?;
        next.node[task as usize] = next.node[parent.task as usize];
        Some(())
    }

    fn retype(&self, next: &mut Assignment, random: &mut Random) -> Option<()> {
        let node = Self::any_node(next, random)? as usize;
        if node >= self.held {
            next.kinds[node] = self.any_kind(random);
        }
        Some(())
    }

    fn merge(&self, next: &mut Assignment, random: &mut Random) -> Option<()> {
        let from = Self::any_node(next, random)?;
        let to = Self::any_node(next, random)?;
        for &task in next.order.iter() {
            let node = &mut next.node[task as usize];
            if *node == from {
                *node = to;
            }
        }
        if random.chance(0.5) && to as usize >= self.held {
            let price =
                |kind: u32| self.problem.spec().types[kind as usize].price_micro_usd_per_hour;
            let other = self.any_kind(random);
            if price(other) > price(next.kinds[to as usize]) {
                next.kinds[to as usize] = other;
            }
        }
        Some(())
    }

    fn swap(next: &mut Assignment, random: &mut Random) -> Option<()> {
        let (_, a) = Self::any_task(next, random)?;
        let (_, b) = Self::any_task(next, random)?;
        next.node.swap(a as usize, b as usize);
        Some(())
    }
}

impl anneal::Space for Space<'_, '_> {
    type State = Assignment;

    fn effort(&self, _: &Assignment) -> u64 {
        u64::from(self.problem.tasks()) + 1
    }

    fn value(&mut self, assignment: &mut Assignment) -> Option<Value> {
        self.decode(assignment)?;
        let (makespan, cost) = self.builder.figures();
        Some(self.goal.value(makespan, cost))
    }

    fn vary(&self, assignment: &Assignment, random: &mut Random) -> Assignment {
        let mut next = assignment.clone();
        // A move that finds nothing to do leaves the plan as it is.
        let _moved = match random.below(100) {
            0..50 => self.shift(&mut next, random),
            50..65 => self.join_parent(&mut next, random),
            65..80 => self.retype(&mut next, random),
            80..88 => self.merge(&mut next, random),
            88..94 => Self::swap(&mut next, random),
            _ => {
                next.order = order::varied(self.problem, random);
                Some(())
            }
        };
        next
    }
}
