//! When the data of a task are where: one pass over its parents answers for every machine.

use super::{Builder, NOWHERE};
use crate::spec::Micros;

/// What comes from one machine.
#[derive(Debug, Clone, Copy)]
struct Sender {
    machine: u32,
    /// When its last data are on another machine.
    arrival: Micros,
    /// When its last parent ends: for a task on this machine.
    end: Micros,
    /// The largest transfer to another machine.
    transfer: Micros,
}

/// The two largest values over machines: the answer for one machine leaves out its own.
#[derive(Debug, Clone, Copy)]
struct Top {
    machine: u32,
    first: Micros,
    second: Micros,
}

impl Top {
    fn of(values: impl Iterator<Item = (u32, Micros)>) -> Self {
        let none = Self {
            machine: NOWHERE,
            first: 0,
            second: 0,
        };
        values.fold(none, |top, (machine, value)| {
            if value > top.first {
                Self {
                    machine,
                    first: value,
                    second: top.first,
                }
            } else {
                Self {
                    second: top.second.max(value),
                    ..top
                }
            }
        })
    }

    fn without(&self, machine: u32) -> Micros {
        if self.machine == machine && machine != NOWHERE {
            self.second
        } else {
            self.first
        }
    }
}

/// The parents of a task, by machine.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    senders: Vec<Sender>,
    arrival: Top,
    transfer: Top,
}

impl Default for Inputs {
    fn default() -> Self {
        let none = Top::of(std::iter::empty());
        Self {
            senders: Vec::new(),
            arrival: none,
            transfer: none,
        }
    }
}

impl Inputs {
    /// When all data are on this machine, and the largest transfer to it.
    pub(crate) fn at(&self, machine: u32) -> (Micros, Micros) {
        let ready = self.arrival.without(machine);
        let inbound = self.transfer.without(machine);
        let own = self.senders.binary_search_by_key(&machine, |s| s.machine);
        match own {
            Ok(index) if machine != NOWHERE => (ready.max(self.senders[index].end), inbound),
            _ => (ready, inbound),
        }
    }

    /// Machines that run a parent.
    pub(crate) fn machines(&self) -> impl Iterator<Item = u32> {
        let machines = self.senders.iter().map(|s| s.machine);
        machines.filter(|&m| m != NOWHERE)
    }

    /// One sender per machine, and the extremes.
    fn merge(&mut self) {
        self.senders.sort_unstable_by_key(|s| s.machine);
        self.senders.dedup_by(|next, kept| {
            let same = next.machine == kept.machine;
            if same {
                kept.arrival = kept.arrival.max(next.arrival);
                kept.end = kept.end.max(next.end);
                kept.transfer = kept.transfer.max(next.transfer);
            }
            same
        });
        self.arrival = Top::of(self.senders.iter().map(|s| (s.machine, s.arrival)));
        self.transfer = Top::of(self.senders.iter().map(|s| (s.machine, s.transfer)));
    }
}

impl Builder<'_> {
    /// The inputs of a task whose parents are all placed.
    pub(crate) fn inputs(&self, task: u32, into: &mut Inputs) {
        self.inputs_where(task, into, |_| Some(0));
    }

    /// The inputs of a task; of a parent without place, `end` tells when it may end, or `None` to
    /// leave it out.
    pub(crate) fn inputs_where(
        &self,
        task: u32,
        into: &mut Inputs,
        end: impl Fn(u32) -> Option<Micros>,
    ) {
        into.senders.clear();
        for arc in self.problem.graph().parents(task) {
            let placed = self.placed[arc.task as usize];
            let ended = match placed.machine {
                NOWHERE => match end(arc.task) {
                    Some(end) => end,
                    None => continue,
                },
                _ => placed.end,
            };
            into.senders.push(Sender {
                machine: placed.machine,
                arrival: ended + arc.transfer,
                end: ended,
                transfer: arc.transfer,
            });
        }
        into.merge();
    }
}
