//! `include`: other blueprints, loaded as a whole with their own folder and variables.

use std::collections::BTreeMap;

use super::context::{Loader, Project};
use crate::diagnostic::{Code, Diagnostic};
use crate::merge;
use crate::node::{Map, Node, Value};
use crate::paths;
use crate::span::Span;
use crate::tags;
use crate::yaml::Expansion;

/// The sections that an included blueprint brings, element by element.
const SECTIONS: [&str; 18] = [
    "services",
    "jobs",
    "volumes",
    "networks",
    "secrets",
    "configs",
    "models",
    "inputs",
    "locals",
    "providers",
    "data",
    "resources",
    "hosts",
    "pools",
    "workloads",
    "workflows",
    "modules",
    "outputs",
];
/// The deepest nesting of includes.
const MAX_INCLUDES: usize = 50;

struct Include {
    paths: Vec<(String, Span)>,
    project_directory: Option<String>,
    env_files: Option<Vec<(String, Span)>>,
}

impl Loader<'_> {
    /// Loads what a document includes and puts it below the document's own elements.
    pub(super) fn include(&mut self, next: &mut Expansion, project: &Project, stack: Vec<String>) {
        let Some(list) = next.root.remove("include") else {
            return;
        };
        let Value::Seq(items) = &list.value else {
            if !list.is_opaque() && !list.is_null() {
                self.include_form(&list);
            }
            return;
        };
        for item in items {
            let Some(include) = self.read_include(item) else {
                continue;
            };
            if let Some(imported) = self.load_include(include, project, &stack) {
                self.import(imported, next);
            }
        }
    }

    fn include_form(&mut self, node: &Node) {
        self.sink.push(
            Diagnostic::new(
                Code::IncludeForm,
                node.span,
                format!("`include` cannot be {}", node.kind()),
            )
            .help("write a list of paths, or of {path: …, project_directory: …, env_file: …}"),
        );
    }

    fn read_include(&mut self, item: &Node) -> Option<Include> {
        let texts = |node: &Node| -> Option<Vec<(String, Span)>> {
            match &node.value {
                Value::String(text) => Some(vec![(text.clone(), node.span)]),
                Value::Seq(items) => items
                    .iter()
                    .map(|item| item.as_str().map(|text| (text.to_owned(), item.span)))
                    .collect(),
                _ => None,
            }
        };
        let include = match &item.value {
            Value::String(_) => texts(item).map(|paths| Include {
                paths,
                project_directory: None,
                env_files: None,
            }),
            Value::Map(map) => {
                self.known_keys(map);
                item.get("path").and_then(texts).map(|paths| Include {
                    paths,
                    project_directory: item
                        .get("project_directory")
                        .and_then(Node::as_str)
                        .map(str::to_owned),
                    env_files: item.get("env_file").and_then(texts),
                })
            }
            _ => None,
        };
        let include = include.filter(|include| !include.paths.is_empty());
        if include.is_none() && !item.is_opaque() {
            self.include_form(item);
        }
        include
    }

    fn known_keys(&mut self, map: &Map) {
        let known = ["path", "project_directory", "env_file"];
        for (key, entry) in map.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let message = format!("unknown key `{key}` in an include");
            self.sink
                .push(Diagnostic::new(Code::UnknownKey, entry.key, message).nearest(key, known));
        }
    }

    fn load_include(
        &mut self,
        include: Include,
        project: &Project,
        stack: &[String],
    ) -> Option<Node> {
        let mut files = Vec::new();
        for (path, span) in &include.paths {
            if paths::is_remote(path) {
                self.sink.push(Diagnostic::new(
                    Code::RemoteFile,
                    *span,
                    format!("{path} is not a local file"),
                ));
                return None;
            }
            files.push((self.absolute(&project.folder, path), *span));
        }
        let (main, at) = files.first()?.clone();
        if let Some(start) = stack.iter().position(|file| *file == main) {
            let names: Vec<&str> = stack[start..]
                .iter()
                .map(|file| paths::file_name(file))
                .collect();
            let message = format!(
                "files include each other in a circle: {} -> {}",
                names.join(" -> "),
                paths::file_name(&main)
            );
            self.sink
                .push(Diagnostic::new(Code::IncludeCycle, at, message));
            return None;
        }
        if stack.len() > MAX_INCLUDES {
            let message = format!("includes are nested more than {MAX_INCLUDES} deep");
            self.sink
                .push(Diagnostic::new(Code::IncludeCycle, at, message));
            return None;
        }
        let folder = match &include.project_directory {
            Some(folder) => self.absolute(&project.folder, folder),
            None => paths::parent(&main),
        };
        let variables = self.include_variables(&include, &folder, project)?;
        for (file, span) in &files {
            // A missing file is reported where it is named; the content is kept for the load.
            self.open(file, *span)?;
        }
        let inner = Project {
            files: files.into_iter().map(|(file, _)| file).collect(),
            folder,
            variables,
            stack: stack.to_vec(),
        };
        let mut document = self.project(&inner);
        if inner.folder != project.folder {
            paths::resolve_programs(&mut document, &inner.folder);
        }
        Some(document)
    }

    /// The variables around, and those of the include's own files where they are not set.
    fn include_variables(
        &mut self,
        include: &Include,
        folder: &str,
        project: &Project,
    ) -> Option<BTreeMap<String, String>> {
        let mut variables = project.variables.clone();
        let files: Vec<(String, Span)> = match &include.env_files {
            Some(files) => files
                .iter()
                .map(|(file, span)| (self.absolute(&project.folder, file), *span))
                .collect(),
            None => {
                let own = paths::join(folder, ".env");
                if self.source.is_file(&own) {
                    vec![(own, Span::NONE)]
                } else {
                    Vec::new()
                }
            }
        };
        let mut added = BTreeMap::new();
        for (file, span) in files {
            added.extend(self.variables_of(&file, span, &variables)?);
        }
        for (name, value) in added {
            variables.entry(name).or_insert(value);
        }
        Some(variables)
    }

    /// Puts imported elements below those of the document: a local definition is laid over the imported one.
    fn import(&mut self, mut imported: Node, next: &mut Expansion) {
        for section in SECTIONS {
            let Some(Node {
                value: Value::Map(elements),
                span,
                ..
            }) = imported.remove(section)
            else {
                continue;
            };
            if next.root.get(section).is_none_or(|node| node.is_null()) {
                next.root
                    .set(section, Node::new(Value::Map(Map::new()), span));
            }
            let Some(Value::Map(own)) = next.root.get_mut(section).map(|node| &mut node.value)
            else {
                continue;
            };
            for (name, mut entry) in elements {
                let Some(local) = own.get_mut(&name) else {
                    own.insert(name, entry);
                    continue;
                };
                if local.node == entry.node {
                    continue;
                }
                for path in next
                    .tagged
                    .iter()
                    .filter(|path| path.len() > 2 && path[0] == section && path[1] == name)
                {
                    tags::apply(&mut entry.node, &[path[2..].to_vec()]);
                }
                let mut path = vec![section.to_owned(), name];
                let over = std::mem::take(&mut local.node);
                local.node = merge::merge(entry.node, over, &mut path, &mut self.sink);
            }
        }
        for key in ["target", "objectives"] {
            if let Some(node) = imported.remove(key)
                && next.root.get(key).is_none()
            {
                next.root.set(key, node);
            }
        }
    }
}
