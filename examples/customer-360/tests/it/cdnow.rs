use customer_360::cdnow::{calibration_end, parse, parse_date, read};
use customer_360::lenient::parse_cents;
use proptest::prelude::*;

use crate::support::seed_file;

#[test]
fn reads_the_whole_sample() {
    let purchases = read(&seed_file()).unwrap();
    assert_eq!(purchases.len(), 6919);
    let later = purchases
        .iter()
        .filter(|purchase| purchase.date > calibration_end())
        .count();
    assert_eq!(later, 1959);
    assert_eq!(purchases[0].cents, 2933);
}

#[test]
fn names_the_line_that_is_no_purchase() {
    let error =
        parse("00004 0001 19970101  2   29.33\n\n00004 0001 19971301  2 1.00\n").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("line 3 is not a purchase: the date is not like 19970101"),
        "{error}"
    );
}

#[test]
fn reads_amounts_to_the_cent_and_nothing_finer() {
    for (text, cents) in [
        ("29.33", 2933),
        ("0", 0),
        ("7.5", 750),
        ("7.50", 750),
        ("7.0", 700),
        ("12", 1200),
    ] {
        assert_eq!(parse_cents(text), Some(cents), "{text}");
    }
    for text in [
        "",
        ".5",
        "-1",
        "1.234",
        "1e3",
        "1.-2",
        "NaN",
        "99999999999999999999",
    ] {
        assert_eq!(parse_cents(text), None, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn never_panics_on_any_text(text in ".{0,200}") {
        let _ = parse(&text);
        let _ = parse_date(&text);
        let _ = parse_cents(&text);
    }

    #[test]
    fn reads_back_any_amount(cents in 0_u64..10_000_000_000) {
        prop_assert_eq!(parse_cents(&format!("{}.{:02}", cents / 100, cents % 100)), Some(cents));
    }
}
