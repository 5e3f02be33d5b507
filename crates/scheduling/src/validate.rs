//! Checks a schedule against the question, without any code of the planners.

use std::collections::BTreeMap;

use crate::billing::LeaseSpan;
use crate::progress::Progress;
use crate::schedule::{Lease, Placement, Schedule};
use crate::spec::{Micros, Objective, RunTime, Spec};

mod overlap;
mod violation;

pub use violation::Violation;

/// Checks a plan for a question that nothing was done for yet.
///
/// # Errors
/// All violations.
pub fn validate(spec: &Spec, objective: Objective, plan: &Schedule) -> Result<(), Vec<Violation>> {
    validate_resumed(spec, &Progress::default(), objective, plan)
}

/// Checks a plan for a question whose work was begun.
///
/// # Errors
/// All violations.
pub fn validate_resumed(
    spec: &Spec,
    progress: &Progress,
    objective: Objective,
    plan: &Schedule,
) -> Result<(), Vec<Violation>> {
    let mut check = Check {
        spec,
        progress,
        plan,
        found: Vec::new(),
    };
    if check.shape() {
        check.runs();
        check.edges();
        check.leases();
        overlap::slots(&mut check);
        overlap::pool(&mut check);
        check.totals(objective);
    }
    if check.found.is_empty() {
        Ok(())
    } else {
        Err(check.found)
    }
}

struct Check<'c> {
    spec: &'c Spec,
    progress: &'c Progress,
    plan: &'c Schedule,
    found: Vec<Violation>,
}

impl Check<'_> {
    /// Every task once, on a lease and a type that exist.
    fn shape(&mut self) -> bool {
        let Schedule {
            instances,
            placements,
            ..
        } = self.plan;
        for (index, lease) in instances.iter().enumerate() {
            if lease.kind as usize >= self.spec.types.len() || lease.start > lease.end {
                self.found.push(Violation::BadLease { lease: index });
            }
        }
        if instances.len() < self.progress.leases.len() {
            self.found.push(Violation::LeasesForgotten);
        }
        let in_order = (0_u32..).zip(placements).all(|(task, p)| p.task == task);
        if !in_order || placements.len() != self.spec.tasks.len() {
            self.found.push(Violation::NotEveryTaskOnce);
        }
        for placement in placements {
            if placement.instance as usize >= instances.len() || placement.start > placement.end {
                self.found.push(Violation::BadPlacement {
                    task: placement.task,
                });
            }
        }
        self.found.is_empty()
    }

    fn lease_of(&self, placement: &Placement) -> &Lease {
        &self.plan.instances[placement.instance as usize]
    }

    /// Each run lasts as long as its type needs, after its node is up; what was begun is as it was.
    fn runs(&mut self) {
        for placement in &self.plan.placements {
            let lease = *self.lease_of(placement);
            let kind = &self.spec.types[lease.kind as usize];
            let task = placement.task;
            if let Some(begun) = self.progress.tasks.get(&task) {
                let moved = begun.lease != placement.instance || begun.start != placement.start;
                let ended = begun.end.is_some_and(|end| end != placement.end);
                let over = begun.end.is_none() && placement.end <= self.progress.now;
                if moved || ended || over {
                    self.found.push(Violation::BegunTaskChanged { task });
                }
                continue;
            }
            if self.duration(task, lease.kind) != Some(placement.end - placement.start) {
                self.found.push(Violation::WrongDuration { task });
            }
            let up = lease.start.saturating_add(kind.startup_us);
            if placement.start < up.max(self.progress.now) {
                self.found.push(Violation::TooEarly { task });
            }
        }
    }

    /// `None` if the task does not fit the type.
    fn duration(&self, task: u32, kind: u32) -> Option<Micros> {
        let task = &self.spec.tasks[task as usize];
        let node = &self.spec.types[kind as usize];
        if task.memory_bytes > node.memory_bytes {
            return None;
        }
        let time = match &task.run_time {
            RunTime::PerType(times) => u128::from(*times.get(kind as usize)?),
            RunTime::Estimate(work) => {
                // work · cpus / min(cpus, node's cpus) / speed
                let above = u128::from(*work) * u128::from(task.cpus_milli) * 1000;
                let used = u128::from(task.cpus_milli.min(node.cpus_milli));
                above.div_ceil(used * u128::from(node.speed_milli))
            }
        };
        u64::try_from(time.max(1)).ok()
    }

    fn transfers(&self) -> BTreeMap<(u32, u32), Micros> {
        let mut bytes: BTreeMap<(u32, u32), u128> = BTreeMap::new();
        for edge in &self.spec.edges {
            *bytes.entry((edge.from, edge.to)).or_default() += u128::from(edge.bytes);
        }
        let time = |bytes: u128| match self.spec.bandwidth {
            Some(rate) => (bytes * 1_000_000).div_ceil(u128::from(rate)),
            None => 0,
        };
        let all = bytes.into_iter();
        all.map(|(edge, bytes)| (edge, u64::try_from(time(bytes)).unwrap_or(u64::MAX)))
            .collect()
    }

    fn edges(&mut self) {
        for ((from, to), transfer) in self.transfers() {
            if self.progress.tasks.contains_key(&to) {
                continue;
            }
            let before = &self.plan.placements[from as usize];
            let after = &self.plan.placements[to as usize];
            let moved = before.instance != after.instance;
            let there = before.end.saturating_add(if moved { transfer } else { 0 });
            if after.start < there {
                self.found.push(Violation::EdgeBroken { from, to });
            }
        }
    }

    /// Each lease covers what it must, no more, and costs what it must.
    fn leases(&mut self) {
        let needed = self.needed();
        for (index, lease) in self.plan.instances.iter().enumerate() {
            let kind = &self.spec.types[lease.kind as usize];
            let span = match (self.progress.leases.get(index), needed[index]) {
                (Some(live), span) => {
                    let held = span.map_or(self.progress.now, |(_, to)| to.max(self.progress.now));
                    Some((live.kind, live.start, live.end.unwrap_or(held)))
                }
                (None, Some((from, to))) => from
                    .checked_sub(kind.startup_us)
                    .filter(|&start| start >= self.progress.now)
                    .map(|start| (lease.kind, start, to)),
                (None, None) => None,
            };
            if span != Some((lease.kind, lease.start, lease.end)) {
                self.found.push(Violation::WrongLease { lease: index });
            }
            let price = kind.price_micro_usd_per_hour;
            if lease.cost != self.spec.billing.cost(lease.end - lease.start, price) {
                self.found.push(Violation::WrongCost { lease: index });
            }
        }
    }

    /// For each lease from the first to the last moment that its tasks need, without start-up.
    fn needed(&self) -> Vec<Option<(Micros, Micros)>> {
        let mut inbound = vec![0; self.spec.tasks.len()];
        let mut outbound = vec![0; self.spec.tasks.len()];
        for ((from, to), transfer) in self.transfers() {
            let [a, b] = [from, to].map(|t| self.plan.placements[t as usize].instance);
            if a != b {
                let (out, into) = (&mut outbound[from as usize], &mut inbound[to as usize]);
                *out = transfer.max(*out);
                *into = transfer.max(*into);
            }
        }
        let mut tasks: Vec<Vec<&Placement>> = vec![Vec::new(); self.plan.instances.len()];
        for placement in &self.plan.placements {
            tasks[placement.instance as usize].push(placement);
        }
        let span = |tasks: Vec<&Placement>| {
            let first = tasks.iter().map(|p| p.start).min()?;
            let last = tasks.iter().map(|p| p.end).max()?;
            let begin = |p: &&Placement| p.start.saturating_sub(inbound[p.task as usize]);
            let finish = |p: &&Placement| p.end.saturating_add(outbound[p.task as usize]);
            let (starts, ends): (Vec<_>, Vec<_>) = match self.spec.billing.span {
                LeaseSpan::Busy => (vec![first], vec![last]),
                LeaseSpan::EndTransfers => (
                    tasks
                        .iter()
                        .filter(|p| p.start == first)
                        .map(begin)
                        .collect(),
                    tasks.iter().filter(|p| p.end == last).map(finish).collect(),
                ),
                LeaseSpan::AllTransfers => (
                    tasks.iter().map(begin).collect(),
                    tasks.iter().map(finish).collect(),
                ),
            };
            Some((starts.into_iter().min()?, ends.into_iter().max()?))
        };
        tasks.into_iter().map(span).collect()
    }

    fn totals(&mut self, objective: Objective) {
        let makespan = self
            .plan
            .placements
            .iter()
            .map(|p| p.end)
            .max()
            .unwrap_or(0);
        let cost: u128 = self.plan.instances.iter().map(|l| u128::from(l.cost)).sum();
        if makespan != self.plan.makespan || cost != u128::from(self.plan.cost) {
            self.found.push(Violation::WrongTotals);
        }
        let met = match objective {
            Objective::Deadline(deadline) => makespan <= deadline,
            Objective::Budget(budget) => cost <= u128::from(budget),
        };
        if !met {
            self.found.push(Violation::ObjectiveMissed);
        }
    }
}
