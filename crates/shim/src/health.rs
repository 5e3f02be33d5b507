//! What the answers of one probe mean. Pure: time comes from outside.
//!
//! Compose's rules: a success makes it healthy; `retries` failures in a row make it unhealthy;
//! failures in the start period before the first success do not count. On top of that, until the
//! first success, early questions (50 ms after the start, then with doubled distance) let a fast
//! service be ready fast. Their failures never count, so no service is unhealthy sooner than Compose says.

use std::time::{Duration, Instant};

use crate::protocol::Health;
use crate::spec::Probe;

const FIRST_EARLY: Duration = Duration::from_millis(50);

/// Timing of one probe, from the specification.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    interval: Duration,
    start_interval: Duration,
    start_period: Duration,
    retries: u32,
}

impl From<&Probe> for Timing {
    fn from(probe: &Probe) -> Self {
        Self {
            interval: Duration::from_millis(probe.interval_ms),
            start_interval: Duration::from_millis(probe.start_interval_ms),
            start_period: Duration::from_millis(probe.start_period_ms),
            retries: probe.retries,
        }
    }
}

/// One probe of one run of the program.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    timing: Timing,
    started: Instant,
    health: Health,
    failures: u32,
    /// From here on a failure counts.
    counted_from: Instant,
    /// The distance to the next early question; none when the regular ones are as frequent.
    early: Option<Duration>,
    due: Instant,
}

impl Tracker {
    pub(crate) fn new(timing: Timing, started: Instant) -> Self {
        let mut tracker = Self {
            started,
            health: Health::Starting,
            failures: 0,
            counted_from: started,
            early: Some(FIRST_EARLY),
            due: started,
            timing,
        };
        tracker.counted_from = started + tracker.regular(started);
        tracker.schedule(started);
        tracker
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// When to ask next.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Takes an answer; true if the health changed.
    pub(crate) fn answer(&mut self, success: bool, asked: Instant, now: Instant) -> bool {
        let before = self.health;
        let counts = asked >= self.counted_from;
        if success {
            (self.health, self.failures, self.early) = (Health::Healthy, 0, None);
        } else if counts && !(self.in_start_period(asked) && before == Health::Starting) {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= self.timing.retries {
                self.health = Health::Unhealthy;
            }
        }
        if success || counts {
            self.counted_from = now + self.regular(now);
        }
        self.schedule(now);
        self.health != before
    }

    fn in_start_period(&self, at: Instant) -> bool {
        at.duration_since(self.started) < self.timing.start_period
    }

    fn regular(&self, at: Instant) -> Duration {
        if self.health == Health::Starting && self.in_start_period(at) {
            self.timing.start_interval.min(self.timing.interval)
        } else {
            self.timing.interval
        }
    }

    fn schedule(&mut self, now: Instant) {
        self.due = self.counted_from.max(now);
        if self.health != Health::Starting {
            return;
        }
        if let Some(distance) = self
            .early
            .filter(|distance| now + *distance < self.counted_from)
        {
            self.due = now + distance;
            self.early = Some(distance * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(interval: u64, start_period: u64, retries: u32) -> Timing {
        let ms = Duration::from_millis;
        Timing {
            interval: ms(interval),
            start_interval: ms(500),
            start_period: ms(start_period),
            retries,
        }
    }

    /// Asks whenever due, with answers by time; gives the changes of health by milliseconds.
    fn play(timing: Timing, until: u64, answer: impl Fn(u64) -> bool) -> Vec<(u64, Health)> {
        let start = Instant::now();
        let mut tracker = Tracker::new(timing, start);
        let mut changes = Vec::new();
        loop {
            let now = tracker.due();
            let ms = u64::try_from((now - start).as_millis()).unwrap();
            if ms > until {
                return changes;
            }
            if tracker.answer(answer(ms), now, now) {
                changes.push((ms, tracker.health()));
            }
            assert!(tracker.due() > now, "asks without pause");
        }
    }

    #[test]
    fn a_fast_service_is_healthy_long_before_the_interval() {
        assert_eq!(
            play(timing(30_000, 0, 3), 100, |_| true),
            [(50, Health::Healthy)]
        );
    }

    #[test]
    fn early_failures_never_count() {
        let changes = play(timing(30_000, 0, 1), 70_000, |ms| ms >= 29_000);
        assert_eq!(changes, [(30_000, Health::Healthy)]);
        let changes = play(timing(30_000, 0, 1), 30_000, |_| false);
        assert_eq!(
            changes,
            [(30_000, Health::Unhealthy)],
            "not sooner than the first regular question"
        );
    }

    #[test]
    fn failures_in_the_start_period_do_not_count() {
        let changes = play(timing(1_000, 10_000, 2), 14_000, |_| false);
        assert_eq!(changes, [(11_000, Health::Unhealthy)]);
    }

    #[test]
    fn after_the_first_success_failures_count_also_in_the_start_period() {
        let changes = play(timing(1_000, 60_000, 2), 10_000, |ms| ms < 1_000);
        assert_eq!(changes, [(50, Health::Healthy), (2_050, Health::Unhealthy)]);
    }

    #[test]
    fn one_success_heals() {
        let changes = play(timing(1_000, 0, 3), 6_000, |ms| ms >= 5_000);
        assert_eq!(
            changes,
            [(3_000, Health::Unhealthy), (5_000, Health::Healthy)]
        );
    }
}
