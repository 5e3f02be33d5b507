//! How much a planner may do: counted, so that a result does not depend on the machine's load.

/// The limits of one call.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Units of work for search beyond the constructive planners, which always run. One unit is
    /// about one task placed.
    pub work: u64,
    /// The seed of all randomness.
    pub seed: u64,
    /// Asked now and then; `true` ends the search early with the best plan so far.
    pub should_stop: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl Limits<'static> {
    /// This much work, seed 1, no early stop.
    #[must_use]
    pub fn of(work: u64) -> Self {
        Self {
            work,
            seed: 1,
            should_stop: None,
        }
    }
}

impl<'a> Limits<'a> {
    /// A budget of this many units that stops when the caller says so.
    pub(crate) fn budget(&self, units: u64) -> Work<'a> {
        Work {
            left: units,
            asked_at: units,
            stopped: false,
            should_stop: self.should_stop,
        }
    }
}

impl std::fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits")
            .field("work", &self.work)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// What is left of a budget of work.
pub struct Work<'a> {
    left: u64,
    asked_at: u64,
    stopped: bool,
    should_stop: Option<&'a (dyn Fn() -> bool + Sync)>,
}

/// Units between two questions to `should_stop`.
const ASK_EVERY: u64 = 20_000;

impl Work<'static> {
    /// A budget without an early stop.
    #[must_use]
    pub fn units(units: u64) -> Self {
        Limits::of(units).budget(units)
    }
}

impl Work<'_> {
    /// Takes units; `false` when there is no work left and the planner must answer with what it has.
    pub fn spend(&mut self, units: u64) -> bool {
        if self.asked_at.saturating_sub(self.left) >= ASK_EVERY {
            self.asked_at = self.left;
            self.stopped |= self.should_stop.is_some_and(|ask| ask());
        }
        if self.stopped || self.left < units {
            return false;
        }
        self.left -= units;
        true
    }

    /// Units that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        if self.stopped { 0 } else { self.left }
    }

    /// Moves a part of this budget, at most what is left, into one of its own.
    #[must_use]
    pub fn take(&mut self, units: u64) -> Self {
        let units = units.min(self.left());
        self.left -= units;
        self.asked_at = self.asked_at.min(self.left);
        Self {
            left: units,
            asked_at: units,
            stopped: self.stopped,
            should_stop: self.should_stop,
        }
    }
}
