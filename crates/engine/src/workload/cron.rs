//! When a schedule of five fields comes due, in its time zone.

use std::str::FromStr;

use consort_model::Timestamp;
use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;

/// A schedule that was read.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// What is to be done about a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// The tick to fire for: the latest of all that have come due.
    pub(super) fire: Option<Timestamp>,
    /// The next one after now.
    pub(super) next: Option<Timestamp>,
}

impl Schedule {
    /// Reads five fields and the name of a time zone.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn parse(cron: &str, zone: &str) -> Result<Self, String> {
        let zone = TimeZone::get(zone)
            .map_err(|error| format!("`{zone}` is not a known time zone: {error}"))?;
        let cron = Cron::from_str(cron)
            .map_err(|error| format!("`{cron}` is not a schedule of five fields: {error}"))?;
        Ok(Self { cron, zone })
    }

    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        let at = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }

    /// What has come due since `after` (exclusive) until `now` (inclusive).
    pub(super) fn due(&self, after: Timestamp, now: Timestamp) -> Due {
        let stamp = |zoned: Zoned| Timestamp::from_millis(zoned.timestamp().as_millisecond());
        let Some(here) = self.zoned(now) else {
            return Due {
                fire: None,
                next: None,
            };
        };
        let last = self.cron.find_previous_occurrence(&here, true).ok();
        let next = self.cron.find_next_occurrence(&here, false).ok();
        Due {
            fire: last.map(stamp).filter(|tick| *tick > after && *tick <= now),
            next: next.map(stamp).filter(|tick| *tick > now),
        }
    }
}
