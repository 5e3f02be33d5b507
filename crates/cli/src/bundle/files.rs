//! The files that a blueprint refers to, beside its own: those that `file()` and `template()` name,
//! and those of configs and secrets.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use consort_model::blueprint::Blueprint;
use consort_model::bundle::BundledFile;
use consort_model::{Code, Digest, Problem};

/// A file may have so many bytes.
const MOST: u64 = 16 << 20;

/// Files by the path as written, and their content.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) files: BTreeMap<String, BundledFile>,
    pub(crate) contents: BTreeMap<Digest, Vec<u8>>,
}

pub(crate) fn gather(blueprint: &Blueprint, project: &Path) -> Result<Gathered, Vec<Problem>> {
    let mut gathered = Gathered::default();
    let mut problems = Vec::new();
    let nodes = blueprint
        .nodes
        .values()
        .map(|node| (&node.body, &node.place));
    let outputs = blueprint
        .outputs
        .values()
        .map(|output| (&output.value, &output.place));
    for (template, place) in nodes.chain(outputs) {
        let mut names = Vec::new();
        template.visit_deferred(&mut |deferred| {
            deferred
                .expressions()
                .for_each(|text| names.extend(file_arguments(text)));
        });
        for name in names {
            if let Err(problem) = take(project, &name, &mut gathered) {
                problems.push(Problem {
                    place: Some(place.clone()),
                    ..problem
                });
            }
        }
    }
    if problems.is_empty() {
        Ok(gathered)
    } else {
        Err(problems)
    }
}

fn take(project: &Path, name: &str, gathered: &mut Gathered) -> Result<(), Problem> {
    let key = name.trim_start_matches("./").to_owned();
    if gathered.files.contains_key(&key) {
        return Ok(());
    }
    let path = project.join(name);
    let unreadable = |error: &std::io::Error| {
        Problem::new(
            Code::FILE_UNREADABLE,
            format!("{} cannot be read", path.display()),
        )
        .caused_by(error)
    };
    let metadata = std::fs::metadata(&path).map_err(|error| unreadable(&error))?;
    if metadata.len() > MOST {
        let message = format!(
            "{} has {} bytes; a file of a blueprint may have {MOST}",
            path.display(),
            metadata.len()
        );
        return Err(Problem::new(Code::FILE_UNREADABLE, message));
    }
    let content = std::fs::read(&path).map_err(|error| unreadable(&error))?;
    let digest = Digest::of(&content);
    let executable = metadata.permissions().mode() & 0o111 != 0;
    gathered.files.insert(
        key,
        BundledFile {
            digest,
            size: content.len() as u64,
            executable,
        },
    );
    gathered.contents.insert(digest, content);
    Ok(())
}

/// The paths that an expression writes out as the argument of `file` or `template`. A path that is
/// put together cannot be known here; using one says that the file is not among those of the blueprint.
fn file_arguments(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    for function in ["file", "template"] {
        let mut rest = expression;
        while let Some(at) = rest.find(function) {
            let boundary = !rest[..at]
                .ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '$');
            rest = &rest[at + function.len()..];
            let argument = rest.trim_start().strip_prefix('(').map(str::trim_start);
            if let Some(argument) =
                argument.filter(|argument| boundary && argument.starts_with('"'))
            {
                let mut literals =
                    serde_json::Deserializer::from_str(argument).into_iter::<String>();
                found.extend(literals.next().and_then(Result::ok));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::file_arguments;

    #[test]
    fn paths_that_are_written_out_are_found() {
        assert_eq!(
            file_arguments(r#"file("a.txt") + ( template( "b \"q\".tmpl" ; {x: 1}))"#),
            ["a.txt", "b \"q\".tmpl"]
        );
        assert!(file_arguments(r#".file("x") | myfile("y") | file(.path)"#).is_empty());
    }
}
