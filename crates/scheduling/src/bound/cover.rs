//! The covering bound: within some window so much work must be done that a certain power must be
//! leased, and each lease costs at least its shortest charge.

use crate::problem::Problem;
use crate::spec::{Micros, RunTime};

/// So many ends of windows are tried on each side.
const ENDS: usize = 60;

/// Powers above this are scaled down before the exact covering.
const LARGEST: u64 = 200_000;

/// The least that the leases of the busiest window cost, in millionths of a dollar.
pub(super) fn cost(problem: &Problem, deadline: Micros) -> u64 {
    let spec = problem.spec();
    // Powers can be added only where all run times follow from the types' speeds.
    if spec
        .tasks
        .iter()
        .any(|t| matches!(t.run_time, RunTime::PerType(_)))
    {
        return 0;
    }
    let needed = needed_power(problem, deadline);
    let items: Vec<(u64, u64)> = (0..problem.kinds())
        .map(|kind| {
            let node = &spec.types[kind as usize];
            let power = u64::from(node.speed_milli) * u64::from(node.cpus_milli);
            (power, problem.least_charge(kind))
        })
        .collect();
    least_covering(&items, needed)
}

/// A task and when it can run at the earliest and must end at the latest.
struct Window {
    from: Micros,
    to: Micros,
    work: u128,
    /// The power with which it can be worked off.
    power: u128,
}

fn windows(problem: &Problem, deadline: Micros) -> Vec<Window> {
    let ends = super::earliest_ends(problem);
    let mut latest = vec![deadline; problem.tasks() as usize];
    for &task in problem.graph().order().iter().rev() {
        for arc in problem.graph().children(task) {
            let limit = latest[arc.task as usize].saturating_sub(problem.fastest(arc.task));
            latest[task as usize] = latest[task as usize].min(limit);
        }
    }
    let spec = problem.spec();
    (0..problem.tasks())
        .map(|task| {
            let at = task as usize;
            let cpus = spec.tasks[at].cpus_milli;
            let work = match &spec.tasks[at].run_time {
                RunTime::Estimate(time) => u128::from(*time) * u128::from(cpus) * 1000,
                RunTime::PerType(_) => 0,
            };
            let kinds = (0..problem.kinds()).filter(|&k| problem.run_time(task, k).is_some());
            let power = kinds.map(|k| {
                let speed = spec.types[k as usize].speed_milli;
                u128::from(speed) * u128::from(problem.cpus_on(task, k))
            });
            Window {
                from: ends[at] - problem.fastest(task),
                to: latest[at],
                work,
                power: power.max().unwrap_or(1),
            }
        })
        .collect()
}

/// The most power that some stretch of time needs, rounded down.
fn needed_power(problem: &Problem, deadline: Micros) -> u64 {
    let windows = windows(problem, deadline);
    let starts = sample(windows.iter().map(|w| w.from).collect());
    let ends = sample(windows.iter().map(|w| w.to).collect());
    let mut most = 0;
    for &from in &starts {
        for &to in ends.iter().filter(|&&to| to > from) {
            let inside = windows.iter().map(|w| {
                // What can be done outside of the stretch, at most.
                let before = from.min(w.to).saturating_sub(w.from);
                let after = w.to.saturating_sub(to.max(w.from));
                w.work.saturating_sub(w.power * u128::from(before + after))
            });
            let work: u128 = inside.sum();
            most = most.max(work / u128::from(to - from));
        }
    }
    u64::try_from(most).unwrap_or(0)
}

/// Up to a number of different values, evenly chosen, with both ends.
fn sample(mut values: Vec<Micros>) -> Vec<Micros> {
    values.sort_unstable();
    values.dedup();
    if values.len() <= ENDS {
        return values;
    }
    let last = values.len() - 1;
    (0..ENDS).map(|at| values[at * last / (ENDS - 1)]).collect()
}

/// The least price of items (power, price), any number of each, whose powers add up to the need.
fn least_covering(items: &[(u64, u64)], needed: u64) -> u64 {
    let exact = items.iter().fold(0, |unit, item| gcd(unit, item.0)).max(1);
    // All powers are multiples of the exact unit, so the need may be rounded up to one. With a
    // coarser unit powers are rounded up and the need down: the bound stays below the truth.
    let (unit, needed) = if needed / exact < LARGEST {
        (exact, needed.div_ceil(exact))
    } else {
        let unit = needed / LARGEST + 1;
        (unit, needed / unit)
    };
    let mut least = vec![u64::MAX; needed as usize + 1];
    least[0] = 0;
    for at in 1..least.len() {
        for &(power, price) in items {
            let rest = at.saturating_sub(power.div_ceil(unit).max(1) as usize);
            least[at] = least[at].min(least[rest].saturating_add(price));
        }
    }
    least.last().copied().unwrap_or(0)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
