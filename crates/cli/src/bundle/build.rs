//! Builds on the user's side: `process.build`, run in the service's folder, never in silence.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use consort_model::blueprint::Blueprint;
use consort_model::bundle::{BuiltProgram, BundledFile};
use consort_model::service::ProcessSpec;
use consort_model::{Code, Digest, Kind, Problem, Template};
use serde::Deserialize;

use crate::commands::Session;

/// A program may have so many files, and so many bytes in all.
const MOST_FILES: usize = 10_000;
const MOST_BYTES: u64 = 1 << 30;

/// When builds are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// Only what was never built (Compose: when missing).
    Missing,
    /// All of them (`--build`).
    Always,
    /// None (`plan`): what was not built is known after the build.
    Never,
}

impl Build {
    pub(crate) const fn from_flag(always: bool) -> Self {
        if always { Self::Always } else { Self::Missing }
    }
}

/// Programs by the name of their node, and the content of their files.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) programs: BTreeMap<String, BuiltProgram>,
    pub(crate) contents: BTreeMap<Digest, Vec<u8>>,
}

/// Builds what is to be built and takes the artifacts up. The same command in the same folder is run
/// once, however many services name it.
pub(crate) fn programs(
    session: &Session,
    blueprint: &Blueprint,
    project: &Path,
    build: Build,
) -> Result<Built, Vec<Problem>> {
    let mut built = Built::default();
    let mut ran: Vec<(PathBuf, Vec<String>)> = Vec::new();
    let mut problems = Vec::new();
    for (address, node) in &blueprint.nodes {
        if !matches!(address.kind(), Kind::Service | Kind::Job | Kind::Workload) {
            continue;
        }
        let Some(process) = process_of(&node.body) else {
            continue;
        };
        let folder = project.join(process.context.as_deref().unwrap_or("."));
        if let Err(problem) = run_once(session, &process, &folder, build, &mut ran) {
            problems.push(problem.at(address));
            continue;
        }
        match take_up(&process, &folder, &mut built.contents) {
            Ok(Some(program)) => {
                built.programs.insert(address.name().to_owned(), program);
            }
            Ok(None) => {}
            Err(_) if build == Build::Never => {}
            Err(problem) => problems.push(problem.at(address)),
        }
    }
    if problems.is_empty() {
        Ok(built)
    } else {
        Err(problems)
    }
}

/// The `process` part of a body. What of it is an expression does not say what is built.
fn process_of(body: &Template) -> Option<ProcessSpec> {
    let Template::Map(process) = body.get("process")? else {
        return None;
    };
    let known: consort_model::Object = process
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.known()?)))
        .collect();
    let mut known = serde_json::Value::Object(known);
    // A line is split as everywhere.
    for key in ["build", "command"] {
        if let Some(serde_json::Value::String(line)) = known.get(key) {
            let words = consort_model::service::CommandLine::parse(line).ok()?;
            known[key] = serde_json::to_value(words).ok()?;
        }
    }
    ProcessSpec::deserialize(known).ok()
}

fn run_once(
    session: &Session,
    process: &ProcessSpec,
    folder: &Path,
    build: Build,
    ran: &mut Vec<(PathBuf, Vec<String>)>,
) -> Result<(), Problem> {
    let Some(command) = process
        .build
        .as_ref()
        .map(|line| line.0.clone())
        .filter(|line| !line.is_empty())
    else {
        return Ok(());
    };
    let missing = process
        .artifacts
        .iter()
        .any(|artifact| !folder.join(artifact).exists());
    let wanted = match build {
        Build::Never => false,
        Build::Always => true,
        Build::Missing => missing,
    };
    let once = (folder.to_owned(), command.clone());
    if !wanted || ran.contains(&once) {
        return Ok(());
    }
    ran.push(once);
    session.output.note(format!(
        "building in {}: {}",
        folder.display(),
        command.join(" ")
    ));
    let failed = |message: String| Problem::new(Code::BUILD_FAILED, message);
    let status = Command::new(program(&command[0], folder))
        .args(&command[1..])
        .current_dir(folder)
        .stdin(Stdio::null())
        // Data goes to standard output: a build does not mix with it.
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| failed(format!("`{}` cannot be run", command[0])).caused_by(&error))?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(format!(
            "`{}` ended with {status}",
            command.join(" ")
        )))
    }
}

/// A relative program is one of the service's folder.
fn program(name: &str, folder: &Path) -> PathBuf {
    if name.contains('/') {
        folder.join(name)
    } else {
        PathBuf::from(name)
    }
}

/// Takes the artifacts up: files and folders, with their content.
fn take_up(
    process: &ProcessSpec,
    folder: &Path,
    contents: &mut BTreeMap<Digest, Vec<u8>>,
) -> Result<Option<BuiltProgram>, Problem> {
    if process.artifacts.is_empty() {
        return Ok(None);
    }
    let mut artifacts = BTreeMap::new();
    let mut bytes = 0;
    for artifact in &process.artifacts {
        collect(
            folder,
            Path::new(artifact),
            &mut artifacts,
            contents,
            &mut bytes,
        )?;
    }
    Ok(Some(BuiltProgram { artifacts }))
}

fn collect(
    folder: &Path,
    relative: &Path,
    artifacts: &mut BTreeMap<String, BundledFile>,
    contents: &mut BTreeMap<Digest, Vec<u8>>,
    bytes: &mut u64,
) -> Result<(), Problem> {
    let wrong = |message: String| Problem::new(Code::PROGRAM_MISSING, message);
    let escapes = relative.is_absolute()
        || relative
            .components()
            .any(|part| part == std::path::Component::ParentDir);
    if escapes {
        return Err(wrong(format!(
            "artifact `{}` is not inside the service's folder",
            relative.display()
        )));
    }
    let path = folder.join(relative);
    let unreadable = |error: &std::io::Error| {
        wrong(format!("artifact `{}` cannot be read", path.display())).caused_by(error)
    };
    let metadata = std::fs::metadata(&path).map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        let mut names: Vec<_> = std::fs::read_dir(&path)
            .and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| entry.file_name()))
                    .collect::<Result<_, _>>()
            })
            .map_err(|error| unreadable(&error))?;
        names.sort();
        return names.iter().try_for_each(|name| {
            collect(folder, &relative.join(name), artifacts, contents, bytes)
        });
    }
    *bytes += metadata.len();
    if artifacts.len() >= MOST_FILES || *bytes > MOST_BYTES {
        return Err(wrong(format!(
            "a program may have {MOST_FILES} files and {} GiB",
            MOST_BYTES >> 30
        )));
    }
    let content = std::fs::read(&path).map_err(|error| unreadable(&error))?;
    let digest = Digest::of(&content);
    let file = BundledFile {
        digest,
        size: content.len() as u64,
        executable: metadata.permissions().mode() & 0o111 != 0,
    };
    let name: PathBuf = relative
        .components()
        .filter(|part| *part != std::path::Component::CurDir)
        .collect();
    artifacts.insert(name.display().to_string(), file);
    contents.insert(digest, content);
    Ok(())
}
