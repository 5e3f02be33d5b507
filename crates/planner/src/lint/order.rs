//! The order of actions, checked from the plan and the records alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use consort_model::plan::{ActionId, Operation, Plan};
use consort_model::{Address, StateEntry};

use super::finding::Finding;

/// The actions of a plan by place, with what each waits for.
pub(super) struct Actions<'a> {
    plan: &'a Plan,
    place: HashMap<&'a ActionId, usize>,
    after: Vec<HashSet<usize>>,
    of_node: BTreeMap<&'a Address, Vec<usize>>,
}

impl<'a> Actions<'a> {
    pub(super) fn of(plan: &'a Plan, findings: &mut Vec<Finding>) -> Self {
        let mut place = HashMap::new();
        let mut of_node: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
        for (at, action) in plan.actions.iter().enumerate() {
            if place.insert(&action.id, at).is_some() {
                findings.push(Finding::DoubleAction(action.id.clone()));
            }
            if action.id != ActionId::new(&action.operation, &action.address) {
                findings.push(Finding::WrongId(action.id.clone()));
            }
            of_node.entry(&action.address).or_default().push(at);
        }
        let mut after = Vec::with_capacity(plan.actions.len());
        for (at, action) in plan.actions.iter().enumerate() {
            let mut before = HashSet::new();
            for id in &action.after {
                match place.get(id) {
                    None => findings.push(Finding::MissingPrerequisite {
                        action: action.id.clone(),
                        missing: id.clone(),
                    }),
                    Some(other) if *other >= at => {
                        findings.push(Finding::OutOfOrder {
                            action: action.id.clone(),
                            before: id.clone(),
                        });
                    }
                    Some(other) => {
                        before.insert(*other);
                    }
                }
            }
            after.push(before);
        }
        Self {
            plan,
            place,
            after,
            of_node,
        }
    }

    pub(super) fn place(&self, id: &ActionId) -> Option<usize> {
        self.place.get(id).copied()
    }

    /// Does one action wait for another, directly or through others?
    pub(super) fn waits(&self, action: usize, other: usize) -> bool {
        if other >= action {
            return false;
        }
        if self.after[action].contains(&other) {
            return true;
        }
        let mut seen = HashSet::new();
        let mut open: Vec<usize> = self.after[action]
            .iter()
            .copied()
            .filter(|before| *before > other)
            .collect();
        while let Some(at) = open.pop() {
            if self.after[at].contains(&other) {
                return true;
            }
            if seen.insert(at) {
                open.extend(
                    self.after[at]
                        .iter()
                        .copied()
                        .filter(|before| *before > other),
                );
            }
        }
        false
    }

    /// The actions of every node that an address covers.
    pub(super) fn covered(&self, address: &Address) -> Vec<usize> {
        self.of_node
            .range::<&Address, _>(address..)
            .take_while(|(other, _)| address.covers(other))
            .flat_map(|(_, actions)| actions.iter().copied())
            .collect()
    }

    fn makes(&self, at: usize) -> bool {
        match self.plan.actions[at].operation {
            Operation::Create { .. } | Operation::Update | Operation::Read => true,
            Operation::Delete { .. } | Operation::Forget => false,
        }
    }

    /// Makers before users.
    pub(super) fn check_makers(&self, findings: &mut Vec<Finding>) {
        for (at, action) in self
            .plan
            .actions
            .iter()
            .enumerate()
            .filter(|(at, _)| self.makes(*at))
        {
            for maker in action.depends_on.iter().flat_map(|on| self.covered(on)) {
                if self.makes(maker) && maker != at && !self.waits(at, maker) {
                    findings.push(Finding::UserBeforeMaker {
                        user: action.id.clone(),
                        maker: self.plan.actions[maker].id.clone(),
                    });
                }
            }
        }
    }

    /// Users are gone before what they used, by the records.
    pub(super) fn check_deletions(
        &self,
        state: &BTreeMap<Address, StateEntry>,
        findings: &mut Vec<Finding>,
    ) {
        for entry in state.values() {
            let leaving: Vec<usize> = self
                .of_node
                .get(&entry.address)
                .into_iter()
                .flatten()
                .copied()
                .filter(|at| !self.makes(*at))
                .collect();
            if leaving.is_empty() {
                continue;
            }
            for deletion in entry.depends_on.iter().flat_map(|on| self.covered(on)) {
                if self.makes(deletion) {
                    continue;
                }
                for user in leaving
                    .iter()
                    .filter(|user| **user != deletion && !self.waits(deletion, **user))
                {
                    findings.push(Finding::DeletedBeforeUser {
                        deletion: self.plan.actions[deletion].id.clone(),
                        user: self.plan.actions[*user].id.clone(),
                        circular: self.waits(*user, deletion),
                    });
                }
            }
        }
    }
}
