//! A schedule in the making: machines, what is booked on them, and where a task could go.
//!
//! All planners place tasks through this one type, so that slots, start-up, pool limits, what was
//! begun already and billing are handled in one place.

use crate::problem::{NEVER, Problem};
use crate::schedule::Schedule;
use crate::spec::Micros;

mod inputs;
mod machine;
mod pool;
mod settle;
mod timeline;

pub(crate) use inputs::Inputs;
pub(crate) use machine::Machine;
use timeline::Need;

/// No machine.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// Where a task was put.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) machine: u32,
    pub(crate) start: Micros,
    pub(crate) end: Micros,
}

const UNPLACED: Placed = Placed {
    machine: NOWHERE,
    start: 0,
    end: 0,
};

/// Where a task could go. A machine index equal to [`Builder::len`] is a new machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) machine: u32,
    pub(crate) kind: u32,
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    /// The largest transfer from another machine.
    pub(crate) inbound: Micros,
}

#[derive(Debug, Clone)]
pub(crate) struct Builder<'p> {
    problem: &'p Problem,
    limited: bool,
    machines: Vec<Machine>,
    spare: Vec<Machine>,
    placed: Vec<Placed>,
    left: u32,
}

impl<'p> Builder<'p> {
    /// With what was begun already in its place.
    pub(crate) fn new(problem: &'p Problem) -> Self {
        let mut builder = Self {
            problem,
            limited: problem.limited(),
            machines: Vec::new(),
            spare: Vec::new(),
            placed: vec![UNPLACED; problem.tasks() as usize],
            left: problem.tasks(),
        };
        builder.load_progress();
        builder
    }

    /// Back to what was begun already.
    pub(crate) fn reset(&mut self) {
        self.spare.append(&mut self.machines);
        self.placed.fill(UNPLACED);
        self.left = self.problem.tasks();
        self.load_progress();
    }

    fn load_progress(&mut self) {
        let progress = self.problem.progress();
        for lease in &progress.leases {
            let machine = self.open(lease.kind);
            self.machines[machine as usize].adopt(lease, progress.now);
        }
        for &task in progress.tasks.keys() {
            let Some(frozen) = self.problem.frozen(task) else {
                continue;
            };
            let kind = self.machines[frozen.lease as usize].kind;
            self.book(
                task,
                Offer {
                    machine: frozen.lease,
                    kind,
                    start: frozen.start,
                    end: frozen.end,
                    inbound: 0,
                },
            );
        }
    }

    pub(crate) fn problem(&self) -> &'p Problem {
        self.problem
    }

    /// The number of machines.
    pub(crate) fn len(&self) -> u32 {
        self.machines.len() as u32
    }

    pub(crate) fn machine(&self, machine: u32) -> &Machine {
        &self.machines[machine as usize]
    }

    pub(crate) fn placed(&self, task: u32) -> Option<Placed> {
        Some(self.placed[task as usize]).filter(|p| p.machine != NOWHERE)
    }

    /// Adds a machine without tasks. As long as it has none it costs nothing.
    pub(crate) fn open(&mut self, kind: u32) -> u32 {
        let mut machine = self.spare.pop().unwrap_or_default();
        machine.renew(kind, &self.problem.spec().types[kind as usize]);
        self.machines.push(machine);
        self.len() - 1
    }

    /// The earliest place for a task on this machine; `None` if it cannot run there.
    pub(crate) fn offer(&self, task: u32, inputs: &Inputs, machine: u32) -> Option<Offer> {
        let found = self.machine(machine);
        if found.closed() {
            return None;
        }
        let (ready, inbound) = inputs.at(machine);
        self.offer_from(task, machine, found.kind, ready, inbound)
    }

    /// The earliest place on a new machine of this type; `None` if it cannot run there.
    pub(crate) fn offer_new(&self, task: u32, inputs: &Inputs, kind: u32) -> Option<Offer> {
        let (ready, inbound) = inputs.at(NOWHERE);
        self.offer_from(task, self.len(), kind, ready, inbound)
    }

    /// The earliest place from the time its inputs are there.
    pub(crate) fn offer_from(
        &self,
        task: u32,
        machine: u32,
        kind: u32,
        ready: Micros,
        inbound: Micros,
    ) -> Option<Offer> {
        let run = self.problem.run(task, kind);
        if run == NEVER {
            return None;
        }
        let found = self.machines.get(machine as usize);
        let from = ready.max(self.up(found, kind, inbound));
        let start = found.map_or(from, |m| m.slots.earliest(from, run, self.need(task, kind)));
        let offer = Offer {
            machine,
            kind,
            start,
            end: start + run,
            inbound,
        };
        if self.limited {
            return self.within_pool(task, offer);
        }
        Some(offer)
    }

    /// When a machine can run its first task, data included.
    fn up(&self, machine: Option<&Machine>, kind: u32, inbound: Micros) -> Micros {
        let now = self.problem.progress().now;
        let startup = self.problem.spec().types[kind as usize].startup_us;
        match machine.and_then(Machine::requested) {
            Some(start) => now.max(start + startup),
            None => now + startup + inbound,
        }
    }

    fn need(&self, task: u32, kind: u32) -> Need {
        Need {
            cpus: self.problem.cpus_on(task, kind),
            memory: self.problem.spec().tasks[task as usize].memory_bytes,
        }
    }

    /// What the bill grows by, as far as it is known now: transfers out of the task come later.
    pub(crate) fn added_cost(&self, offer: &Offer) -> u64 {
        let kind = &self.problem.spec().types[offer.kind as usize];
        let billing = &self.problem.spec().billing;
        let price = kind.price_micro_usd_per_hour;
        let span = match billing.span {
            crate::billing::LeaseSpan::Busy => 0,
            _ => offer.inbound,
        };
        let start = offer.start - span - kind.startup_us.min(offer.start - span);
        match self
            .machines
            .get(offer.machine as usize)
            .and_then(Machine::lease)
        {
            Some((from, to)) => {
                let before = billing.cost(to - from, price);
                let after = billing.cost(offer.end.max(to) - start.min(from), price);
                after.saturating_sub(before)
            }
            None => billing.cost(offer.end - start, price),
        }
    }

    /// Puts a task where it was offered a place.
    pub(crate) fn commit(&mut self, task: u32, offer: Offer) {
        if offer.machine == self.len() {
            self.open(offer.kind);
        }
        self.book(task, offer);
        self.extend_senders(task, offer.machine);
    }

    fn book(&mut self, task: u32, offer: Offer) {
        let need = self.need(task, offer.kind);
        let problem = self.problem;
        let kind = &problem.spec().types[offer.kind as usize];
        let machine = &mut self.machines[offer.machine as usize];
        machine.book(task, &offer, need, kind.startup_us, problem);
        self.placed[task as usize] = Placed {
            machine: offer.machine,
            start: offer.start,
            end: offer.end,
        };
        self.left -= 1;
    }

    /// A task elsewhere makes its parents' machines send.
    fn extend_senders(&mut self, task: u32, machine: u32) {
        let span = self.problem.spec().billing.span;
        for arc in self.problem.graph().parents(task) {
            let from = self.placed[arc.task as usize];
            if from.machine != machine && from.machine != NOWHERE {
                self.machines[from.machine as usize].send(from.end, arc.transfer, span);
            }
        }
    }

    /// Whether every task has its place.
    pub(crate) fn complete(&self) -> bool {
        self.left == 0
    }

    /// The complete schedule, without machines that were never used.
    pub(crate) fn finish(&self) -> Option<Schedule> {
        self.complete().then(|| settle::schedule(self))
    }

    /// Makespan and cost of the complete schedule.
    pub(crate) fn figures(&self) -> (Micros, u64) {
        settle::figures(self)
    }
}
