//! The reference of the language for the docs, generated from the table of keys.

use std::fmt::Write as _;

use crate::explain::takes;
use crate::keys::{Key, Level, Object, Shape, Since, Support, TOP};

/// The reference as Markdown: a section per mapping of the language.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Blueprint reference\n\n<!-- Generated from the table of keys; do not edit. -->\n\n\
         Targets: P process, D docker, K kubernetes. ✓ carried out, ◐ in part, – accepted with a warning; empty: as the key above says.\n",
    );
    let mut queue: Vec<(String, &'static Object)> = vec![("The top level".to_owned(), &TOP)];
    let mut seen: Vec<*const Object> = Vec::new();
    let mut at = 0;
    while let Some((path, object)) = queue.get(at).cloned() {
        at += 1;
        if seen.contains(&std::ptr::from_ref(object)) {
            continue;
        }
        seen.push(std::ptr::from_ref(object));
        section(&mut out, &path, object);
        for key in object.keys() {
            let prefix = if std::ptr::eq(object, &raw const TOP) {
                key.name.to_owned()
            } else {
                format!("{path}.{}", key.name)
            };
            below(&key.shape, &prefix, &mut queue);
        }
    }
    out
}

fn section(out: &mut String, path: &str, object: &Object) {
    let heading = if path.starts_with(char::is_uppercase) {
        path.to_owned()
    } else {
        format!("`{path}`")
    };
    let _ = write!(out, "\n## {heading}\n\nThis is {}.", object.name);
    if object.extensions {
        out.push_str(" Keys that start with `x-` are free.");
    }
    out.push_str(
        "\n\n| key | takes | meaning | P | D | K |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for key in object.keys() {
        let needed = if object.required.contains(&key.name) {
            " **Needed.**"
        } else {
            ""
        };
        let Support {
            process,
            docker,
            kubernetes,
        } = key.support;
        let _ = writeln!(
            out,
            "| `{}` | {} | {}{}{needed} | {} | {} | {} |",
            key.name,
            takes(&key.shape).replace('|', "\\|"),
            key.doc.replace('|', "\\|").replace('<', "&lt;"),
            origin(key),
            mark(process),
            mark(docker),
            mark(kubernetes)
        );
    }
    for (name, reason) in object.refused {
        let _ = writeln!(out, "\n`{name}` is refused: {reason}.");
    }
}

fn origin(key: &Key) -> &'static str {
    match key.since {
        Since::Compose => "",
        Since::ComposeNext => " *(newer Compose)*",
        Since::Consort(_) => " *(Consort)*",
    }
}

fn mark(level: Level) -> &'static str {
    match level {
        Level::Supported => "✓",
        Level::Partial => "◐",
        Level::Ignored => "–",
        Level::Inherited => "",
    }
}

fn below(shape: &'static Shape, path: &str, queue: &mut Vec<(String, &'static Object)>) {
    match shape {
        Shape::Object(object) => queue.push((path.to_owned(), object)),
        Shape::List(item) | Shape::Set(item) => below(item, path, queue),
        Shape::Map(value, _) => below(value, &format!("{path}.*"), queue),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| below(shape, path, queue)),
        _ => {}
    }
}
