//! When schedules come due.

use consort_model::Timestamp;

use crate::workload::cron::Schedule;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn of_missed_ticks_the_last_one_is_fired() {
    let nightly = Schedule::parse("0 2 * * *", "UTC").unwrap();
    let due = nightly.due(at("2026-03-01T02:00:00Z"), at("2026-03-05T01:00:00Z"));
    assert_eq!(due.fire, Some(at("2026-03-04T02:00:00Z")));
    assert_eq!(due.next, Some(at("2026-03-05T02:00:00Z")));
    let again = nightly.due(at("2026-03-04T02:00:00Z"), at("2026-03-05T01:00:00Z"));
    assert_eq!(again.fire, None);
}

#[test]
fn a_tick_is_due_at_its_very_moment_and_once() {
    let hourly = Schedule::parse("0 * * * *", "UTC").unwrap();
    let now = at("2026-03-01T05:00:00Z");
    assert_eq!(hourly.due(at("2026-03-01T04:00:00Z"), now).fire, Some(now));
    assert_eq!(hourly.due(now, now).fire, None);
    assert_eq!(hourly.due(now, now).next, Some(at("2026-03-01T06:00:00Z")));
}

#[test]
fn times_follow_the_clocks_of_the_zone() {
    let morning = Schedule::parse("0 8 * * *", "Europe/Berlin").unwrap();
    let winter = morning.due(at("2026-01-10T00:00:00Z"), at("2026-01-10T12:00:00Z"));
    let summer = morning.due(at("2026-07-10T00:00:00Z"), at("2026-07-10T12:00:00Z"));
    assert_eq!(winter.fire, Some(at("2026-01-10T07:00:00Z")));
    assert_eq!(summer.fire, Some(at("2026-07-10T06:00:00Z")));
}

#[test]
fn what_is_no_schedule_is_refused() {
    for (cron, zone) in [
        ("x", "UTC"),
        ("99 * * * *", "UTC"),
        ("0 2 * * *", "Nowhere/Land"),
    ] {
        assert!(Schedule::parse(cron, zone).is_err(), "{cron} {zone}");
    }
}
