//! What is booked on one machine, and the earliest gap for one more task.

use crate::spec::Micros;

/// What a task takes up while it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    pub(crate) cpus: u32,
    pub(crate) memory: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Booking {
    pub(crate) task: u32,
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    need: Need,
}

/// Bookings by start. Several run at once as long as processors and memory suffice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    cpus: u32,
    memory: u64,
    bookings: Vec<Booking>,
    last_end: Micros,
    longest: Micros,
}

impl Timeline {
    pub(super) fn renew(&mut self, cpus: u32, memory: u64) {
        self.cpus = cpus;
        self.memory = memory;
        self.bookings.clear();
        self.last_end = 0;
        self.longest = 0;
    }

    pub(crate) fn bookings(&self) -> &[Booking] {
        &self.bookings
    }

    pub(crate) fn last_end(&self) -> Micros {
        self.last_end
    }

    pub(super) fn book(&mut self, task: u32, start: Micros, end: Micros, need: Need) {
        let booking = Booking {
            task,
            start,
            end,
            need,
        };
        self.last_end = self.last_end.max(end);
        self.longest = self.longest.max(end - start);
        let at = match self.bookings.last() {
            Some(last) if last.start > start => self.bookings.partition_point(|b| b.start <= start),
            _ => self.bookings.len(),
        };
        self.bookings.insert(at, booking);
    }

    /// The earliest start, not before `from`, at which the need is free for the whole run.
    pub(super) fn earliest(&self, from: Micros, run: Micros, need: Need) -> Micros {
        if from >= self.last_end {
            return from;
        }
        // Whatever started so long ago has ended, however long it ran.
        let over = from.saturating_sub(self.longest);
        let first = self.bookings.partition_point(|b| b.start < over);
        let bookings = &self.bookings[first..];
        if need.cpus >= self.cpus {
            return gap(bookings, from, run);
        }
        self.shared(bookings, from, run, need)
    }

    /// Room beside others: from each possible start on, to the end of the first booking in the way.
    fn shared(&self, bookings: &[Booking], from: Micros, run: Micros, need: Need) -> Micros {
        let mut start = from;
        while start < self.last_end {
            let within = |b: &&Booking| b.end > start && b.start < start + run;
            let beside = || bookings.iter().filter(within);
            let full = |at: Micros| {
                let running = beside().filter(|b| b.start <= at && b.end > at);
                let (cpus, memory) = running.fold((0_u64, 0_u64), |(cpus, memory), b| {
                    (
                        cpus + u64::from(b.need.cpus),
                        memory.saturating_add(b.need.memory),
                    )
                });
                cpus + u64::from(need.cpus) > self.cpus.into()
                    || memory.saturating_add(need.memory) > self.memory
            };
            if !beside().any(|b| full(b.start.max(start))) {
                return start;
            }
            match beside().map(|b| b.end).min() {
                Some(end) => start = end,
                None => return start,
            }
        }
        start
    }
}

/// The first gap between bookings, for a task that shares with none.
fn gap(bookings: &[Booking], from: Micros, run: Micros) -> Micros {
    let mut start = from;
    for booking in bookings {
        if booking.start >= start.saturating_add(run) {
            break;
        }
        start = start.max(booking.end);
    }
    start
}
