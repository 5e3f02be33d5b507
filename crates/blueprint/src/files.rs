//! Which files make up a blueprint.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::paths;
use crate::source::Source;
use crate::span::Span;

/// Our own file; alone it is the whole, beside a Compose file it is laid over it.
pub const CONSORT_FILE: &str = "consort.yaml";
/// Compose's files, the first wins.
pub const COMPOSE_FILES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];
/// Laid over a Compose file that was found by search.
pub const OVERRIDE_FILES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// The files in the order of their laying over, and the folder of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Absolute paths; `-` is standard input.
    pub files: Vec<String>,
    /// Absolute.
    pub folder: String,
}

/// The files that are asked for by `-f`, or by `COMPOSE_FILE`, or found by search.
pub fn find(
    asked: &[String],
    working_dir: &str,
    project_dir: Option<&str>,
    variables: &BTreeMap<String, String>,
    source: &dyn Source,
    sink: &mut Sink,
) -> Option<Found> {
    let folder = project_dir.map(|folder| paths::join(working_dir, folder));
    let named = if asked.is_empty() {
        from_variable(variables)
    } else {
        asked.to_vec()
    };
    if named.is_empty() {
        return search(folder.as_deref().unwrap_or(working_dir), source, sink).map(|mut found| {
            if let Some(folder) = folder {
                found.folder = folder;
            }
            found
        });
    }
    let files: Vec<String> = named
        .iter()
        .map(|file| {
            if file == "-" {
                file.clone()
            } else {
                paths::join(working_dir, file)
            }
        })
        .collect();
    let first = files
        .first()
        .filter(|file| *file != "-")
        .map(|file| paths::parent(file));
    let folder = folder.or(first).unwrap_or_else(|| working_dir.to_owned());
    Some(Found { files, folder })
}

fn from_variable(variables: &BTreeMap<String, String>) -> Vec<String> {
    let separator = variables
        .get("COMPOSE_PATH_SEPARATOR")
        .map_or(":", String::as_str);
    let separator = if separator.is_empty() { ":" } else { separator };
    variables
        .get("COMPOSE_FILE")
        .map(|list| {
            list.split(separator)
                .filter(|file| !file.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default()
}

fn search(start: &str, source: &dyn Source, sink: &mut Sink) -> Option<Found> {
    let mut folder = paths::clean(start);
    loop {
        if let Some(files) = in_folder(&folder, source, sink) {
            return Some(Found { files, folder });
        }
        let above = paths::parent(&folder);
        if above == folder || above == "." {
            sink.push(
                Diagnostic::new(
                    Code::NoBlueprint,
                    Span::NONE,
                    format!("no blueprint was found in {start} or above it"),
                )
                .help("write a consort.yaml or compose.yaml, or name a file with `-f`"),
            );
            return None;
        }
        folder = above;
    }
}

fn in_folder(folder: &str, source: &dyn Source, sink: &mut Sink) -> Option<Vec<String>> {
    let present = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|name| paths::join(folder, name))
            .filter(|path| source.is_file(path))
            .collect()
    };
    let own = present(&[CONSORT_FILE]);
    let compose = present(&COMPOSE_FILES);
    if own.is_empty() && compose.is_empty() {
        return None;
    }
    let mut files = first_of(compose, folder, sink);
    if !files.is_empty() {
        files.extend(first_of(present(&OVERRIDE_FILES), folder, sink));
    }
    files.extend(own);
    Some(files)
}

fn first_of(mut candidates: Vec<String>, folder: &str, sink: &mut Sink) -> Vec<String> {
    if let [first, others @ ..] = candidates.as_slice()
        && !others.is_empty()
    {
        let names: Vec<&str> = others.iter().map(|path| paths::file_name(path)).collect();
        let message = format!(
            "{folder} has several; {} is used, not {}",
            paths::file_name(first),
            names.join(", ")
        );
        sink.push(Diagnostic::new(Code::SeveralFiles, Span::NONE, message));
    }
    candidates.truncate(1);
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Memory;

    fn found(source: &Memory, asked: &[&str], variables: &[(&str, &str)]) -> Option<Found> {
        let asked: Vec<String> = asked.iter().map(|file| (*file).to_owned()).collect();
        let variables = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        find(
            &asked,
            "/p/sub",
            None,
            &variables,
            source,
            &mut Sink::default(),
        )
    }

    #[test]
    fn our_file_is_laid_over_the_compose_file_and_its_override() {
        let source = Memory::new()
            .with("/p/consort.yaml", "")
            .with("/p/compose.yaml", "")
            .with("/p/docker-compose.yml", "")
            .with("/p/compose.override.yml", "");
        let found = found(&source, &[], &[]).unwrap();
        assert_eq!(
            found.files,
            [
                "/p/compose.yaml",
                "/p/compose.override.yml",
                "/p/consort.yaml"
            ]
        );
        assert_eq!(found.folder, "/p");
    }

    #[test]
    fn our_file_alone_is_the_whole() {
        let source = Memory::new()
            .with("/p/sub/consort.yaml", "")
            .with("/p/compose.yaml", "")
            .with("/p/sub/compose.override.yml", "");
        assert_eq!(
            found(&source, &[], &[]).unwrap().files,
            ["/p/sub/consort.yaml"]
        );
    }

    #[test]
    fn files_that_are_asked_for_win_over_the_variable_and_the_search() {
        let source = Memory::new().with("/p/compose.yaml", "");
        let variables = [
            ("COMPOSE_FILE", "a.yaml;../b.yaml"),
            ("COMPOSE_PATH_SEPARATOR", ";"),
        ];
        assert_eq!(
            found(&source, &["x/c.yaml", "-"], &variables)
                .unwrap()
                .files,
            ["/p/sub/x/c.yaml", "-"]
        );
        assert_eq!(
            found(&source, &["x/c.yaml"], &variables).unwrap().folder,
            "/p/sub/x"
        );
        assert_eq!(
            found(&source, &[], &variables).unwrap().files,
            ["/p/sub/a.yaml", "/p/b.yaml"]
        );
        assert_eq!(found(&Memory::new(), &[], &[]), None);
    }
}
