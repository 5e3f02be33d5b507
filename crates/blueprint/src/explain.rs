//! `consort explain KEY`: what a key means, what it takes, and what each target does with it.

use std::fmt::Write as _;

use consort_model::blueprint::TargetKind;

use crate::check::wanted;
use crate::diagnostic::Code;
use crate::keys::{self, Key, Level, Object, Shape, Since, TOP};

/// What is known of a key by its path (`services.*.healthcheck.interval`), of a key by its last name where only one
/// has it, or of the code of a mistake (`E0070`). `None` if there is no such key.
pub fn explain(subject: &str) -> Option<String> {
    let subject = subject.trim();
    if let Some(code) = Code::parse(subject) {
        return Some(format!(
            "{code}: {}\n\n{}\n",
            code.title(),
            code.explanation()
        ));
    }
    if let Some(key) = keys::find(subject) {
        return Some(describe(subject, key));
    }
    let paths = paths_ending(subject);
    match paths.as_slice() {
        [] => None,
        [only] => keys::find(only).map(|key| describe(only, key)),
        several => {
            let mut out = format!("`{subject}` is a key of several elements:\n");
            for path in several {
                let doc = keys::find(path).map_or("", |key| key.doc);
                let _ = writeln!(out, "  {path:<48} {doc}");
            }
            Some(out)
        }
    }
}

/// The nearest key to one that does not exist, as a path.
pub fn nearest(subject: &str) -> Option<String> {
    let subject = subject.trim();
    let all = all_paths();
    let plain = generic(subject);
    if let Some(near) = consort_model::text::nearest(&plain, all.iter().map(String::as_str)) {
        return Some(near.to_owned());
    }
    let last = subject.rsplit('.').next().unwrap_or(subject);
    let names = all
        .iter()
        .map(|path| path.rsplit('.').next().unwrap_or(path));
    let near = consort_model::text::nearest(last, names)?;
    all.iter()
        .find(|path| path.rsplit('.').next() == Some(near))
        .cloned()
}

/// All keys of the language as paths, each once: below elements that contain themselves only the first is listed.
pub(crate) fn all_paths() -> Vec<String> {
    let mut found = Vec::new();
    walk(&TOP, "", &mut Vec::new(), &mut found);
    found
}

fn walk(
    object: &'static Object,
    prefix: &str,
    above: &mut Vec<*const Object>,
    found: &mut Vec<String>,
) {
    if above.contains(&std::ptr::from_ref(object)) {
        return;
    }
    above.push(object);
    for key in object.keys() {
        let path = if prefix.is_empty() {
            key.name.to_owned()
        } else {
            format!("{prefix}.{}", key.name)
        };
        found.push(path.clone());
        inner(&key.shape, &path, above, found);
    }
    above.pop();
}

fn inner(
    shape: &'static Shape,
    path: &str,
    above: &mut Vec<*const Object>,
    found: &mut Vec<String>,
) {
    match shape {
        Shape::Object(object) => walk(object, path, above, found),
        Shape::List(item) | Shape::Set(item) => inner(item, path, above, found),
        Shape::Map(value, _) => inner(value, &format!("{path}.*"), above, found),
        Shape::Either(shapes) => shapes
            .iter()
            .for_each(|shape| inner(shape, path, above, found)),
        _ => {}
    }
}

/// `services.api.image` as `services.*.image`, where that is a key.
fn generic(subject: &str) -> String {
    let mut parts: Vec<&str> = subject.split('.').collect();
    let is_map = parts
        .first()
        .and_then(|first| keys::find(first))
        .is_some_and(|key| matches!(key.shape, Shape::Map(..)));
    if is_map && parts.len() > 2 {
        parts[1] = "*";
    }
    parts.join(".")
}

fn paths_ending(name: &str) -> Vec<String> {
    let suffix = format!(".{name}");
    let mut paths: Vec<String> = all_paths()
        .into_iter()
        .filter(|path| path == name || path.ends_with(&suffix))
        .collect();
    // Jobs and hooks have the keys of services; those of services stand for all.
    let of_services = format!("services.*{suffix}");
    if paths.contains(&of_services) {
        paths.retain(|path| {
            *path == of_services || !(path.starts_with("jobs.*.") || path.contains(".pre_start."))
        });
    }
    paths
}

fn describe(path: &str, key: &Key) -> String {
    let mut out = format!(
        "{path}\n  {}\n\n  takes     {}\n",
        key.doc,
        takes(&key.shape)
    );
    if let Shape::Words(words) = &key.shape {
        let _ = writeln!(out, "  allowed   {}", words.join(", "));
    }
    let since = match key.since {
        Since::Compose => "the Compose Specification".to_owned(),
        Since::ComposeNext => {
            "the Compose Specification, newer than docker compose 2.40".to_owned()
        }
        Since::Consort(version) => format!("Consort {version}"),
    };
    let _ = writeln!(out, "  from      {since}");
    for (target, word) in [
        (TargetKind::Process, "process"),
        (TargetKind::Docker, "docker"),
        (TargetKind::Kubernetes, "kubernetes"),
    ] {
        let says = match key.support.on(target) {
            Level::Supported => "carried out",
            Level::Partial => "carried out in part",
            Level::Ignored => "accepted with a warning, without effect",
            Level::Inherited => continue,
        };
        let _ = writeln!(out, "  {word:<9} {says}");
    }
    let below = objects_of(&key.shape);
    if !below.is_empty() {
        out.push_str("\n  keys:\n");
    }
    for object in below {
        for inner in object.keys() {
            let mark = if object.required.contains(&inner.name) {
                " (needed)"
            } else {
                ""
            };
            let _ = writeln!(out, "  {:<22} {}{mark}", inner.name, inner.doc);
        }
    }
    out
}

/// What a shape takes, in words; what has a form of its own is told by it.
pub(crate) fn takes(shape: &Shape) -> String {
    match shape {
        Shape::TextLike(_, form) => (*form).to_owned(),
        Shape::Words(words) => format!("one of {}", words.join(", ")),
        Shape::List(item) | Shape::Set(item) => format!("a list: {}", takes(item)),
        Shape::Map(value, _) => match value {
            Shape::Any => "a mapping".to_owned(),
            value => format!("a mapping of names: {}", takes(value)),
        },
        Shape::Object(object) => format!("{} (a mapping)", object.name),
        Shape::Either(shapes) => {
            let mut all: Vec<String> = Vec::new();
            for words in shapes.iter().map(takes).filter(|words| words != "null") {
                if !all.contains(&words) {
                    all.push(words);
                }
            }
            all.join("; or ")
        }
        Shape::Range { min, max, .. } if *max != i64::MAX => {
            format!("{} from {min} to {max}", wanted(shape))
        }
        other => wanted(other),
    }
}

fn objects_of(shape: &'_ Shape) -> Vec<&'static Object> {
    match shape {
        Shape::Object(object) => vec![object],
        Shape::List(item) | Shape::Set(item) | Shape::Map(item, _) => objects_of(item),
        Shape::Either(shapes) => shapes.iter().flat_map(objects_of).collect(),
        _ => Vec::new(),
    }
}
