//! The limits of the pool: how much may be leased at the same time.

use super::{Builder, Offer};
use crate::spec::Micros;

impl Builder<'_> {
    /// The offer, later if need be, so that its lease stays within the pool's limits; `None` if the
    /// machine is in use and cannot be held that long.
    pub(super) fn within_pool(&self, task: u32, offer: Offer) -> Option<Offer> {
        let found = self.machines.get(offer.machine as usize);
        let startup = self.problem.spec().types[offer.kind as usize].startup_us;
        let fresh = super::Machine::default();
        let hold = found
            .unwrap_or(&fresh)
            .hold_with(task, &offer, startup, self.problem);
        if self.fits(&offer, hold) {
            return Some(offer);
        }
        if found.is_some_and(|m| m.hold().is_some()) {
            return None;
        }
        self.after_others(offer, hold)
    }

    /// Whether one machine may be held from the first to the last of several offers on it.
    pub(crate) fn can_hold(&self, first: &Offer, last_task: u32, last: &Offer) -> bool {
        if !self.limited {
            return true;
        }
        let startup = self.problem.spec().types[first.kind as usize].startup_us;
        let from = first
            .start
            .saturating_sub(startup.saturating_add(first.inbound));
        let to = last.end.saturating_add(self.problem.most_out(last_task));
        let held = self
            .machines
            .get(last.machine as usize)
            .and_then(|m| m.hold());
        let (from, to) = held.map_or((from, to), |(a, b)| (a.min(from), b.max(to)));
        self.fits(last, (from, to))
    }

    /// A machine that holds nothing yet can wait until others are given back.
    fn after_others(&self, offer: Offer, hold: (Micros, Micros)) -> Option<Offer> {
        let holds = self.machines.iter().filter_map(|m| m.hold());
        let mut ends: Vec<Micros> = holds.map(|h| h.1).filter(|&end| end > hold.0).collect();
        ends.sort_unstable();
        ends.dedup();
        ends.into_iter().find_map(|end| {
            let delay = end - hold.0;
            let later = Offer {
                start: offer.start + delay,
                end: offer.end + delay,
                ..offer
            };
            self.fits(&later, (end, hold.1 + delay)).then_some(later)
        })
    }

    /// Whether a machine of this type may be held for this time beside all others.
    fn fits(&self, offer: &Offer, (from, to): (Micros, Micros)) -> bool {
        let spec = self.problem.spec();
        // What was leased before the present cannot be changed any more.
        let from = from.max(self.problem.progress().now);
        let own = &spec.types[offer.kind as usize];
        let most = spec.max_cpus_milli.unwrap_or(u64::MAX);
        let capacity = own.capacity.map_or(u64::MAX, u64::from);
        // (time, processors, of this type): what is given back at a time comes before what is taken.
        let mut changes: Vec<(Micros, i64, i64)> = Vec::new();
        for (index, machine) in self.machines.iter().enumerate() {
            let Some((start, end)) = machine.hold() else {
                continue;
            };
            if index == offer.machine as usize || start >= to || end <= from {
                continue;
            }
            let cpus = i64::from(spec.types[machine.kind as usize].cpus_milli);
            let same = i64::from(machine.kind == offer.kind);
            changes.push((start.max(from), cpus, same));
            changes.push((end, -cpus, -same));
        }
        changes.sort_unstable();
        let mut cpus = u64::from(own.cpus_milli);
        let mut count = 1_u64;
        changes.into_iter().all(|(_, more_cpus, more)| {
            cpus = cpus.saturating_add_signed(more_cpus);
            count = count.saturating_add_signed(more);
            cpus <= most && count <= capacity
        })
    }
}
