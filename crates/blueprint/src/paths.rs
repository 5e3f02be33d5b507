//! Paths as text, by Go's rules, and relative paths of a document to absolute ones.

use crate::node::{Node, Value};
use crate::source::Source;

/// The shortest path that means the same (Go's `path.Clean`).
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// `path` below `base`, cleaned; an absolute path stays.
pub fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') || base.is_empty() {
        clean(path)
    } else {
        clean(&format!("{base}/{path}"))
    }
}

/// The folder of a path.
pub fn parent(path: &str) -> String {
    match path.rsplit_once('/') {
        None => ".".to_owned(),
        Some(("", _)) => "/".to_owned(),
        Some((folder, _)) => clean(folder),
    }
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or("")
}

/// Whether a path is one of Windows: `C:\x`, `C:/x`, `\\server\share`.
pub fn is_windows(path: &str) -> bool {
    let mut chars = path.chars();
    let drive = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && matches!(chars.next(), Some('\\' | '/'));
    drive || path.starts_with("\\\\")
}

/// Whether it is a Git reference, an image, or another thing that is not a file of this machine.
pub fn is_remote(path: &str) -> bool {
    path.contains("://")
        || ["github.com/", "git@"]
            .iter()
            .any(|prefix| path.starts_with(prefix))
}

/// What relative paths start from.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// An absolute folder.
    pub folder: &'a str,
    /// What `~` stands for, if it is known.
    pub home: Option<&'a str>,
}

impl Base<'_> {
    fn expand_home(self, path: &str) -> String {
        match (path.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) => clean(&format!("{home}/{rest}")),
            _ => path.to_owned(),
        }
    }
    /// The absolute path; an empty one stays.
    pub fn absolute(self, path: &str) -> String {
        let path = self.expand_home(path);
        if path.starts_with('/') || path.is_empty() {
            path
        } else {
            join(self.folder, &path)
        }
    }
    /// The same for paths that may be of Windows.
    fn maybe_windows(self, path: &str) -> String {
        let path = self.expand_home(path);
        if path.starts_with('/') || is_windows(&path) {
            path
        } else {
            join(self.folder, &path)
        }
    }
    fn context(self, path: &str) -> String {
        if is_remote(path) || path.starts_with("service:") {
            path.to_owned()
        } else {
            self.absolute(path)
        }
    }
}

/// Makes the relative paths of a document absolute. Files of links are resolved for `develop.watch`.
pub fn resolve(document: &mut Node, base: Base<'_>, source: &dyn Source) {
    for section in ["services", "jobs"] {
        if let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) {
            map.values_mut()
                .for_each(|entry| service(&mut entry.node, base, source));
        }
    }
    for section in ["configs", "secrets"] {
        for resource in values(document.get_mut(section)) {
            change(resource.get_mut("file"), |path| base.maybe_windows(path));
        }
    }
    for volume in values(document.get_mut("volumes")) {
        let local = volume.get("driver").and_then(Node::as_str) == Some("local");
        let bind = volume.at(&["driver_opts", "o"]).and_then(Node::as_str) == Some("bind");
        if local && bind {
            let device = volume
                .get_mut("driver_opts")
                .and_then(|options| options.get_mut("device"));
            change(device, |path| base.maybe_windows(path));
        }
    }
}

/// Programs of an included blueprint are built in its folder. In the blueprint itself paths of programs stay
/// relative, so that the same blueprint in another folder is the same.
pub fn resolve_programs(document: &mut Node, folder: &str) {
    for section in ["services", "jobs", "workloads"] {
        for element in values(document.get_mut(section)) {
            let Some(process) = element
                .get_mut("process")
                .filter(|process| process.as_map().is_some())
            else {
                continue;
            };
            let context = match process.get("context") {
                Some(context) => context.as_str().map(|context| join(folder, context)),
                None => Some(folder.to_owned()),
            };
            if let Some(context) = context {
                let span = process
                    .get("context")
                    .map_or(process.span, |context| context.span);
                process.set("context", Node::string(context, span));
            }
        }
    }
}

fn service(service: &mut Node, base: Base<'_>, source: &dyn Source) {
    container(service, base);
    for hook in items(service.get_mut("pre_start")) {
        container(hook, base);
    }
    if let Some(build) = service.get_mut("build") {
        change(build.get_mut("context"), |path| base.context(path));
        for context in values(build.get_mut("additional_contexts")) {
            change(Some(context), |path| base.context(path));
        }
        for key in values(build.get_mut("ssh")) {
            change(Some(key), |path| base.maybe_windows(path));
        }
    }
    change(
        service
            .get_mut("extends")
            .and_then(|extends| extends.get_mut("file")),
        |path| {
            if is_remote(path) {
                path.to_owned()
            } else {
                base.absolute(path)
            }
        },
    );
    for rule in items(
        service
            .get_mut("develop")
            .and_then(|develop| develop.get_mut("watch")),
    ) {
        change(rule.get_mut("path"), |path| {
            if path.is_empty() {
                String::new()
            } else {
                source.canonical(&base.absolute(path))
            }
        });
    }
}

fn container(node: &mut Node, base: Base<'_>) {
    for file in items(node.get_mut("env_file")) {
        change(file.get_mut("path"), |path| base.absolute(path));
    }
    for file in items(node.get_mut("label_file")) {
        change(Some(file), |path| base.absolute(path));
    }
    for mount in items(node.get_mut("volumes")) {
        if mount.get("type").and_then(Node::as_str) == Some("bind") {
            change(mount.get_mut("source"), |path| base.maybe_windows(path));
        }
    }
}

fn values(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    node.and_then(Node::as_map_mut)
        .into_iter()
        .flat_map(|map| map.values_mut().map(|entry| &mut entry.node))
}

fn items(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    node.and_then(Node::as_seq_mut).into_iter().flatten()
}

fn change(node: Option<&mut Node>, with: impl FnOnce(&str) -> String) {
    if let Some(node) = node
        && let Value::String(text) = &node.value
    {
        node.value = Value::String(with(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_and_joined_as_go_does() {
        for (path, expected) in [
            ("a//b/./c/..", "a/b"),
            ("/..", "/"),
            ("", "."),
            ("../a/../..", "../.."),
            ("/a/../../b/", "/b"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
        assert_eq!(join("/a/b", "../c"), "/a/c");
        assert_eq!(join("/a", "/c"), "/c");
        assert_eq!(parent("/a"), "/");
        assert_eq!(parent("a"), ".");
        let base = Base {
            folder: "/p",
            home: Some("/root"),
        };
        assert_eq!(base.absolute("~/x"), "/root/x");
        assert_eq!(base.maybe_windows("C:\\x"), "C:\\x");
        assert_eq!(base.context("https://x/y.git"), "https://x/y.git");
    }
}
