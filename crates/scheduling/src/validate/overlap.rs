//! No node holds more than it has, and the pool no more than it may.

use super::{Check, Violation};
use crate::spec::Micros;

/// Changes of something held: (time, amounts). What is given back comes before what is taken.
fn peak<const N: usize>(mut changes: Vec<(Micros, [i128; N])>) -> [i128; N] {
    changes.sort_unstable();
    let mut held = [0; N];
    let mut peak = [0; N];
    for (at, (time, change)) in changes.iter().enumerate() {
        for (held, change) in held.iter_mut().zip(change) {
            *held += change;
        }
        // All changes of one moment count together.
        if changes.get(at + 1).is_none_or(|next| next.0 > *time) {
            for (peak, held) in peak.iter_mut().zip(held) {
                *peak = held.max(*peak);
            }
        }
    }
    peak
}

/// Processors and memory of each node.
pub(super) fn slots(check: &mut Check<'_>) {
    let mut changes = vec![Vec::new(); check.plan.instances.len()];
    for placement in &check.plan.placements {
        let task = &check.spec.tasks[placement.task as usize];
        let node = &check.spec.types[check.lease_of(placement).kind as usize];
        let cpus = i128::from(task.cpus_milli.min(node.cpus_milli));
        let memory = i128::from(task.memory_bytes);
        let on = &mut changes[placement.instance as usize];
        on.push((placement.start, [cpus, memory]));
        on.push((placement.end, [-cpus, -memory]));
    }
    for (lease, changes) in changes.into_iter().enumerate() {
        let node = &check.spec.types[check.plan.instances[lease].kind as usize];
        let [cpus, memory] = peak(changes);
        if cpus > node.cpus_milli.into() || memory > node.memory_bytes.into() {
            check.found.push(Violation::Overbooked { lease });
        }
    }
}

/// The pool's limits, from the present on.
pub(super) fn pool(check: &mut Check<'_>) {
    let now = check.progress.now;
    let future = || check.plan.instances.iter().filter(|lease| lease.end > now);
    if let Some(most) = check.spec.max_cpus_milli {
        let changes = future().flat_map(|lease| {
            let cpus = check.spec.types[lease.kind as usize].cpus_milli;
            let cpus = i128::from(cpus);
            [(lease.start.max(now), [cpus]), (lease.end, [-cpus])]
        });
        if peak(changes.collect())[0] > most.into() {
            check.found.push(Violation::PoolExceeded { kind: None });
        }
    }
    for (kind, node) in check.spec.types.iter().enumerate() {
        let Some(most) = node.capacity else { continue };
        let of_kind = future().filter(|lease| lease.kind as usize == kind);
        let changes = of_kind.flat_map(|l| [(l.start.max(now), [1]), (l.end, [-1])]);
        if peak(changes.collect())[0] > most.into() {
            check
                .found
                .push(Violation::PoolExceeded { kind: Some(kind) });
        }
    }
}
