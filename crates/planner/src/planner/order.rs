//! The order of actions: makers before users, deletions the other way, and users that are updated
//! between the new and the old form of what they use.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use consort_model::plan::{Action, Operation, VerdictKind};
use consort_model::{Code, Problem};

use super::actions::{Placed, Slot};
use super::work::Planning;

/// Orders with more edges than this are refused: each is written down in the plan.
const MAX_EDGES: usize = 5_000_000;

/// How much an edge matters when edges contradict each other. Records can be out of date after a run
/// that failed, so that what they say of dependencies gives way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// An old form goes after its users were updated.
    Polite,
    /// A thing goes after the things that used it, by the record.
    Recorded,
    /// The graph of the blueprint, and the two halves of a replacement.
    Firm,
}

#[derive(Default)]
struct Edges {
    /// For each action: what must come before it.
    before: Vec<BTreeMap<u32, Strength>>,
    /// How many there are.
    count: usize,
}

impl Edges {
    fn add(&mut self, action: u32, before: u32, strength: Strength) {
        if action != before {
            self.count += 1;
            let known = self.before[action as usize]
                .entry(before)
                .or_insert(strength);
            *known = (*known).max(strength);
        }
    }
}

/// The actions in an order that respects `after`, which is filled in.
pub(crate) fn ordered(planning: &Planning, placed: Vec<Placed>) -> Result<Vec<Action>, Problem> {
    let mut edges = Edges {
        before: vec![BTreeMap::new(); placed.len()],
        count: 0,
    };
    let index = Index::of(planning, &placed);
    makers_first(planning, &index, &mut edges)?;
    halves(planning, &placed, &index, &mut edges);
    users_leave_first(planning, &placed, &index, &mut edges);
    let order = sorted(&mut edges, &placed)?;
    let mut position = vec![0; placed.len()];
    for (at, action) in order.iter().enumerate() {
        position[*action as usize] = at;
    }
    let ids: Vec<_> = placed
        .iter()
        .map(|placed| placed.action.id.clone())
        .collect();
    let mut actions: Vec<Option<Action>> = placed
        .into_iter()
        .map(|placed| Some(placed.action))
        .collect();
    let mut result = Vec::with_capacity(order.len());
    for at in order {
        let mut before: Vec<u32> = edges.before[at as usize].keys().copied().collect();
        before.sort_by_key(|before| position[*before as usize]);
        if let Some(mut action) = actions[at as usize].take() {
            action.after = before
                .iter()
                .map(|before| ids[*before as usize].clone())
                .collect();
            result.push(action);
        }
    }
    Ok(result)
}

/// The actions of each node.
struct Index {
    does: Vec<Option<u32>>,
    deletes: Vec<Vec<u32>>,
}

impl Index {
    fn of(planning: &Planning, placed: &[Placed]) -> Self {
        let mut index = Self {
            does: vec![None; planning.graph.nodes.len()],
            deletes: vec![Vec::new(); planning.graph.nodes.len()],
        };
        for (at, placed) in (0..).zip(placed) {
            match placed.slot {
                Slot::Do => index.does[placed.node as usize] = Some(at),
                Slot::Delete | Slot::Leftover => index.deletes[placed.node as usize].push(at),
            }
        }
        index
    }
}

/// What makes or changes a node comes before what makes or changes its users. Nodes without such an
/// action pass on what they wait for themselves.
fn makers_first(planning: &Planning, index: &Index, edges: &mut Edges) -> Result<(), Problem> {
    let mut gates: Vec<Arc<Vec<u32>>> = Vec::with_capacity(planning.graph.nodes.len());
    let mut passed_on = 0;
    for (at, node) in planning.graph.nodes.iter().enumerate() {
        let mut waits: Vec<Arc<Vec<u32>>> = node
            .dependencies
            .iter()
            .map(|on| gates[*on as usize].clone())
            .collect();
        waits.retain(|gate| !gate.is_empty());
        let many = waits.iter().flat_map(|gate| gate.iter().copied());
        let gate = match (index.does[at], waits.as_slice()) {
            (Some(action), _) => {
                many.for_each(|before| edges.add(action, before, Strength::Firm));
                Arc::new(vec![action])
            }
            (None, []) => Arc::default(),
            (None, [one]) => one.clone(),
            (None, _) => {
                let mut all: Vec<u32> = many.collect();
                all.sort_unstable();
                all.dedup();
                passed_on += all.len();
                Arc::new(all)
            }
        };
        if edges.count.max(passed_on) > MAX_EDGES {
            return Err(too_many(&node.address));
        }
        gates.push(gate);
    }
    Ok(())
}

fn too_many(at: &consort_model::Address) -> Problem {
    Problem::new(
        Code::PLAN_IMPOSSIBLE,
        "the nodes depend on each other in more than 5,000,000 ways",
    )
    .at(at)
    .remedy("Refer to single instances instead of all of them, or carry a part out first with `--only`.")
}

/// The halves of a replacement, and leftovers of a type that the node has no longer.
fn halves(planning: &Planning, placed: &[Placed], index: &Index, edges: &mut Edges) {
    for (at, deletion) in (0..).zip(placed) {
        let outcome = planning.work[deletion.node as usize].outcome.as_ref();
        let (Some(does), Some(outcome)) = (index.does[deletion.node as usize], outcome) else {
            // Several deletions of one node: the newest last, which ends the record.
            if deletion.slot == Slot::Delete {
                for other in index.deletes[deletion.node as usize]
                    .iter()
                    .filter(|other| **other != at)
                {
                    edges.add(at, *other, Strength::Firm);
                }
            }
            continue;
        };
        match deletion.slot {
            Slot::Do => {}
            Slot::Delete if outcome.what == VerdictKind::Replace => {
                edges.add(does, at, Strength::Firm)
            }
            Slot::Leftover if outcome.retyped => edges.add(does, at, Strength::Firm),
            Slot::Delete | Slot::Leftover => edges.add(at, does, Strength::Firm),
        }
    }
}

/// A thing goes after what used it has gone or was changed, by what the state records.
fn users_leave_first(planning: &Planning, placed: &[Placed], index: &Index, edges: &mut Edges) {
    if index.deletes.iter().all(Vec::is_empty) {
        return;
    }
    for entry in planning.input.state.values() {
        let Some(user) = planning.graph.find(&entry.address) else {
            continue;
        };
        let leaving = &index.deletes[user as usize];
        let update = index.does[user as usize]
            .filter(|at| matches!(placed[*at as usize].action.operation, Operation::Update));
        if leaving.is_empty() && update.is_none() {
            continue;
        }
        for on in entry
            .depends_on
            .iter()
            .flat_map(|address| planning.graph.covered(address))
        {
            for deletion in &index.deletes[on as usize] {
                for gone in leaving {
                    edges.add(*deletion, *gone, Strength::Recorded);
                }
                let replaced_first = planning.work[on as usize]
                    .outcome
                    .as_ref()
                    .is_some_and(|outcome| outcome.what == VerdictKind::Replace)
                    && placed[*deletion as usize].slot == Slot::Delete;
                if let (Some(update), false) = (update, replaced_first) {
                    edges.add(*deletion, update, Strength::Polite);
                }
            }
        }
    }
}

/// Sorts, and gives up the weakest edge of every circle.
fn sorted(edges: &mut Edges, placed: &[Placed]) -> Result<Vec<u32>, Problem> {
    let count = edges.before.len();
    let mut unmet: Vec<usize> = edges.before.iter().map(BTreeMap::len).collect();
    let mut users: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (at, before) in (0..).zip(&edges.before) {
        for before in before.keys() {
            users[*before as usize].push(at);
        }
    }
    let mut done = vec![false; count];
    let mut ready: BinaryHeap<Reverse<u32>> = (0..count as u32)
        .filter(|at| unmet[*at as usize] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(count);
    loop {
        while let Some(Reverse(at)) = ready.pop() {
            if std::mem::replace(&mut done[at as usize], true) {
                continue;
            }
            order.push(at);
            for user in &users[at as usize] {
                // An edge that was given up does not count any more.
                if edges.before[*user as usize].contains_key(&at) {
                    unmet[*user as usize] -= 1;
                    if unmet[*user as usize] == 0 {
                        ready.push(Reverse(*user));
                    }
                }
            }
        }
        if order.len() == count {
            return Ok(order);
        }
        let (action, before) = weakest(edges, &done).ok_or_else(|| contradiction(placed, &done))?;
        edges.before[action as usize].remove(&before);
        unmet[action as usize] -= 1;
        if unmet[action as usize] == 0 {
            ready.push(Reverse(action));
        }
    }
}

/// The weakest edge of a circle among the actions that are left; `None` if all its edges are firm.
fn weakest(edges: &Edges, done: &[bool]) -> Option<(u32, u32)> {
    let next = |at: u32| {
        let before = edges.before[at as usize].iter();
        before
            .map(|(before, strength)| (*before, *strength))
            .find(|(before, _)| !done[*before as usize])
    };
    let mut seen = vec![false; done.len()];
    let mut here = done.iter().position(|done| !done)? as u32;
    while !std::mem::replace(&mut seen[here as usize], true) {
        here = next(here)?.0;
    }
    let start = here;
    let mut best: Option<(Strength, u32, u32)> = None;
    loop {
        let (before, strength) = next(here)?;
        if best.is_none_or(|(weakest, ..)| strength < weakest) {
            best = Some((strength, here, before));
        }
        here = before;
        if here == start {
            break;
        }
    }
    best.filter(|(strength, ..)| *strength < Strength::Firm)
        .map(|(_, action, before)| (action, before))
}

fn contradiction(placed: &[Placed], done: &[bool]) -> Problem {
    let left: Vec<String> = placed
        .iter()
        .zip(done)
        .filter(|(_, done)| !**done)
        .take(10)
        .map(|(placed, _)| format!("`{}`", placed.action.id))
        .collect();
    Problem::new(
        Code::INTERNAL,
        format!("these actions wait for each other: {}", left.join(", ")),
    )
    .remedy("Carry a part of the changes out first, with `--only`, and please report this.")
}
