//! The validator finds each single fault that is put into a good plan.

use consort_scheduling::{Limits, Objective, Problem, Schedule, Spec, Violation, plan, validate};

use crate::support::{SECOND, edge, machine_shares, share, task};

fn spec() -> Spec {
    let tasks = vec![task("a", 10), task("b", 10), task("c", 5)];
    let mut spec = machine_shares(
        tasks,
        vec![edge(0, 2, 1_000_000), edge(1, 2, 1_000_000)],
        Objective::Deadline(16 * SECOND),
    );
    spec.types = vec![share("full", 1000, 3_600_000)];
    spec.bandwidth = Some(1_000_000);
    spec
}

fn faults(change: impl FnOnce(&mut Spec, &mut Schedule)) -> Vec<Violation> {
    let mut spec = spec();
    let problem = Problem::new(spec.clone()).unwrap();
    let mut good = plan(&problem, &Limits::of(1000)).unwrap();
    validate(&spec, spec.objective, &good).unwrap();
    change(&mut spec, &mut good);
    validate(&spec, spec.objective, &good)
        .err()
        .unwrap_or_default()
}

/// Moves a task in time.
fn shift(plan: &mut Schedule, task: usize, by: i64) {
    let placed = &mut plan.placements[task];
    placed.start = placed.start.saturating_add_signed(by);
    placed.end = placed.end.saturating_add_signed(by);
}

#[test]
fn each_fault_is_found() {
    let second = SECOND as i64;
    let cases: Vec<(Vec<Violation>, Violation)> = vec![
        (
            faults(|_, p| p.placements.truncate(2)),
            Violation::NotEveryTaskOnce,
        ),
        (
            faults(|_, p| p.placements.swap(0, 1)),
            Violation::NotEveryTaskOnce,
        ),
        (
            faults(|_, p| p.placements[1].instance = 9),
            Violation::BadPlacement { task: 1 },
        ),
        (
            faults(|_, p| p.instances[0].kind = 9),
            Violation::BadLease { lease: 0 },
        ),
        (
            faults(|_, p| p.placements[0].end -= 1),
            Violation::WrongDuration { task: 0 },
        ),
        (
            faults(|_, p| shift(p, 2, -second)),
            Violation::EdgeBroken { from: 1, to: 2 },
        ),
        (
            faults(|_, p| p.instances[1].end += 1),
            Violation::WrongLease { lease: 1 },
        ),
        (
            faults(|_, p| p.instances[1].cost += 1),
            Violation::WrongCost { lease: 1 },
        ),
        (faults(|_, p| p.cost -= 1), Violation::WrongTotals),
        (faults(|_, p| p.makespan -= 1), Violation::WrongTotals),
        (
            faults(|s, _| s.objective = Objective::Deadline(15 * SECOND)),
            Violation::ObjectiveMissed,
        ),
        (
            faults(|s, _| s.objective = Objective::Budget(1)),
            Violation::ObjectiveMissed,
        ),
        (
            faults(|s, _| s.max_cpus_milli = Some(1999)),
            Violation::PoolExceeded { kind: None },
        ),
        (
            faults(|s, _| s.types[0].capacity = Some(1)),
            Violation::PoolExceeded { kind: Some(0) },
        ),
        (
            faults(|_, p| p.placements[1].instance = p.placements[0].instance),
            Violation::Overbooked { lease: 0 },
        ),
        (
            faults(|s, _| s.types[0].startup_us = 1),
            Violation::TooEarly { task: 0 },
        ),
        (
            faults(|s, _| s.tasks[0].memory_bytes = 1 << 40),
            Violation::WrongDuration { task: 0 },
        ),
    ];
    for (found, expected) in cases {
        assert!(
            found.contains(&expected),
            "{expected:?} is not among {found:?}"
        );
    }
}
