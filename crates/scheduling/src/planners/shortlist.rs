//! Which machines are worth asking. All, while they are few; with many, those that run a parent and
//! those of each type that become free just before or just after the data are there.

use std::collections::BTreeSet;

use crate::builder::{Builder, Inputs, Offer};
use crate::spec::Micros;

/// Up to this many machines all are asked; of a workload of many tasks only up to the other number.
const FEW: usize = 256;
const FEW_OF_LARGE: usize = 64;
const LARGE: u32 = 2_000;
const BEFORE: usize = 3;
const AFTER: usize = 2;

#[derive(Debug)]
pub(super) struct Shortlist {
    by_kind: Vec<BTreeSet<(Micros, u32)>>,
    known: Vec<Micros>,
    /// Where the last answer is collected.
    offers: Vec<Offer>,
}

impl Shortlist {
    pub(super) fn new(builder: &Builder<'_>) -> Self {
        let mut list = Self {
            by_kind: vec![BTreeSet::new(); builder.problem().kinds() as usize],
            known: Vec::new(),
            offers: Vec::new(),
        };
        for machine in 0..builder.len() {
            list.enter(builder, machine);
        }
        list
    }

    /// All offers for a task: of machines worth asking, and of one new machine of each type.
    pub(super) fn offers(&mut self, builder: &Builder<'_>, task: u32, inputs: &Inputs) -> &[Offer] {
        self.offers.clear();
        let large = builder.problem().tasks() > LARGE;
        let few = if large { FEW_OF_LARGE } else { FEW };
        if builder.len() as usize <= few {
            let all = (0..builder.len()).filter_map(|m| builder.offer(task, inputs, m));
            self.offers.extend(all);
        } else {
            let ready = inputs.at(crate::builder::NOWHERE).0;
            for set in &self.by_kind {
                let before = set.range(..=(ready, u32::MAX)).rev().take(BEFORE);
                let after = set.range((ready.saturating_add(1), 0)..).take(AFTER);
                let near = before.chain(after).map(|&(_, machine)| machine);
                let found = near.filter_map(|m| builder.offer(task, inputs, m));
                self.offers.extend(found);
            }
            let hosts = inputs.machines().take(few);
            let found = hosts.filter_map(|m| builder.offer(task, inputs, m));
            self.offers.extend(found);
        }
        let kinds = 0..builder.problem().kinds();
        let fresh = kinds.filter_map(|kind| builder.offer_new(task, inputs, kind));
        self.offers.extend(fresh);
        &self.offers
    }

    /// Puts the task there and keeps the lists true.
    pub(super) fn commit(&mut self, builder: &mut Builder<'_>, task: u32, offer: Offer) {
        builder.commit(task, offer);
        self.enter(builder, offer.machine);
    }

    fn enter(&mut self, builder: &Builder<'_>, machine: u32) {
        let found = builder.machine(machine);
        if found.closed() {
            self.known
                .resize(self.known.len().max(machine as usize + 1), 0);
            return;
        }
        let set = &mut self.by_kind[found.kind as usize];
        if let Some(&old) = self.known.get(machine as usize) {
            set.remove(&(old, machine));
        } else {
            self.known.resize(machine as usize + 1, 0);
        }
        let free = found.free_from();
        self.known[machine as usize] = free;
        set.insert((free, machine));
    }
}
