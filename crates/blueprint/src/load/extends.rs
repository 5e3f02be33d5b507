//! `extends`: a service on top of another, of the same file or of another one.

use std::rc::Rc;

use super::base::{BaseFile, Bases};
use super::context::{Loader, Project};
use crate::diagnostic::{Code, Diagnostic};
use crate::merge;
use crate::node::{Map, Node, Value};
use crate::paths;
use crate::span::Span;
use crate::yaml::Expansion;

/// The longest chain of services.
const MAX_CHAIN: usize = 100;

/// The services of one file, and what its tags take away.
struct Scope<'a> {
    section: &'static str,
    path: &'a str,
    /// Where relative files of `extends` start.
    folder: String,
    tagged: &'a [Vec<String>],
}

impl Scope<'_> {
    /// What the tags of the file take away from the base of a service.
    fn take_away(&self, name: &str, base: &mut Node) {
        for path in self.tagged {
            if let [section, service, rest @ ..] = path.as_slice()
                && section == self.section
                && service == name
                && !rest.is_empty()
            {
                crate::tags::apply(base, &[rest.to_vec()]);
            }
        }
    }
}

/// A service on the way to its base.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    file: String,
    name: String,
    at: Span,
}

/// What all services of one document share while they are extended.
struct Extending<'a> {
    project: &'a Project,
    bases: &'a mut Bases,
    /// The services on the way, outermost first.
    chain: Vec<Step>,
}

/// Who extends what.
struct Wish<'a> {
    name: &'a str,
    base: String,
    file: Option<String>,
    extends: &'a Node,
}

impl Loader<'_> {
    /// Resolves `extends` of all services and jobs of a document.
    pub(super) fn extends(
        &mut self,
        next: &mut Expansion,
        path: &str,
        project: &Project,
        bases: &mut Bases,
    ) {
        for section in ["services", "jobs"] {
            let Some(services) = next.root.get_mut(section).and_then(Node::as_map_mut) else {
                continue;
            };
            let scope = Scope {
                section,
                path,
                folder: project.folder.clone(),
                tagged: &next.tagged,
            };
            let names: Vec<String> = services.keys().cloned().collect();
            let mut all = Extending {
                project,
                bases: &mut *bases,
                chain: Vec::new(),
            };
            for name in names {
                self.extend_service(services, &name, &scope, &mut all);
            }
        }
    }

    fn extend_service(
        &mut self,
        services: &mut Map,
        name: &str,
        scope: &Scope<'_>,
        all: &mut Extending<'_>,
    ) {
        let extends = services
            .get_mut(name)
            .and_then(|entry| entry.node.remove("extends"));
        let Some(extends) = extends else { return };
        let Some((base, file)) = self.read_extends(&extends, name, scope) else {
            return;
        };
        let wish = Wish {
            name,
            base,
            file,
            extends: &extends,
        };
        all.chain.push(Step {
            file: scope.path.to_owned(),
            name: name.to_owned(),
            at: extends.span,
        });
        let base = match &wish.file {
            Some(file) => self.base_in_file(file, &wish, scope, all),
            None => self.base_in_scope(services, &wish, scope, all),
        };
        all.chain.pop();
        let (Some(mut base), Some(entry)) = (base, services.get_mut(name)) else {
            return;
        };
        if !self.may_extend(base.size(), extends.span) {
            return;
        }
        scope.take_away(name, &mut base);
        let own = std::mem::take(&mut entry.node);
        let span = own.span;
        let mut path = vec![scope.section.to_owned(), name.to_owned()];
        entry.node = merge::merge(base, own, &mut path, &mut self.sink);
        entry.node.span = span;
    }

    /// The name and the file that `extends` says.
    fn read_extends(
        &mut self,
        extends: &Node,
        name: &str,
        scope: &Scope<'_>,
    ) -> Option<(String, Option<String>)> {
        let text = |key: &str| extends.get(key).and_then(Node::as_str).map(str::to_owned);
        let (service, file) = match &extends.value {
            Value::String(service) => (Some(service.clone()), None),
            Value::Map(map) => {
                if let Some((key, entry)) = map
                    .iter()
                    .find(|(key, _)| !matches!(key.as_str(), "service" | "file"))
                {
                    let message = format!(
                        "unknown key `{key}` in extends (`{}.{name}.extends`)",
                        scope.section
                    );
                    self.sink.push(
                        Diagnostic::new(Code::UnknownKey, entry.key, message)
                            .nearest(key, ["service", "file"]),
                    );
                }
                (text("service"), text("file"))
            }
            _ => (None, None),
        };
        if extends.is_opaque()
            || extends.get("service").is_some_and(Node::is_opaque)
            || extends.get("file").is_some_and(Node::is_opaque)
        {
            return None;
        }
        let Some(service) = service else {
            let message = format!(
                "`{}.{name}.extends` does not say which service",
                scope.section
            );
            self.sink.push(
                Diagnostic::new(Code::ExtendsForm, extends.span, message)
                    .help("write `extends: NAME` or `extends: {service: NAME, file: PATH}`"),
            );
            return None;
        };
        Some((service, file))
    }

    fn base_in_scope(
        &mut self,
        services: &mut Map,
        wish: &Wish<'_>,
        scope: &Scope<'_>,
        all: &mut Extending<'_>,
    ) -> Option<Node> {
        if self.circular(wish, scope, &all.chain) {
            return None;
        }
        if !services.contains_key(&wish.base) {
            self.missing(wish, scope.path, services);
            return None;
        }
        self.extend_service(services, &wish.base, scope, all);
        services
            .get(&wish.base)
            .map(|entry| entry.node.clone())
            .filter(|node| !node.is_null())
    }

    fn base_in_file(
        &mut self,
        file: &str,
        wish: &Wish<'_>,
        scope: &Scope<'_>,
        all: &mut Extending<'_>,
    ) -> Option<Node> {
        let at = wish
            .extends
            .get("file")
            .map_or(wish.extends.span, |node| node.span);
        if paths::is_remote(file) {
            self.sink.push(Diagnostic::new(
                Code::RemoteFile,
                at,
                format!("{file} is not a local file"),
            ));
            return None;
        }
        let path = self.absolute(&scope.folder, file);
        let base: Rc<BaseFile> = self.base_file(&path, at, all.project, all.bases)?;
        let inner = Scope {
            section: scope.section,
            path: &base.path,
            folder: paths::parent(&base.path),
            tagged: &base.tagged,
        };
        if self.circular(wish, &inner, &all.chain) {
            return None;
        }
        let services = base.document.get(scope.section).and_then(Node::as_map);
        let mut services = services.cloned().unwrap_or_default();
        if !services.contains_key(&wish.base) {
            self.missing(wish, &path, &services);
            return None;
        }
        self.extend_service(&mut services, &wish.base, &inner, all);
        services
            .shift_remove(&wish.base)
            .map(|entry| entry.node)
            .filter(|node| !node.is_null())
    }

    fn missing(&mut self, wish: &Wish<'_>, path: &str, services: &Map) {
        let Wish {
            name,
            base,
            extends,
            ..
        } = wish;
        let message = format!("`{name}` extends `{base}`, which is not in {path}");
        let known = services
            .keys()
            .map(String::as_str)
            .filter(|known| known != name);
        self.sink.push(
            Diagnostic::new(Code::ExtendsMissing, extends.span, message).nearest(base, known),
        );
    }

    fn circular(&mut self, wish: &Wish<'_>, scope: &Scope<'_>, chain: &[Step]) -> bool {
        let (wanted, at) = (&wish.base, wish.extends.span);
        let start = chain
            .iter()
            .position(|step| step.name == *wanted && step.file == scope.path);
        if let Some(start) = start {
            let names: Vec<&str> = chain[start..]
                .iter()
                .map(|step| step.name.as_str())
                .collect();
            let message = format!(
                "circular reference of `extends`: {} -> {wanted}",
                names.join(" -> ")
            );
            let mut diagnostic = Diagnostic::new(Code::ExtendsCycle, at, message);
            for step in chain[start..].iter().take(4).filter(|step| step.at != at) {
                diagnostic =
                    diagnostic.also(step.at, format!("`{}` extends another here", step.name));
            }
            self.sink
                .push(diagnostic.help("one of them must extend nothing"));
            return true;
        }
        if chain.len() > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} services extend each other in a row");
            self.sink
                .push(Diagnostic::new(Code::ExtendsCycle, at, message));
            return true;
        }
        false
    }
}
