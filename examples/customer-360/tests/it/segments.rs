use clap::Parser;
use customer_360::cdnow::{calibration_end, read};
use customer_360::segments::artefacts::Folder;
use customer_360::segments::bootstrap::{Share, bootstrap};
use customer_360::segments::command::{Command, run};
use customer_360::segments::fit::{PUBLISHED, STARTS, check, fit, fit_from};
use customer_360::segments::history::{History, histories};
use customer_360::segments::merge::{MergeError, Segments, merge};
use customer_360::segments::model::{expected_purchases, group, probability_alive};
use customer_360::segments::special::{hypergeometric, ln_add, ln_gamma};

use crate::support::{client, seed_file, settings, start_crm, token};

fn sample() -> Vec<History> {
    histories(&read(&seed_file()).unwrap(), calibration_end())
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} is not {expected}"
    );
}

#[test]
fn knows_the_special_functions() {
    close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-13);
    close(ln_gamma(10.0), 362_880_f64.ln(), 1e-12);
    close(ln_gamma(0.001), 6.907_178_885_383_854, 1e-11);
    close(ln_gamma(150.0), 600.009_470_555_327_4, 1e-9);
    // 2F1(1, 1; 2; z) = -ln(1 - z) / z, and 2F1(a, b; b; z) = (1 - z)^-a.
    close(hypergeometric(1.0, 1.0, 2.0, 0.5), 2.0 * 2_f64.ln(), 1e-12);
    close(hypergeometric(3.0, 2.0, 2.0, 0.3), 0.7_f64.powi(-3), 1e-12);
    close(ln_add(1000.0, 1000.0), 1000.0 + 2_f64.ln(), 1e-12);
    close(ln_add(-5.0, f64::NEG_INFINITY), -5.0, 0.0);
}

#[test]
fn fits_the_published_parameters() {
    let groups = group(&sample());
    assert_eq!(groups.iter().map(|group| group.count).sum::<u32>(), 2357);
    let fit = fit(&groups, 3).unwrap();
    check(&fit).unwrap();
    close(fit.log_likelihood, -9582.43, 0.01);
}

#[test]
fn finds_the_same_maximum_from_every_starting_point() {
    let groups = group(&sample());
    for start in STARTS {
        let fit = fit_from(&groups, start).unwrap();
        close(fit.log_likelihood, -9582.43, 0.01);
    }
}

#[test]
fn tells_a_fit_to_other_data() {
    let half: Vec<_> = sample().into_iter().take(1000).collect();
    let error = check(&fit(&group(&half), 1).unwrap()).unwrap_err();
    assert!(
        error.to_string().starts_with("the log-likelihood is -"),
        "{error}"
    );
    assert!(fit(&[], 1).is_err());
}

#[test]
fn predicts_the_published_customer() {
    // Fader, Hardie and Lee's note: x = 2, t_x = 30.43, T = 38.86 gives 1.226 in 39 weeks.
    let history = History {
        customer_id: 1,
        x: 2,
        t_x: 30.43,
        age: 38.86,
    };
    close(expected_purchases(&PUBLISHED, &history, 39.0), 1.226, 0.001);
    close(probability_alive(&PUBLISHED, &history), 0.726, 0.005);
    let once = History {
        x: 0,
        t_x: 0.0,
        ..history
    };
    close(probability_alive(&PUBLISHED, &once), 1.0, 0.0);
}

#[test]
fn draws_the_same_samples_from_the_same_seed() {
    let groups = group(&sample());
    let base = fit(&groups, 1).unwrap();
    let share = Share {
        shard: 1,
        of: 2,
        samples: 3,
        seed: 42,
    };
    let first = bootstrap(&groups, base, share);
    assert_eq!(first, bootstrap(&groups, base, share));
    let second = bootstrap(&groups, base, Share { shard: 2, ..share });
    assert_ne!(first.fits, second.fits);
    assert_eq!(first.failed, 0);
}

#[test]
fn merges_only_shards_that_belong_together() {
    let histories = sample();
    let groups = group(&histories);
    let base = fit(&groups, 1).unwrap();
    let shard = |shard, seed| {
        bootstrap(
            &groups,
            base,
            Share {
                shard,
                of: 2,
                samples: 2,
                seed,
            },
        )
    };
    let (one, two, foreign) = (shard(1, 1), shard(2, 1), shard(2, 2));
    let merged = merge(&base, &[one.clone(), two], &histories, &groups).unwrap();
    assert_eq!(merged.samples, 4);
    assert_eq!(merged.segments.len(), 2357);
    assert_eq!(merged.counts.values().sum::<u32>(), 2357);
    assert_eq!(
        merge(&base, std::slice::from_ref(&one), &histories, &groups).unwrap_err(),
        MergeError::Missing { missing: 2, of: 2 }
    );
    assert_eq!(
        merge(&base, &[one, foreign], &histories, &groups).unwrap_err(),
        MergeError::Foreign { shard: 2 }
    );
}

#[test]
fn runs_its_tasks_one_after_the_other_and_publishes() {
    let (run_folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let out = run_folder.path().to_str().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let crm = runtime.block_on(start_crm(data.path()));
    let settings = settings(&[
        ("CRM_URL", &crm.url),
        (
            "SEGMENTS_TOKEN",
            &token(&["customers:read", "segments:write"]),
        ),
    ]);
    let task = |line: &str| {
        let words = ["segments", "--out", out]
            .into_iter()
            .chain(line.split(' '));
        run(Command::try_parse_from(words).unwrap(), &settings)
    };
    assert!(
        task("bootstrap --shard 1 --of 2")
            .unwrap_err()
            .to_string()
            .contains("fit.json is missing")
    );
    task("fit --check --starts 2").unwrap();
    task("bootstrap --shard 1 --of 2 --samples 2").unwrap();
    assert!(
        task("merge --of 2")
            .unwrap_err()
            .to_string()
            .contains("shard-2.json is missing")
    );
    task("bootstrap --shard 2 --of 2 --samples 2").unwrap();
    task("merge --of 2").unwrap();
    task("publish").unwrap();
    task("publish").unwrap();
    let merged: Segments = Folder(run_folder.path().to_owned())
        .read("segments.json")
        .unwrap();
    let counts: Vec<_> = merged.counts.into_iter().collect();
    assert_eq!(
        counts
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["at_risk", "loyal", "new"]
    );
    runtime.block_on(async {
        let (url, token) = (
            format!("{}/customers/1", crm.url),
            token(&["customers:read"]),
        );
        let reply = client().get(&url, Some(&token)).await.unwrap();
        let profile: serde_json::Value = reply.json().unwrap();
        assert_eq!(profile["segment"], "loyal");
        crm.end().await;
    });
}
