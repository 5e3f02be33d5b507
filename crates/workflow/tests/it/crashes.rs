//! A server that is killed at any batch: the end is the same, and nothing that was answered is sent
//! again.

use std::collections::{BTreeMap, BTreeSet};

use consort_workflow::Record;
use proptest::prelude::*;

use crate::features::{own, play};
use crate::gherkin::Scenario;
use crate::world::World;

fn transcript(world: &World) -> Vec<String> {
    world
        .records
        .iter()
        .map(|(at, record)| format!("{at} {}", serde_json::to_string(record).unwrap()))
        .collect()
}

/// How often, by activation and attempt.
type Counts = BTreeMap<(String, u32), usize>;

/// So often each call was sent, and answered.
fn calls(world: &World) -> (Counts, Counts) {
    let mut sent = BTreeMap::new();
    for (act, attempt, _) in &world.sent {
        *sent.entry((act.clone(), *attempt)).or_default() += 1;
    }
    let mut answered = BTreeMap::new();
    for (_, record) in &world.records {
        if let Record::StepEnded { act, attempt, .. } = record {
            *answered.entry((act.clone(), *attempt)).or_default() += 1;
        }
    }
    (sent, answered)
}

fn killed(file: &str, scenario: &Scenario, kills: BTreeSet<usize>) {
    let count = kills.len();
    let world = play(file, scenario, &|world| world.kills = kills.clone());
    let (sent, answered) = calls(&world);
    for (call, times) in &sent {
        assert!(*times <= 1 + count, "{call:?} was sent {times} times");
    }
    assert!(
        answered.values().all(|times| *times == 1),
        "a call was answered twice"
    );
    let keys: BTreeMap<_, BTreeSet<_>> =
        world
            .sent
            .iter()
            .fold(BTreeMap::new(), |mut keys, (act, attempt, request)| {
                keys.entry((act, attempt))
                    .or_insert_with(BTreeSet::new)
                    .insert(request.key.clone());
                keys
            });
    assert!(
        keys.values().all(|keys| keys.len() == 1),
        "a repetition had another key"
    );
}

#[test]
fn a_server_killed_at_any_batch_comes_to_the_same_end() {
    for (file, scenario) in own() {
        let batches = play(&file, &scenario, &|_| {}).batches;
        for batch in 1..=batches {
            killed(&file, &scenario, BTreeSet::from([batch]));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_transcript() {
    for (file, scenario) in own() {
        let one = transcript(&play(&file, &scenario, &|_| {}));
        assert_eq!(
            one,
            transcript(&play(&file, &scenario, &|_| {})),
            "{}",
            scenario.name
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn several_kills_change_nothing_either(place in 0_usize..1_000, kills in prop::collection::btree_set(1_usize..20, 1..6)) {
        let all = own();
        let (file, scenario) = &all[place % all.len()];
        killed(file, scenario, kills);
    }
}
