//! The pipeline from files to one document, in the order of Compose.

mod base;
mod context;
mod documents;
mod extends;
mod include;
mod variables;
mod workflows;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic, Render, Severity, render_all};
use crate::node::{Entry, Map, Node};
use crate::source::Source;
use crate::sources::Sources;
use crate::span::Span;
use crate::{files, normalise, paths, profiles, project_name, settle, validate};

use context::{Loader, Project};

/// What to load, and for whom. The loader itself asks no environment and no clock.
#[derive(Debug, Clone, Default)]
pub struct LoadRequest {
    /// As given with `-f`; `-` is standard input. Empty: `COMPOSE_FILE`, else a search.
    pub files: Vec<String>,
    /// Absolute; where relative names of the request start and where the search begins.
    pub working_dir: String,
    /// As given with `--project-directory`.
    pub project_dir: Option<String>,
    /// As given with `-p`.
    pub name: Option<String>,
    /// The environment of the person who loads.
    pub env: BTreeMap<String, String>,
    /// As given with `--env-file`. Empty: `COMPOSE_ENV_FILES`, else `.env` of the project's folder.
    pub env_files: Vec<String>,
    /// As given with `--profile`; those of `COMPOSE_PROFILES` are added.
    pub profiles: Vec<String>,
    /// Only these services and what they depend on; empty for all.
    pub services: Vec<String>,
    /// What `-` reads.
    pub stdin: Option<Vec<u8>>,
    /// Leave out the checks over the whole document (`--no-consistency`).
    pub skip_consistency: bool,
}

/// A blueprint, resolved.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The name of the project.
    pub name: String,
    /// One mapping in canonical form. Expressions are still in it; see [`crate::node::Value::Deferred`].
    pub document: Node,
    /// The folder of the project, absolute.
    pub project_dir: String,
    /// The variables of interpolation: the environment, `.env`, and `COMPOSE_PROJECT_NAME`.
    pub variables: BTreeMap<String, String>,
    /// Services that profiles or the selection switch off.
    pub disabled: Map,
    /// What a person should know.
    pub warnings: Vec<Diagnostic>,
    /// The files that were read, with their digests.
    pub sources: Sources,
}

/// A blueprint that is not accepted, with all its mistakes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the blueprint has {} mistake{}", .diagnostics.iter().filter(|d| d.severity() == Severity::Error).count() + .more, if .diagnostics.len() + .more == 1 { "" } else { "s" })]
pub struct LoadError {
    /// In the order of their places; warnings are last.
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there were.
    pub more: usize,
    /// The files that they point into.
    pub sources: Sources,
}

impl LoadError {
    /// As text for a terminal or a log.
    pub fn render(&self, how: Render) -> String {
        render_all(&self.diagnostics, self.more, &self.sources, how)
    }
}

/// Loads a blueprint.
///
/// # Errors
/// All mistakes that were found, with their places.
pub fn load(request: &LoadRequest, source: &dyn Source) -> Result<Loaded, Box<LoadError>> {
    let mut loader = Loader::new(request, source);
    let loaded = run(&mut loader, request);
    let failed = loader.sink.has_errors();
    let (diagnostics, more) = loader.sink.finish();
    match loaded {
        Some(mut loaded) if !failed => {
            loaded.warnings = diagnostics;
            loaded.sources = loader.sources;
            Ok(loaded)
        }
        _ => Err(Box::new(LoadError {
            diagnostics,
            more,
            sources: loader.sources,
        })),
    }
}

fn run(loader: &mut Loader<'_>, request: &LoadRequest) -> Option<Loaded> {
    let (found, mut variables) = variables::discover(loader, request)?;
    let name = name(loader, request, &found, &variables);
    variables.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
    let project = Project {
        files: found.files,
        folder: found.folder.clone(),
        variables,
        stack: Vec::new(),
    };
    let mut document = loader.project(&project);
    if document.as_map().is_none_or(Map::is_empty) && !loader.sink.has_errors() {
        let file = loader.sources.last();
        let span = Span {
            file,
            ..Span::line(file, 1)
        };
        loader.sink.push(
            Diagnostic::new(Code::EmptyFile, span, "the blueprint is empty")
                .help("add `services:`"),
        );
    }
    finish(loader, request, &mut document, &name, &project.variables).map(|disabled| Loaded {
        name,
        document,
        project_dir: project.folder,
        variables: project.variables,
        disabled,
        warnings: Vec::new(),
        sources: Sources::default(),
    })
}

/// The stages that run once, on the whole. `None` when they make no sense any more.
fn finish(
    loader: &mut Loader<'_>,
    request: &LoadRequest,
    document: &mut Node,
    name: &str,
    variables: &BTreeMap<String, String>,
) -> Option<Map> {
    if loader.sink.has_structural_errors() {
        return None;
    }
    let place = document.get("name").map_or(Span::NONE, |node| node.span);
    document.set("name", Node::string(name, place));
    normalise::apply(document, name, variables);
    settle::settle(document, &mut loader.sink);
    let mut disabled = profiles::split_disabled(document, &active_profiles(request, variables));
    if !request.skip_consistency {
        validate::consistency(document, &disabled, &mut loader.sink);
        normalise::scale_to_replicas(document);
    }
    profiles::select(document, &mut disabled, &request.services, &mut loader.sink);
    profiles::drop_unused(document);
    loader.env_files(document, variables);
    Some(disabled)
}

fn active_profiles(
    request: &LoadRequest,
    variables: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let from_variable = variables.get("COMPOSE_PROFILES").map_or("", String::as_str);
    let listed = from_variable
        .split(',')
        .map(str::trim)
        .filter(|profile| !profile.is_empty())
        .map(str::to_owned);
    request.profiles.iter().cloned().chain(listed).collect()
}

/// `-p`, else `COMPOSE_PROJECT_NAME`, else the last `name:`, else the folder.
fn name(
    loader: &mut Loader<'_>,
    request: &LoadRequest,
    found: &files::Found,
    variables: &BTreeMap<String, String>,
) -> String {
    if let Some(name) = &request.name {
        return project_name::given(name, "-p", &mut loader.sink);
    }
    if let Some(name) = variables
        .get("COMPOSE_PROJECT_NAME")
        .filter(|name| !name.is_empty())
    {
        return project_name::given(name, "COMPOSE_PROJECT_NAME", &mut loader.sink);
    }
    let written = loader
        .written_name(&found.files, variables)
        .map(|name| project_name::normalise(&name));
    let name = written
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| project_name::normalise(paths::file_name(&found.folder)));
    if name.is_empty() {
        loader.sink.push(
            Diagnostic::new(
                Code::NoProjectName,
                Span::NONE,
                format!("no project name can be made from {}", found.folder),
            )
            .help("write `name:` in the blueprint, or use `-p`"),
        );
    }
    name
}

/// An empty document.
fn empty() -> Node {
    Node {
        value: crate::node::Value::Map(Map::new()),
        ..Node::default()
    }
}

/// All entries of the sections that hold containers.
fn workloads(document: &mut Node) -> impl Iterator<Item = (&'static str, &String, &mut Entry)> {
    let Some(map) = document.as_map_mut() else {
        return Vec::new().into_iter();
    };
    let mut all = Vec::new();
    for (name, entry) in map.iter_mut() {
        let section = match name.as_str() {
            "services" => "services",
            "jobs" => "jobs",
            _ => continue,
        };
        all.extend(
            entry
                .node
                .as_map_mut()
                .into_iter()
                .flatten()
                .map(|(name, entry)| (section, name, entry)),
        );
    }
    all.into_iter()
}
