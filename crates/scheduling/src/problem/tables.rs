//! Times by index: computed once, then only looked up.

use super::{Frozen, NEVER};
use crate::progress::Progress;
use crate::refusal::ProblemError;
use crate::spec::{Micros, NodeType, RunTime, Spec, Task};

/// All times together must stay below this, so that sums of them cannot overflow.
const LONGEST: u128 = 1 << 60;

/// The edges as (from, to, transfer), sorted, with the bytes of equal ones added up.
pub(super) fn links(spec: &Spec) -> Vec<(u32, u32, Micros)> {
    let mut sorted: Vec<_> = spec.edges.iter().map(|e| (e.from, e.to, e.bytes)).collect();
    sorted.sort_unstable();
    sorted.dedup_by(|next, kept| {
        let same = (next.0, next.1) == (kept.0, kept.1);
        if same {
            kept.2 = kept.2.saturating_add(next.2);
        }
        same
    });
    let link = |(from, to, bytes)| (from, to, transfer(bytes, spec.bandwidth));
    sorted.into_iter().map(link).collect()
}

fn transfer(bytes: u64, bandwidth: Option<u64>) -> Micros {
    bandwidth.map_or(0, |rate| {
        let time = (u128::from(bytes) * 1_000_000).div_ceil(u128::from(rate.max(1)));
        u64::try_from(time).unwrap_or(NEVER)
    })
}

/// By task, then by node type.
pub(super) fn run_times(spec: &Spec) -> Vec<Micros> {
    let mut run = Vec::with_capacity(spec.tasks.len() * spec.types.len());
    for task in &spec.tasks {
        for (index, kind) in spec.types.iter().enumerate() {
            run.push(if usable(spec, task, kind) {
                run_time(task, index, kind)
            } else {
                NEVER
            });
        }
    }
    run
}

fn usable(spec: &Spec, task: &Task, kind: &NodeType) -> bool {
    kind.memory_bytes >= task.memory_bytes
        && kind.capacity != Some(0)
        && spec
            .max_cpus_milli
            .is_none_or(|most| u64::from(kind.cpus_milli) <= most)
}

fn run_time(task: &Task, index: usize, kind: &NodeType) -> Micros {
    match &task.run_time {
        RunTime::PerType(times) => times[index].clamp(1, NEVER - 1),
        RunTime::Estimate(time) => {
            let used = u128::from(task.cpus_milli.min(kind.cpus_milli));
            let work = u128::from(*time) * u128::from(task.cpus_milli) * 1000;
            let time = work.div_ceil(used * u128::from(kind.speed_milli));
            // What does not fit is refused as too long with all the others.
            u64::try_from(time).unwrap_or(NEVER).clamp(1, NEVER - 1)
        }
    }
}

pub(super) fn fastest(spec: &Spec, run: &[Micros]) -> Result<Vec<Micros>, ProblemError> {
    let rows = spec.tasks.iter().zip(run.chunks(spec.types.len()));
    rows.map(|(task, times)| match times.iter().min() {
        Some(&time) if time != NEVER => Ok(time),
        _ => Err(fits_nowhere(spec, task)),
    })
    .collect()
}

fn fits_nowhere(spec: &Spec, task: &Task) -> ProblemError {
    let most = spec.types.iter().map(|kind| kind.memory_bytes).max();
    match most {
        Some(most) if most < task.memory_bytes => ProblemError::TooLarge {
            task: task.name.clone(),
            memory: task.memory_bytes,
            most,
        },
        _ => ProblemError::NotForLease {
            task: task.name.clone(),
        },
    }
}

/// The time of everything one after the other, each at its slowest, with each its own start-up and
/// transfers.
pub(super) fn horizon(
    spec: &Spec,
    run: &[Micros],
    links: &[(u32, u32, Micros)],
    progress: &Progress,
) -> Result<Micros, ProblemError> {
    let startup = spec.types.iter().map(|k| k.startup_us).max().unwrap_or(0);
    let rows = run.chunks(spec.types.len());
    let slowest = rows.map(|row| row.iter().filter(|&&time| time != NEVER).max());
    let tasks: u128 = slowest.map(|time| u128::from(*time.unwrap_or(&0))).sum();
    let moved: u128 = links.iter().map(|link| 2 * u128::from(link.2)).sum();
    let starts = u128::from(startup) * spec.tasks.len() as u128;
    let total = tasks + moved + starts + u128::from(progress.now) + 1;
    match u64::try_from(total) {
        Ok(time) if total < LONGEST => Ok(time),
        _ => Err(ProblemError::TooLong),
    }
}

/// The tasks that were begun, with the expected ends of those that run.
pub(super) fn frozen(
    spec: &Spec,
    run: &[Micros],
    fastest: &[Micros],
    progress: &Progress,
) -> Vec<Option<Frozen>> {
    let mut frozen = vec![None; spec.tasks.len()];
    for (&task, begun) in &progress.tasks {
        let kind = progress.leases[begun.lease as usize].kind;
        let estimate = match run[task as usize * spec.types.len() + kind as usize] {
            NEVER => fastest[task as usize],
            time => time,
        };
        frozen[task as usize] = Some(Frozen {
            lease: begun.lease,
            start: begun.start,
            end: progress.expected_end(begun, estimate),
        });
    }
    frozen
}
