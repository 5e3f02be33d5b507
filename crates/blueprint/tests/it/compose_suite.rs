//! The conformance suite: 355 documents and what docker compose 2.40.3 makes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use consort_blueprint::source::Disk;
use consort_blueprint::{LoadRequest, Render, load};
use serde_json::Value;

fn suite() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the place of the suite is the test's own setting"
    )]
    let named = std::env::var("CONSORT_SUITES").map(PathBuf::from);
    let folder = named
        .unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites"));
    let folder = folder.join("compose");
    folder.is_dir().then_some(folder)
}

fn run(input: &Path, expected: &Path, scratch: &Path) -> Result<(), String> {
    let name = input
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or("no name")?;
    let folder = scratch.join(name.trim_end_matches(".yaml")).join("in");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    std::fs::copy(input, folder.join(name)).map_err(|error| error.to_string())?;
    let dir = folder.to_str().ok_or("no text")?.to_owned();
    let env = [("PATH", "/usr/bin:/bin"), ("HOME", "/root")];
    let request = LoadRequest {
        files: vec![name.to_owned()],
        working_dir: dir.clone(),
        name: Some("t".to_owned()),
        env: env
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        skip_consistency: true,
        ..LoadRequest::default()
    };
    let loaded = load(&request, &Disk).map_err(|error| error.render(Render::default()))?;
    let text = consort_blueprint::compose_json::compose_json(&loaded).to_string();
    let parent = folder.parent().and_then(Path::to_str).ok_or("no parent")?;
    let text = text.replace(&dir, "@DIR@").replace(parent, "@PARENT@");
    let ours: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let text = std::fs::read_to_string(expected).map_err(|error| error.to_string())?;
    let theirs: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    match difference(&ours, &theirs, "") {
        None => Ok(()),
        Some(difference) => Err(difference),
    }
}

/// The first place where two values differ; numbers compare by value, key order does not count.
fn difference(ours: &Value, theirs: &Value, place: &str) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = b
                .keys()
                .find(|key| !a.contains_key(*key))
                .map(|key| format!("{place}/{key}: missing"));
            let added = a
                .iter()
                .find(|(key, _)| !b.contains_key(*key))
                .map(|(key, value)| format!("{place}/{key}: added {value}"));
            missing.or(added).or_else(|| {
                a.iter().find_map(|(key, value)| {
                    difference(value, b.get(key)?, &format!("{place}/{key}"))
                })
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| difference(a, b, &format!("{place}/{index}"))),
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        (a, b) => Some(format!("{place}: {a} instead of {b}")),
    }
}

#[test]
fn every_document_of_the_suite_means_what_docker_compose_says() {
    let Some(suite) = suite() else {
        eprintln!("skipped: the suite is not here; CONSORT_SUITES names its folder");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(suite.join("input"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    inputs.sort();
    let mut failures = Vec::new();
    for input in &inputs {
        let name = input.file_stem().unwrap().to_str().unwrap();
        if let Err(reason) = run(
            input,
            &suite.join(format!("expected/{name}.json")),
            scratch.path(),
        ) {
            failures.push(format!("{name}: {reason}"));
        }
    }
    assert!(inputs.len() >= 355, "only {} documents", inputs.len());
    assert!(
        failures.is_empty(),
        "{} of {} fail:\n{}",
        failures.len(),
        inputs.len(),
        failures.join("\n")
    );
}
