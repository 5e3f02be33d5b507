//! The rules of the house (DESIGN 4): who may use whom, and what pure means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each crate with the crates of ours that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("expression", &["model"]),
    (
        "blueprint",
        &["model", "expression", "scheduling", "workflow"],
    ),
    ("planner", &["model", "expression"]),
    ("scheduling", &["model"]),
    ("workflow", &["model", "expression", "journal"]),
    ("journal", &["model"]),
    ("store", &["model", "journal"]),
    ("driver", &["model"]),
    ("shim", &["model"]),
    ("portholder", &["model"]),
    ("driver-builtin", &["model", "driver"]),
    ("driver-process", &["model", "driver", "shim", "portholder"]),
    (
        "engine",
        &[
            "model",
            "expression",
            "planner",
            "scheduling",
            "workflow",
            "journal",
            "driver",
            "blueprint",
        ],
    ),
    ("server", &["model", "engine", "driver", "store"]),
];

/// Crates without async, clocks and chance.
const PURE: &[&str] = &["model", "expression", "planner", "scheduling", "workflow"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn folder(name: &str) -> PathBuf {
    match name.strip_prefix("driver-") {
        Some(driver) => root().join("crates/drivers").join(driver),
        None => root().join("crates").join(name),
    }
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// Code without comments, strings kept: enough for looking for words.
fn code(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let mut all = sources(&root().join("crates"));
    all.extend(sources(&root().join("examples")));
    all
}

#[test]
fn arrows_point_down_only() {
    let mut wrong = Vec::new();
    for (name, allowed) in MAY_USE {
        let manifest = std::fs::read_to_string(folder(name).join("Cargo.toml")).unwrap();
        let normal = manifest
            .split("[dev-dependencies]")
            .next()
            .unwrap_or_default();
        for line in normal.lines().filter(|line| line.starts_with("consort-")) {
            let used = line
                .trim_start_matches("consort-")
                .split(['.', ' ', '='])
                .next()
                .unwrap_or_default();
            if !allowed.contains(&used) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_crates_have_no_async_no_clock_and_no_chance() {
    let words = [
        "async fn",
        "async move",
        ".await",
        "SystemTime::now",
        "Instant::now",
        "getrandom",
        "tokio",
        "std::env::var",
    ];
    let mut wrong = Vec::new();
    for name in PURE {
        for (path, text) in sources(&folder(name).join("src")) {
            let code = code(&text);
            let tests = code.find("#[cfg(test)]").unwrap_or(code.len());
            wrong.extend(
                words
                    .iter()
                    .filter(|word| code[..tests].contains(**word))
                    .map(|word| format!("{}: {word}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_has_the_lints_of_the_house() {
    for (name, _) in MAY_USE.iter().chain(&[("cli", &[] as &[&str])]) {
        let manifest = std::fs::read_to_string(folder(name).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name}");
    }
}

#[test]
fn no_error_repeats_its_source() {
    let mut wrong = Vec::new();
    for (path, text) in all_sources() {
        wrong.extend(
            text.lines()
                .filter(|line| {
                    line.trim_start().starts_with("#[error(")
                        && (line.contains("{source}") || line.contains("{0}: {"))
                })
                .map(|line| format!("{}: {}", path.display(), line.trim())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_left_unfinished() {
    let mut wrong = Vec::new();
    for (path, text) in all_sources() {
        for word in ["todo!(", "unimplemented!(", "dbg!("] {
            if code(&text).contains(word) {
                wrong.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_stands_only_in_modules_for_it() {
    let allowed = ["/sys/", "/sys.rs", "environment.rs", "tests/"];
    let wrong: BTreeSet<String> = all_sources()
        .into_iter()
        .filter(|(_, text)| code(text).contains("unsafe {") || code(text).contains("unsafe fn"))
        .map(|(path, _)| path.display().to_string())
        .filter(|path| !allowed.iter().any(|part| path.contains(part)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_code_has_a_page() {
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let missing: Vec<&str> = consort_model::code::CODES
        .iter()
        .map(|entry| entry.name)
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}: run `make docs`");
}

#[test]
fn the_openapi_document_is_current() {
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(root().join("docs/openapi.json")).unwrap())
            .unwrap();
    let current = serde_json::to_value(consort_server::openapi()).unwrap();
    assert_eq!(written, current, "run `make docs`");
}

/// Sizes are talked about in review: printed, and bounded where nobody could defend more.
#[test]
fn files_are_of_a_size_that_can_be_read() {
    let mut sizes: BTreeMap<usize, PathBuf> = BTreeMap::new();
    let mut counts: Vec<usize> = Vec::new();
    for (path, text) in all_sources() {
        counts.push(text.lines().count());
        sizes.insert(text.lines().count(), path);
    }
    counts.sort_unstable();
    let at = |share: usize| counts[(counts.len() - 1) * share / 100];
    println!(
        "files {}, lines p50 {} p90 {} p99 {} max {}",
        counts.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    );
    let (largest, path) = sizes.last_key_value().unwrap();
    assert!(*largest <= 1_000, "{} has {largest} lines", path.display());
}
