//! Scenarios in the step language of the conformance kit: the kit's own, and ours.

use std::path::{Path, PathBuf};

use consort_model::Value;
use consort_model::run::RunStatus;
use consort_workflow::{Definition, Ended};

use crate::gherkin::{self, Scenario, Step};
use crate::world::World;
use crate::yaml;

pub(crate) fn suite(part: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/suites");
    let folder = PathBuf::from(option_env!("CONSORT_SUITES").unwrap_or(beside))
        .join("open-workflow")
        .join(part);
    if !folder.is_dir() {
        eprintln!(
            "skipped: no {} (set CONSORT_SUITES to the suites)",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

fn scenarios(folder: &Path) -> Vec<(String, Scenario)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let found = gherkin::read(&std::fs::read_to_string(file).unwrap());
        found
            .into_iter()
            .map(move |scenario| (name.clone(), scenario))
            .collect::<Vec<_>>()
    };
    files
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "feature"))
        .flat_map(read)
        .collect()
}

#[test]
fn the_conformance_kit_passes_but_for_what_is_refused_by_its_name() {
    let Some(folder) = suite("ctk") else { return };
    let all = scenarios(&folder);
    assert_eq!(all.len(), 21);
    let mut refused = Vec::new();
    for (file, scenario) in &all {
        if let Err(mistakes) = Definition::read(yaml::read(&scenario.steps[0].doc), "test", "test")
        {
            refused.push(format!("{}: {}", scenario.name, mistakes[0].message));
        } else {
            play(file, scenario, &|_| {});
        }
    }
    assert_eq!(
        refused,
        [
            "Call OpenAPI With Content Output: `call: openapi` is not there yet",
            "Call OpenAPI With Response Output: `call: openapi` is not there yet"
        ]
    );
}

/// Our own scenarios.
pub(crate) fn own() -> Vec<(String, Scenario)> {
    scenarios(&PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/scenarios"
    )))
}

#[test]
fn the_own_scenarios_pass() {
    let all = own();
    assert!(all.len() > 25, "{} scenarios", all.len());
    for (file, scenario) in &all {
        play(file, scenario, &|_| {});
    }
}

/// Plays a scenario; the world can be changed before it starts.
pub(crate) fn play(file: &str, scenario: &Scenario, change: &dyn Fn(&mut World)) -> World {
    let place = format!("{file}: {}", scenario.name);
    let mut world = World::new(yaml::read(&scenario.steps[0].doc));
    let mut input = Value::Null;
    let mut ended = None;
    for step in &scenario.steps[1..] {
        let place = format!("{place}: {}", step.text);
        match step.text.as_str() {
            "given the workflow input is:" => input = yaml::read(&step.doc),
            "given the event:" => world.events.push(yaml::read(&step.doc)),
            "the workflow is executed" => {
                change(&mut world);
                ended = world.execute(std::mem::take(&mut input));
            }
            text if text.starts_with("given the calls to ") => {
                let Value::Array(answers) = yaml::read(&step.doc) else {
                    panic!("{place}")
                };
                world.services.insert(quoted(text)[0].clone(), answers);
            }
            _ => check(&place, step, &world, ended.as_ref()),
        }
    }
    world
}

fn check(place: &str, step: &Step, world: &World, ended: Option<&Ended>) {
    let text = step.text.as_str();
    let names = quoted(text);
    let expected = || yaml::read(&step.doc);
    let tasks = world.tasks();
    let position = |name: &str| {
        tasks
            .iter()
            .position(|task| task == name)
            .unwrap_or_else(|| panic!("{place}: {tasks:?}"))
    };
    let words: Vec<&str> = text.split(' ').collect();
    if let Some(rest) = text.strip_prefix("the workflow should ") {
        let ended =
            ended.unwrap_or_else(|| panic!("{place}: it did not end, {:?}", world.state.status()));
        let status = match rest.split(' ').next() {
            Some("complete") => RunStatus::Completed,
            Some("fault") => RunStatus::Faulted,
            _ => RunStatus::Cancelled,
        };
        assert_eq!(ended.status, status, "{place}: {ended:?}");
        if rest.contains("with output") {
            assert_eq!(ended.output, Some(expected()), "{place}");
        } else if rest.contains("with error") {
            let actual = ended.error.as_ref().unwrap().to_value();
            expected()
                .as_object()
                .unwrap()
                .iter()
                .for_each(|(key, value)| assert_eq!(&actual[key], value, "{place}"));
        }
    } else if text.starts_with("the workflow output should have ") {
        let output = ended
            .and_then(|ended| ended.output.as_ref())
            .unwrap_or_else(|| panic!("{place}: {ended:?}"));
        for name in &names {
            let value = path(output, name).unwrap_or_else(|| panic!("{place}: {output}"));
            if text.contains("with value") {
                assert_eq!(*value, expected(), "{place}");
            } else if text.contains("containing") {
                assert_eq!(value.as_array().unwrap().len(), number(&words), "{place}");
            }
        }
    } else if text.starts_with("the calls to ") {
        let calls = world.calls(&names[0]);
        let keys: Vec<_> = calls.iter().map(|call| call.key.as_deref()).collect();
        match words.last().copied() {
            Some("key") => assert!(
                keys[0].is_some() && keys.iter().all(|key| *key == keys[0]),
                "{place}: {keys:?}"
            ),
            Some("keys") => assert!(
                keys.windows(2).all(|pair| pair[0] != pair[1]),
                "{place}: {keys:?}"
            ),
            _ => assert_eq!(calls.len(), number(&words), "{place}"),
        }
    } else if text.starts_with("it should take ") {
        assert_eq!(
            world.now.since(world.started).millis(),
            number(&words) as u64 * 1_000,
            "{place}"
        );
    } else {
        match words[1..] {
            ["should", "run", "first"] => assert_eq!(position(words[0]), 0, "{place}"),
            ["should", "run", "last"] => assert_eq!(position(words[0]), tasks.len() - 1, "{place}"),
            ["should", "run", "after", other] => {
                assert!(position(words[0]) > position(other), "{place}")
            }
            ["should", "run", "before", other] => {
                assert!(position(words[0]) < position(other), "{place}")
            }
            ["should", "run", count, "times"] => {
                let ran = tasks.iter().filter(|task| *task == words[0]).count();
                assert_eq!(ran.to_string(), count, "{place}: {tasks:?}");
            }
            _ => panic!("{place}: unknown step"),
        }
    }
}

fn quoted(text: &str) -> Vec<String> {
    text.split('\'')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn number(words: &[&str]) -> usize {
    words.iter().find_map(|word| word.parse().ok()).unwrap()
}

fn path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}
