//! Loads blueprints from memory.

use std::collections::BTreeMap;

use consort_blueprint::compose_json::compose_json;
use consort_blueprint::source::Memory;
use consort_blueprint::{LoadError, LoadRequest, Loaded, Render, load};
use serde_json::Value;

pub(crate) fn request() -> LoadRequest {
    LoadRequest {
        working_dir: "/p".to_owned(),
        name: Some("t".to_owned()),
        env: env(&[("HOME", "/root")]),
        ..LoadRequest::default()
    }
}

pub(crate) fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn files(files: &[(&str, &str)]) -> Memory {
    files.iter().fold(Memory::new(), |memory, (path, text)| {
        memory.with(format!("/p/{path}"), *text)
    })
}

/// Loads these files, the first ones of which are laid over each other: all whose name starts with a digit, or
/// else what a search finds.
pub(crate) fn try_load(all: &[(&str, &str)]) -> Result<Loaded, Box<LoadError>> {
    let numbered = all
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .filter(|path| path.starts_with(|c: char| c.is_ascii_digit()));
    load(
        &LoadRequest {
            files: numbered.collect(),
            ..request()
        },
        &files(all),
    )
}

#[track_caller]
pub(crate) fn loaded(all: &[(&str, &str)]) -> Loaded {
    try_load(all).unwrap_or_else(|error| panic!("{}", error.render(Render::default())))
}

/// The Compose form of the part at a path with slashes.
#[track_caller]
pub(crate) fn part(loaded: &Loaded, path: &str) -> Value {
    let json = compose_json(loaded);
    json.pointer(&format!("/{path}"))
        .unwrap_or_else(|| panic!("{path} is not in {json:#}"))
        .clone()
}

/// The mistakes of a blueprint, as text.
#[track_caller]
pub(crate) fn mistakes(all: &[(&str, &str)]) -> String {
    match try_load(all) {
        Ok(loaded) => panic!("it was accepted: {:#}", compose_json(&loaded)),
        Err(error) => error.render(Render::default()).trim_end().to_owned(),
    }
}

/// The codes of the mistakes of a blueprint.
#[track_caller]
pub(crate) fn codes(all: &[(&str, &str)]) -> Vec<&'static str> {
    match try_load(all) {
        Ok(loaded) => panic!("it was accepted: {:#}", compose_json(&loaded)),
        Err(error) => error
            .diagnostics
            .iter()
            .map(|diagnostic| diagnostic.code.as_str())
            .collect(),
    }
}
