//! Variables: those of interpolation, and those of containers from `env_file` and `label_file`.

use std::collections::BTreeMap;

use super::context::Loader;
use super::{LoadRequest, workloads};
use crate::diagnostic::{Code, Diagnostic};
use crate::dotenv::{self, Variables};
use crate::files::{self, Found};
use crate::node::{Entry, Map, Node, Value};
use crate::paths;
use crate::sources::Role;
use crate::span::Span;

/// The files of the blueprint, and the variables: the environment wins over `--env-file` or `.env`.
pub(super) fn discover(
    loader: &mut Loader<'_>,
    request: &LoadRequest,
) -> Option<(Found, Variables)> {
    let mut variables = request.env.clone();
    let first = request
        .files
        .iter()
        .find(|file| *file != "-")
        .map(|file| paths::parent(&paths::join(&request.working_dir, file)));
    let asked = request
        .project_dir
        .as_ref()
        .map(|folder| paths::join(&request.working_dir, folder));
    let before = asked
        .or(first)
        .unwrap_or_else(|| request.working_dir.clone());
    let explicit = explicit_files(request);
    if explicit.is_empty() {
        loader.dot_env(&before, &mut variables);
    } else {
        let mut added = Variables::new();
        for file in explicit {
            let path = paths::join(&request.working_dir, &file);
            added.extend(loader.variables_of(&path, Span::NONE, &variables)?);
        }
        fill(&mut variables, added);
    }
    let found = files::find(
        &request.files,
        &request.working_dir,
        request.project_dir.as_deref(),
        &variables,
        loader.source,
        &mut loader.sink,
    )?;
    if found.folder != before && explicit_files(request).is_empty() {
        loader.dot_env(&found.folder, &mut variables);
    }
    Some((found, variables))
}

fn explicit_files(request: &LoadRequest) -> Vec<String> {
    if !request.env_files.is_empty() {
        return request.env_files.clone();
    }
    let listed = request
        .env
        .get("COMPOSE_ENV_FILES")
        .map_or("", String::as_str);
    listed
        .split(',')
        .map(str::trim)
        .filter(|file| !file.is_empty())
        .map(str::to_owned)
        .collect()
}

fn fill(variables: &mut Variables, added: Variables) {
    for (name, value) in added {
        variables.entry(name).or_insert(value);
    }
}

impl Loader<'_> {
    /// Adds the variables of `.env` of a folder, if it is there and not switched off.
    fn dot_env(&mut self, folder: &str, variables: &mut Variables) {
        let off = variables
            .get("COMPOSE_DISABLE_ENV_FILE")
            .is_some_and(|value| matches!(value.to_lowercase().as_str(), "1" | "t" | "true"));
        let path = paths::join(folder, ".env");
        if !off
            && self.source.is_file(&path)
            && let Some(added) = self.variables_of(&path, Span::NONE, variables)
        {
            fill(variables, added);
        }
    }

    /// The variables of a file; `known` is what its values may refer to.
    pub(super) fn variables_of(
        &mut self,
        path: &str,
        from: Span,
        known: &Variables,
    ) -> Option<Variables> {
        let lookup = |name: &str| known.get(name).cloned();
        let read = self.read_pairs(path, Role::Environment, from, false, &lookup)?;
        // A name that starts with a digit cannot be a variable.
        Some(
            read.into_iter()
                .filter(|(name, _)| !name.starts_with(|c: char| c.is_ascii_digit()))
                .collect(),
        )
    }

    fn read_pairs(
        &mut self,
        path: &str,
        role: Role,
        from: Span,
        raw: bool,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Variables> {
        let (id, text) = self.read_text(path, role, from)?;
        let parsed = if raw {
            dotenv::parse_raw(&text, lookup)
        } else {
            dotenv::parse(&text, lookup)
        };
        match parsed {
            Ok(file) => {
                for (line, name) in file.unset {
                    let message =
                        format!("the variable `{name}` is not set; nothing is put in its place");
                    self.sink.push(Diagnostic::new(
                        Code::VariableNotSet,
                        Span::line(id, line),
                        message,
                    ));
                }
                Some(file.variables)
            }
            Err(error) => {
                let message = error.kind.to_string();
                self.sink.push(Diagnostic::new(
                    Code::DotenvSyntax,
                    Span::line(id, error.line),
                    message,
                ));
                None
            }
        }
    }

    /// Puts the variables of `env_file` and the labels of `label_file` into all services and jobs.
    pub(super) fn env_files(&mut self, document: &mut Node, variables: &BTreeMap<String, String>) {
        for (_, _, entry) in workloads(document) {
            self.container_files(&mut entry.node, variables);
            for hook in entry
                .node
                .get_mut("pre_start")
                .and_then(Node::as_seq_mut)
                .into_iter()
                .flatten()
            {
                self.container_files(hook, variables);
            }
        }
    }

    fn container_files(&mut self, node: &mut Node, variables: &BTreeMap<String, String>) {
        if let Some(files) = node.remove("env_file") {
            let own = node
                .get("environment")
                .and_then(Node::as_map)
                .cloned()
                .unwrap_or_default();
            let mut all = Map::new();
            for file in files.as_seq().into_iter().flatten() {
                self.env_file(file, &own, variables, &mut all);
            }
            put_below(node, "environment", all, &files);
        }
        if let Some(files) = node.remove("label_file") {
            let mut all = Map::new();
            for file in files.as_seq().into_iter().flatten() {
                let Some(path) = file.as_str() else { continue };
                let lookup = |name: &str| variables.get(name).cloned();
                let read = self
                    .read_pairs(path, Role::Labels, file.span, false, &lookup)
                    .unwrap_or_default();
                all.extend(
                    read.into_iter()
                        .map(|(key, value)| (key, Entry::made(Node::string(value, file.span)))),
                );
            }
            put_below(node, "labels", all, &files);
        }
    }

    fn env_file(
        &mut self,
        file: &Node,
        own: &Map,
        variables: &BTreeMap<String, String>,
        all: &mut Map,
    ) {
        let Some(path) = file.get("path").and_then(Node::as_str) else {
            return;
        };
        let required = match file.get("required").map(|node| &node.value) {
            Some(Value::Bool(required)) => *required,
            Some(Value::String(text)) => text != "false",
            _ => true,
        };
        if !required && !self.source.is_file(path) {
            return;
        }
        let format = file.get("format").and_then(Node::as_str).unwrap_or("");
        if !matches!(format, "" | ".env" | "raw") {
            let span = file.get("format").map_or(file.span, |node| node.span);
            let message = format!("`{format}` is not a format of environment files");
            self.sink.push(
                Diagnostic::new(Code::EnvFileFormat, span, message)
                    .help("write `format: raw`, or leave it away"),
            );
            return;
        }
        let lookup = |name: &str| {
            variables.get(name).cloned().or_else(|| {
                own.get(name)
                    .and_then(|entry| entry.node.as_str().map(str::to_owned))
            })
        };
        let span = file.get("path").map_or(file.span, |node| node.span);
        let read = self
            .read_pairs(path, Role::Environment, span, format == "raw", &lookup)
            .unwrap_or_default();
        for (key, value) in read {
            let node = Node {
                interpolated: true,
                ..Node::string(value, span)
            };
            all.insert(key, Entry::made(node));
        }
    }
}

/// Puts entries below those that a mapping has.
fn put_below(node: &mut Node, key: &str, below: Map, at: &Node) {
    if node.get(key).is_none_or(Node::is_null) {
        if below.is_empty() {
            return;
        }
        node.set(key, Node::new(Value::Map(Map::new()), at.span));
    }
    if let Some(map) = node.get_mut(key).and_then(Node::as_map_mut) {
        let own = std::mem::replace(map, below);
        map.extend(own);
    }
}
