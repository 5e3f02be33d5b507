//! One machine: its type, its bookings and its lease so far.

use super::Offer;
use super::timeline::{Need, Timeline};
use crate::billing::LeaseSpan;
use crate::problem::Problem;
use crate::progress::LiveLease;
use crate::spec::{Micros, NodeType};

#[derive(Debug, Clone, Default)]
pub(crate) struct Machine {
    pub(crate) kind: u32,
    pub(crate) slots: Timeline,
    /// Its lease as known now; `None` while it has none.
    lease: Option<(Micros, Micros)>,
    /// The lease if every transfer were remote: what pool limits are checked against.
    hold: Option<(Micros, Micros)>,
    /// When it was requested, if it was leased before this plan.
    requested: Option<Micros>,
    /// When it was given back, if it was.
    returned: Option<Micros>,
}

impl Machine {
    /// Makes it a new machine of this type; its memory is used again.
    pub(super) fn renew(&mut self, kind: u32, of: &NodeType) {
        self.kind = kind;
        self.slots.renew(of.cpus_milli, of.memory_bytes);
        self.lease = None;
        self.hold = None;
        self.requested = None;
        self.returned = None;
    }

    /// Makes it one that was leased before this plan.
    pub(super) fn adopt(&mut self, lease: &LiveLease, now: Micros) {
        let until = lease.end.unwrap_or(now);
        self.requested = Some(lease.start);
        self.returned = lease.end;
        self.lease = Some((lease.start, until));
        self.hold = self.lease;
    }

    pub(crate) fn closed(&self) -> bool {
        self.returned.is_some()
    }

    pub(crate) fn requested(&self) -> Option<Micros> {
        self.requested
    }

    pub(super) fn returned(&self) -> Option<Micros> {
        self.returned
    }

    /// Its lease as known now.
    pub(crate) fn lease(&self) -> Option<(Micros, Micros)> {
        self.lease
    }

    pub(super) fn hold(&self) -> Option<(Micros, Micros)> {
        self.hold
    }

    /// When its last task ends; 0 without tasks.
    pub(crate) fn free_from(&self) -> Micros {
        self.slots.last_end()
    }

    pub(super) fn book(
        &mut self,
        task: u32,
        offer: &Offer,
        need: Need,
        startup: Micros,
        problem: &Problem,
    ) {
        let span = problem.spec().billing.span;
        let inbound = if span == LeaseSpan::Busy {
            0
        } else {
            offer.inbound
        };
        let start = self
            .requested
            .unwrap_or_else(|| offer.start.saturating_sub(inbound.saturating_add(startup)));
        let reach = match self.lease {
            // Only what the last task sends is billed: a new last one ends what is known of it.
            Some(_) if span == LeaseSpan::EndTransfers && offer.end > self.free_from() => offer.end,
            Some((_, to)) => to.max(offer.end),
            None => offer.end,
        };
        let from = self.lease.map_or(start, |(from, _)| from.min(start));
        self.lease = Some((from, reach));
        self.hold = Some(self.hold_with(task, offer, startup, problem));
        self.slots.book(task, offer.start, offer.end, need);
    }

    /// Its hold with one more task on it.
    pub(super) fn hold_with(
        &self,
        task: u32,
        offer: &Offer,
        startup: Micros,
        problem: &Problem,
    ) -> (Micros, Micros) {
        let (inbound, outbound) = match problem.spec().billing.span {
            LeaseSpan::Busy => (0, 0),
            _ => (offer.inbound, problem.most_out(task)),
        };
        let start = self
            .requested
            .unwrap_or_else(|| offer.start.saturating_sub(inbound.saturating_add(startup)));
        let end = offer.end.saturating_add(outbound);
        self.hold
            .map_or((start, end), |(from, to)| (from.min(start), to.max(end)))
    }

    /// A task that ended then sends for this long.
    pub(super) fn send(&mut self, ended: Micros, transfer: Micros, span: LeaseSpan) {
        let counts = match span {
            LeaseSpan::Busy => false,
            LeaseSpan::EndTransfers => ended == self.free_from(),
            LeaseSpan::AllTransfers => true,
        };
        if let Some((_, to)) = &mut self.lease
            && counts
            && self.returned.is_none()
        {
            *to = (*to).max(ended + transfer);
        }
    }
}
