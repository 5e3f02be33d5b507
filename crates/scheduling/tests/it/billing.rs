use consort_scheduling::{Billing, LeaseSpan};

use crate::support::{HOUR, SECOND};

fn billing(interval_us: u64, minimum_us: u64, epsilon_us: u64) -> Billing {
    Billing {
        interval_us,
        minimum_us,
        epsilon_us,
        span: LeaseSpan::Busy,
    }
}

#[test]
fn whole_intervals_are_paid_and_at_least_one() {
    let hourly = billing(HOUR, 0, 0);
    for (lease, hours) in [(0, 1), (1, 1), (HOUR, 1), (HOUR + 1, 2), (2 * HOUR, 2)] {
        assert_eq!(hourly.cost(lease, 120_000), hours * 120_000, "{lease}");
    }
}

#[test]
fn a_minimum_is_charged_and_beyond_it_intervals() {
    let by_second = billing(SECOND, 60 * SECOND, 0);
    assert_eq!(by_second.cost(SECOND, 3_600_000), 60_000);
    assert_eq!(by_second.cost(61 * SECOND, 3_600_000), 61_000);
}

#[test]
fn a_minimum_that_is_no_whole_interval_is_rounded_up() {
    assert_eq!(
        billing(60 * SECOND, 90 * SECOND, 0).charged(SECOND),
        120 * SECOND
    );
}

#[test]
fn epsilon_forgives_rounding_only() {
    let forgiving = billing(HOUR, 0, 10);
    assert_eq!(forgiving.charged(HOUR + 10), HOUR);
    assert_eq!(forgiving.charged(HOUR + 11), 2 * HOUR);
}

#[test]
fn a_fraction_of_a_millionth_is_rounded_up() {
    assert_eq!(billing(SECOND, 0, 0).cost(SECOND, 120_000), 34);
}

#[test]
fn huge_leases_and_prices_do_not_overflow() {
    assert_eq!(billing(HOUR, 0, 0).cost(u64::MAX, u64::MAX), u64::MAX);
}
