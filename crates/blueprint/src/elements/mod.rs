//! The resolved document to the typed blueprint of the model. A module per element; all mistakes at once.

mod cycles;
mod definitions;
mod graph;
mod inputs;
mod locate;
mod outputs;
mod pools;
mod process;
mod references;
mod resources;
mod services;
mod workflows;
mod workloads;

use consort_model::blueprint::{Blueprint, Lifecycle, NodeDecl, TargetKind, Warning};
use consort_model::{Address, Kind, Template};
use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Severity, Sink};
use crate::load::Loaded;
use crate::node::{Map, Node, Value};
use crate::span::Span;
use crate::support;
use graph::Graph;

pub use definitions::{CheckDefinition, DefinitionMistake};

/// The typed blueprint of a loaded document, with what a person should know beside what the load said.
///
/// # Errors
/// All mistakes of the elements and expressions, and the warnings, in the order of their places.
pub fn to_blueprint(loaded: &Loaded) -> Result<(Blueprint, Vec<Diagnostic>), Vec<Diagnostic>> {
    to_blueprint_with(loaded, &|_| Vec::new())
}

/// The same, with a check of the definitions of workflows. The language of workflows lives in a crate above this
/// one, which is why its check is handed in.
///
/// # Errors
/// As [`to_blueprint`], and what the check finds.
pub fn to_blueprint_with(
    loaded: &Loaded,
    check: CheckDefinition<'_>,
) -> Result<(Blueprint, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut build = Build {
        loaded,
        check,
        sink: Sink::default(),
        blueprint: Blueprint {
            name: loaded.name.clone(),
            target: None,
            target_settings: Template::default(),
            inputs: IndexMap::new(),
            nodes: IndexMap::new(),
            outputs: IndexMap::new(),
            objectives: None,
            warnings: Vec::new(),
        },
        graph: Graph::default(),
    };
    build.refuse_private_characters(&loaded.document);
    build.refuse_expression_keys();
    build.sections();
    build.check_references();
    build.target_warnings();
    build.finish()
}

/// What is being built.
struct Build<'a> {
    loaded: &'a Loaded,
    check: CheckDefinition<'a>,
    sink: Sink,
    blueprint: Blueprint,
    graph: Graph,
}

/// Elements that the language keeps room for.
const NOT_THERE_YET: [&str; 3] = ["providers", "hosts", "modules"];

impl<'a> Build<'a> {
    fn sections(&mut self) {
        let loaded = self.loaded;
        for (section, entry) in loaded.document.as_map().into_iter().flat_map(Map::iter) {
            let elements = entry.node.as_map().into_iter().flat_map(Map::iter);
            match section.as_str() {
                "inputs" => elements.for_each(|(name, entry)| self.input(name, entry)),
                "locals" => elements.for_each(|(name, entry)| self.local(name, entry)),
                "data" => elements.for_each(|(name, entry)| self.resource(Kind::Data, name, entry)),
                "resources" => {
                    elements.for_each(|(name, entry)| self.resource(Kind::Resource, name, entry))
                }
                "networks" => {
                    elements.for_each(|(name, entry)| self.plain(Kind::Network, name, entry))
                }
                "volumes" => {
                    elements.for_each(|(name, entry)| self.plain(Kind::Volume, name, entry))
                }
                "configs" => {
                    elements.for_each(|(name, entry)| self.plain(Kind::Config, name, entry))
                }
                "secrets" => {
                    elements.for_each(|(name, entry)| self.plain(Kind::Secret, name, entry))
                }
                "services" => {
                    elements.for_each(|(name, entry)| self.service(Kind::Service, name, entry))
                }
                "jobs" => elements.for_each(|(name, entry)| self.service(Kind::Job, name, entry)),
                "pools" => elements.for_each(|(name, entry)| self.pool(name, entry)),
                "workloads" => elements.for_each(|(name, entry)| self.workload(name, entry)),
                "workflows" => elements.for_each(|(name, entry)| self.workflow(name, entry)),
                "outputs" => elements.for_each(|(name, entry)| self.output(name, entry)),
                "objectives" => self.objectives(&entry.node),
                "target" => self.target(&entry.node),
                section if NOT_THERE_YET.contains(&section) && !empty(&entry.node) => {
                    let message = format!("`{section}` are not there yet");
                    self.say(
                        Diagnostic::new(Code::NotThereYet, entry.key, message)
                            .help(format!("this version cannot carry them out; take `{section}` out of the blueprint")),
                    );
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, diagnostic: Diagnostic) {
        self.sink.push(diagnostic);
    }

    /// Declares a node and notes the expressions of its parts.
    fn declare(&mut self, kind: Kind, name: &str, key: Span, body: &Node, decl: Declared) {
        let address = Address::new(kind, name);
        let each = decl.for_each.is_some();
        self.graph.declare(&address, decl.for_each.as_ref());
        self.graph.note(&address, body, each, false);
        if let Some(for_each) = &decl.for_each {
            self.graph.note(&address, for_each, false, true);
        }
        for (on, span) in &decl.edges {
            self.graph.edge(&address, on.clone(), *span);
        }
        let sources = &self.loaded.sources;
        let node = NodeDecl {
            type_name: decl.type_name.unwrap_or_else(|| kind.word().to_owned()),
            body: body.to_template(sources),
            for_each: decl.for_each.as_ref().map(|node| node.to_template(sources)),
            depends_on: decl.depends_on,
            lifecycle: decl.lifecycle,
            time_limit: decl.time_limit,
            place: sources.place(key),
        };
        self.blueprint.nodes.insert(address, node);
    }

    /// Text that looks like a token of a secret could steal its value.
    fn refuse_private_characters(&mut self, node: &Node) {
        let private =
            |text: &str| text.contains([consort_model::secret::OPEN, consort_model::secret::CLOSE]);
        match &node.value {
            Value::Map(map) => {
                for (key, entry) in map {
                    if private(key) {
                        self.say(private_character(entry.key));
                    }
                    self.refuse_private_characters(&entry.node);
                }
            }
            Value::Seq(items) => items
                .iter()
                .for_each(|item| self.refuse_private_characters(item)),
            _ if node.scalar_text().is_some_and(|text| private(&text)) => {
                self.say(private_character(node.span))
            }
            _ => {}
        }
    }

    /// Keys of our elements are never expressions. (In Compose's own they are text, as Compose has it.)
    fn refuse_expression_keys(&mut self) {
        for section in [
            "inputs",
            "locals",
            "data",
            "resources",
            "pools",
            "workloads",
            "outputs",
        ] {
            if let Some(node) = self.loaded.document.get(section) {
                self.plain_keys(node);
            }
        }
    }

    fn plain_keys(&mut self, node: &Node) {
        match &node.value {
            Value::Map(map) => {
                for (key, entry) in map {
                    let expression = key
                        .match_indices("${")
                        .any(|(at, _)| key[at + 2..].starts_with(char::is_whitespace));
                    if expression {
                        self.say(
                            Diagnostic::new(Code::ExpressionNotHere, entry.key, "a key cannot be an expression")
                                .help("build the whole mapping in one expression: ${ {(.inputs.name): 1} }"),
                        );
                    }
                    self.plain_keys(&entry.node);
                }
            }
            Value::Seq(items) => items.iter().for_each(|item| self.plain_keys(item)),
            _ => {}
        }
    }

    /// What the target does not do. Without `target:` it is `process` where every service can run there.
    fn target_warnings(&mut self) {
        let services = self.loaded.document.get("services").and_then(Node::as_map);
        let all_run = || {
            services
                .into_iter()
                .flat_map(Map::values)
                .all(|entry| runs_as_process(&entry.node))
        };
        let target = self
            .blueprint
            .target
            .or_else(|| all_run().then_some(TargetKind::Process));
        let Some(target) = target else { return };
        // What is carried out in part is said by the target, which knows which part is asked for.
        let ignored = support::warnings(&self.loaded.document, target)
            .into_iter()
            .filter(|warning| warning.code != Code::PartlyCarriedOut);
        // Goals that are not acted upon were announced as such.
        let goal = |warning: &Diagnostic| {
            warning.message.ends_with(".autoscale`") || warning.message.ends_with(".objective`")
        };
        ignored
            .filter(|warning| !goal(warning))
            .for_each(|warning| self.say(warning));
    }

    fn finish(mut self) -> Result<(Blueprint, Vec<Diagnostic>), Vec<Diagnostic>> {
        let failed = self.sink.has_errors();
        let (diagnostics, _) = self.sink.finish();
        if failed {
            return Err(diagnostics);
        }
        let warnings = self.loaded.warnings.iter().chain(&diagnostics);
        let of = |diagnostic: &Diagnostic| Warning {
            message: diagnostic.message.clone(),
            place: diagnostic
                .primary
                .span
                .is_known()
                .then(|| self.loaded.sources.place(diagnostic.primary.span)),
            address: None,
        };
        self.blueprint.warnings = warnings
            .filter(|one| one.severity() == Severity::Warning)
            .map(of)
            .collect();
        Ok((self.blueprint, diagnostics))
    }
}

/// What a declaration has beside its body.
#[derive(Debug, Default)]
struct Declared {
    type_name: Option<String>,
    for_each: Option<Node>,
    depends_on: Vec<consort_model::blueprint::Dependency>,
    lifecycle: Lifecycle,
    time_limit: Option<consort_model::time::Span>,
    /// Edges that are written down or implied, with where.
    edges: Vec<(Address, Span)>,
}

fn empty(node: &Node) -> bool {
    node.is_null() || node.as_map().is_some_and(Map::is_empty)
}

fn runs_as_process(service: &Node) -> bool {
    let has = |key: &str| service.get(key).is_some_and(|node| !node.is_null());
    has("process") || (!has("image") && !has("build") && (has("command") || has("entrypoint")))
}

fn private_character(span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::PrivateCharacter,
        span,
        "the text holds a character that marks secrets inside Consort (U+E0C5 or U+E0C6)",
    )
    .help("remove the character")
}
