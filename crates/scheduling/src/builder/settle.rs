//! From a builder to a schedule: exact leases, costs and totals.

use super::{Builder, Machine, timeline::Booking};
use crate::billing::LeaseSpan;
use crate::graph::Arc;
use crate::schedule::{Lease, Placement, Schedule};
use crate::spec::Micros;

/// Makespan and cost.
pub(super) fn figures(builder: &Builder<'_>) -> (Micros, u64) {
    let mut makespan = 0;
    let mut cost = 0_u64;
    for index in 0..builder.len() {
        if let Some(lease) = lease(builder, index) {
            makespan = makespan.max(builder.machine(index).free_from());
            cost = cost.saturating_add(lease.cost);
        }
    }
    (makespan, cost)
}

pub(super) fn schedule(builder: &Builder<'_>) -> Schedule {
    let mut instances = Vec::new();
    let mut renumbered = vec![0; builder.machines.len()];
    for index in 0..builder.len() {
        if let Some(lease) = lease(builder, index) {
            renumbered[index as usize] = instances.len() as u32;
            instances.push(lease);
        }
    }
    let placements: Vec<Placement> = (0_u32..)
        .zip(&builder.placed)
        .map(|(task, placed)| Placement {
            task,
            instance: renumbered[placed.machine as usize],
            start: placed.start,
            end: placed.end,
        })
        .collect();
    Schedule {
        makespan: placements.iter().map(|p| p.end).max().unwrap_or(0),
        cost: instances
            .iter()
            .fold(0, |sum, lease| sum.saturating_add(lease.cost)),
        instances,
        placements,
    }
}

/// `None` for a machine that was never leased.
fn lease(builder: &Builder<'_>, index: u32) -> Option<Lease> {
    let machine = builder.machine(index);
    if machine.requested().is_none() && machine.slots.bookings().is_empty() {
        return None;
    }
    let spec = builder.problem().spec();
    let kind = &spec.types[machine.kind as usize];
    let (first, last) = span(builder, index, machine, spec.billing.span);
    let now = builder.problem().progress().now;
    let (start, end) = match (machine.requested(), machine.returned()) {
        (Some(start), Some(end)) => (start, end),
        (Some(start), None) => (start, last.max(now)),
        (None, _) => (first.saturating_sub(kind.startup_us), last),
    };
    Some(Lease {
        kind: machine.kind,
        start,
        end,
        cost: spec
            .billing
            .cost(end - start, kind.price_micro_usd_per_hour),
    })
}

/// From the first task to the last one, with the transfers that count.
fn span(builder: &Builder<'_>, index: u32, machine: &Machine, span: LeaseSpan) -> (Micros, Micros) {
    let bookings = machine.slots.bookings();
    let first = bookings.first().map_or(0, |b| b.start);
    let last = machine.free_from();
    let graph = builder.problem().graph();
    let remote = |arcs: &[Arc]| {
        let elsewhere = |arc: &&Arc| builder.placed[arc.task as usize].machine != index;
        let times = arcs.iter().filter(elsewhere).map(|arc| arc.transfer);
        times.max().unwrap_or(0)
    };
    let begin = |b: &Booking| b.start.saturating_sub(remote(graph.parents(b.task)));
    let finish = |b: &Booking| b.end + remote(graph.children(b.task));
    match span {
        LeaseSpan::Busy => (first, last),
        LeaseSpan::EndTransfers => {
            let starts = bookings.iter().take_while(|b| b.start == first).map(begin);
            let ends = bookings.iter().rev().filter(|b| b.end == last).map(finish);
            (starts.min().unwrap_or(first), ends.max().unwrap_or(last))
        }
        LeaseSpan::AllTransfers => (
            bookings.iter().map(begin).min().unwrap_or(first),
            bookings.iter().map(finish).max().unwrap_or(last),
        ),
    }
}
