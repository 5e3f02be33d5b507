//! `workflows`: definitions of the Open Workflow DSL, and the requests that they answer.

use consort_model::{Kind, Value as Json};

use super::pools::fill;
use super::process::tidy;
use super::{Build, Declared};
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Entry, Map, Node, Value};

/// The edition that a definition without `document` is written in.
const DSL: &str = "1.0.3";
/// The HTTP methods of `expose`.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

impl Build<'_> {
    pub(super) fn workflow(&mut self, name: &str, entry: &Entry) {
        let here = format!("workflows.{name}");
        let mut body = entry.node.clone();
        tidy(&mut body);
        self.no_expression(&format!("{here}.file"), body.get("file"));
        match body.get("definition") {
            None => {
                let message = format!("`{here}` has no definition");
                self.say(
                    Diagnostic::new(Code::NeedsOneOf, entry.key, message)
                        .help("add `definition:`, or `file:` for one in a file of its own"),
                );
            }
            Some(Node {
                value: Value::Map(_),
                ..
            }) => {}
            Some(definition) => {
                let message = format!(
                    "`{here}.definition` must be a mapping, not {}",
                    definition.kind()
                );
                let span = definition.span;
                self.say(
                    Diagnostic::new(Code::WrongType, span, message)
                        .help("a definition has `do:` with a list of tasks"),
                );
            }
        }
        let deployment = self.loaded.name.clone();
        if let Some(definition) = body
            .get_mut("definition")
            .filter(|definition| definition.as_map().is_some())
        {
            fill_document(definition, &deployment, name);
        }
        if let Some(definition) = body
            .get("definition")
            .filter(|definition| definition.as_map().is_some())
        {
            self.definition(&here, definition);
        }
        self.expose(&here, &mut body);
        self.declare(Kind::Workflow, name, entry.key, &body, Declared::default());
    }

    fn expose(&mut self, here: &str, body: &mut Node) {
        let Some(expose) = body
            .get_mut("expose")
            .filter(|expose| expose.as_map().is_some())
        else {
            return;
        };
        for key in METHODS.iter().copied().chain(["auth"]) {
            let span = expose
                .get(key)
                .filter(|node| node.is_opaque())
                .map(|node| node.span);
            if let Some(span) = span {
                let message = format!("`{here}.expose.{key}` cannot be an expression");
                self.sink.push(
                    Diagnostic::new(Code::ExpressionNotHere, span, message)
                        .help("write the value itself"),
                );
            }
        }
        if METHODS.iter().all(|method| expose.get(method).is_none()) {
            let message = format!("`{here}.expose` names no request");
            let span = expose.span;
            self.say(
                Diagnostic::new(Code::NeedsOneOf, span, message)
                    .help("write for example `expose: {get: /customers/{id}}`"),
            );
            return;
        }
        fill(expose, "auth", Value::String("token".to_owned()));
        self.exposed_once(here);
    }

    /// Two workflows cannot answer the same request.
    fn exposed_once(&mut self, here: &str) {
        let all = self
            .loaded
            .document
            .get("workflows")
            .and_then(Node::as_map)
            .into_iter()
            .flat_map(Map::iter);
        let mut mine: Vec<(&str, String, Json, crate::span::Span)> = Vec::new();
        let mut others = Vec::new();
        for (name, entry) in all {
            let Some(expose) = entry.node.get("expose") else {
                continue;
            };
            let port = expose.get("port").map_or(Json::Null, Node::to_json);
            for method in METHODS {
                let Some((path, span)) = expose
                    .get(method)
                    .and_then(|node| Some((node.as_str()?, node.span)))
                else {
                    continue;
                };
                let request = (method, shape(path), port.clone(), span);
                if format!("workflows.{name}") == here {
                    mine.push(request)
                } else {
                    others.push((name.as_str(), request))
                }
            }
        }
        let mut twice = Vec::new();
        for (method, path, port, span) in &mine {
            let same = others
                .iter()
                .find(|(_, (m, p, o, at))| (m, p, o) == (method, path, port) && at < span);
            twice.extend(same.map(|(name, other)| {
                (
                    *span,
                    format!("`{here}` answers a request that `workflows.{name}` answers already"),
                    other.3,
                )
            }));
        }
        for (span, message, other) in twice {
            self.say(
                Diagnostic::new(Code::Conflict, span, message)
                    .also(other, "here")
                    .help("give one of them another path or port"),
            );
        }
    }
}

/// A path without the names of its parameters.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                "{}"
            } else {
                segment
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// In a blueprint `document` may be left out; if it is there, it wins (workflow.md 1.1).
fn fill_document(definition: &mut Node, deployment: &str, name: &str) {
    if definition.get("document").is_some() {
        return;
    }
    let text = |text: &str| Value::String(text.to_owned());
    let document = Node::map(
        [
            ("dsl", text(DSL)),
            ("namespace", text(&label(deployment))),
            ("name", text(&label(name))),
            ("version", text("0.0.0")),
        ],
        definition.span,
    );
    let Some(map) = definition.as_map_mut() else {
        return;
    };
    map.shift_insert(0, "document".to_owned(), Entry::made(document));
}

/// A name as RFC 1123 wants it: small letters, digits and `-`, at most 63.
fn label(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    match clean.trim_matches('-') {
        "" => "workflow".to_owned(),
        label => label.to_owned(),
    }
}
