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

/// A service on the way to its base.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    file: String,
    name: String,
    at: Span,
}

impl Loader<'_> {
    /// Resolves `extends` of all services and jobs of a document.
    pub(super) fn extends(&mut self, next: &mut Expansion, path: &str, project: &Project, bases: &mut Bases) {
        for section in ["services", "jobs"] {
            let Some(services) = next.root.get_mut(section).and_then(Node::as_map_mut) else { continue };
            let scope = Scope { section, path, folder: project.folder.clone(), tagged: &next.tagged };
            let names: Vec<String> = services.keys().cloned().collect();
            for name in names {
                self.extend_service(services, &name, &scope, &mut Vec::new(), project, bases);
            }
        }
    }

    fn extend_service(
        &mut self,
        services: &mut Map,
        name: &str,
        scope: &Scope<'_>,
        chain: &mut Vec<Step>,
        project: &Project,
        bases: &mut Bases,
    ) {
        let Some(extends) = services.get_mut(name).and_then(|entry| entry.node.remove("extends")) else { return };
        let Some((wanted, file)) = self.read_extends(&extends, name, scope) else { return };
        let step = Step { file: scope.path.to_owned(), name: name.to_owned(), at: extends.span };
        chain.push(step);
        let base = match file {
            Some(file) => self.base_in_file(&file, &wanted, (name, &extends), scope, chain, project, bases),
            None => self.base_in_scope(services, &wanted, (name, &extends), scope, chain, project, bases),
        };
        chain.pop();
        let (Some(mut base), Some(entry)) = (base, services.get_mut(name)) else { return };
        if !self.may_extend(base.size(), extends.span) {
            return;
        }
        for path in scope.tagged {
            if let [section, service, rest @ ..] = path.as_slice()
                && section == scope.section
                && service == name
                && !rest.is_empty()
            {
                crate::tags::apply(&mut base, &[rest.to_vec()]);
            }
        }
        let mut path = vec![scope.section.to_owned(), name.to_owned()];
        let own = std::mem::take(&mut entry.node);
        let span = own.span;
        entry.node = merge::merge(base, own, &mut path, &mut self.sink);
        entry.node.span = span;
    }

    /// The name and the file that `extends` says.
    fn read_extends(&mut self, extends: &Node, name: &str, scope: &Scope<'_>) -> Option<(String, Option<String>)> {
        let text = |key: &str| extends.get(key).and_then(Node::as_str).map(str::to_owned);
        let (service, file) = match &extends.value {
            Value::String(service) => (Some(service.clone()), None),
            Value::Map(map) => {
                if let Some((key, entry)) = map.iter().find(|(key, _)| !matches!(key.as_str(), "service" | "file")) {
                    let message = format!("unknown key `{key}` in extends (`{}.{name}.extends`)", scope.section);
                    self.sink.push(Diagnostic::new(Code::UnknownKey, entry.key, message).nearest(key, ["service", "file"]));
                }
                (text("service"), text("file"))
            }
            _ => (None, None),
        };
        if extends.is_opaque() || extends.get("service").is_some_and(Node::is_opaque) || extends.get("file").is_some_and(Node::is_opaque) {
            return None;
        }
        let Some(service) = service else {
            let message = format!("`{}.{name}.extends` does not say which service", scope.section);
            self.sink.push(
                Diagnostic::new(Code::ExtendsForm, extends.span, message)
                    .help("write `extends: NAME` or `extends: {service: NAME, file: PATH}`"),
            );
            return None;
        };
        Some((service, file))
    }

    #[allow(clippy::too_many_arguments)]
    fn base_in_scope(
        &mut self,
        services: &mut Map,
        wanted: &str,
        (name, extends): (&str, &Node),
        scope: &Scope<'_>,
        chain: &mut Vec<Step>,
        project: &Project,
        bases: &mut Bases,
    ) -> Option<Node> {
        if self.circular(wanted, scope, chain, extends.span) {
            return None;
        }
        if !services.contains_key(wanted) {
            self.missing(name, wanted, scope.path, extends.span, services);
            return None;
        }
        self.extend_service(services, wanted, scope, chain, project, bases);
        services.get(wanted).map(|entry| entry.node.clone()).filter(|node| !node.is_null())
    }

    #[allow(clippy::too_many_arguments)]
    fn base_in_file(
        &mut self,
        file: &str,
        wanted: &str,
        (name, extends): (&str, &Node),
        scope: &Scope<'_>,
        chain: &mut Vec<Step>,
        project: &Project,
        bases: &mut Bases,
    ) -> Option<Node> {
        let at = extends.get("file").map_or(extends.span, |node| node.span);
        if paths::is_remote(file) {
            self.sink.push(Diagnostic::new(Code::RemoteFile, at, format!("{file} is not a local file")));
            return None;
        }
        let path = self.absolute(&scope.folder, file);
        let base: Rc<BaseFile> = self.base_file(&path, at, project, bases)?;
        let inner =
            Scope { section: scope.section, path: &base.path, folder: paths::parent(&base.path), tagged: &base.tagged };
        if self.circular(wanted, &inner, chain, extends.span) {
            return None;
        }
        let mut services = base.document.get(scope.section).and_then(Node::as_map).cloned().unwrap_or_default();
        if !services.contains_key(wanted) {
            self.missing(name, wanted, &path, extends.span, &services);
            return None;
        }
        self.extend_service(&mut services, wanted, &inner, chain, project, bases);
        services.shift_remove(wanted).map(|entry| entry.node).filter(|node| !node.is_null())
    }

    fn missing(&mut self, name: &str, wanted: &str, path: &str, at: Span, services: &Map) {
        let message = format!("`{name}` extends `{wanted}`, which is not in {path}");
        let known = services.keys().map(String::as_str).filter(|known| *known != name);
        self.sink.push(Diagnostic::new(Code::ExtendsMissing, at, message).nearest(wanted, known));
    }

    fn circular(&mut self, wanted: &str, scope: &Scope<'_>, chain: &[Step], at: Span) -> bool {
        let start = chain.iter().position(|step| step.name == wanted && step.file == scope.path);
        if let Some(start) = start {
            let names: Vec<&str> = chain[start..].iter().map(|step| step.name.as_str()).collect();
            let message = format!("circular reference of `extends`: {} -> {wanted}", names.join(" -> "));
            let mut diagnostic = Diagnostic::new(Code::ExtendsCycle, at, message);
            for step in chain[start..].iter().take(4).filter(|step| step.at != at) {
                diagnostic = diagnostic.also(step.at, format!("`{}` extends another here", step.name));
            }
            self.sink.push(diagnostic.help("one of them must extend nothing"));
            return true;
        }
        if chain.len() > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} services extend each other in a row");
            self.sink.push(Diagnostic::new(Code::ExtendsCycle, at, message));
            return true;
        }
        false
    }
}
