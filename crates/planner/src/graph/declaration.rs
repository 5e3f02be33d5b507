//! The graph of what the blueprint declares: a node per declaration, an edge per reason.

use std::collections::BTreeMap;

use consort_model::blueprint::{Blueprint, Condition, NodeDecl};
use consort_model::template::Place;
use consort_model::{Address, Kind, Problem, Template};

use super::{check, implied, order, triggers};
use crate::evaluate::{PathPart, Programs, Root};

/// Why one node depends on another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// An expression refers to it.
    Reference,
    /// A setting names it: a volume of a service, the pool of a workload.
    Setting,
    /// Its `for_each` refers to it.
    ForEach,
    /// `depends_on`.
    Explicit,
    /// `replace_triggered_by`.
    Trigger,
}

/// Which instances of a declaration are meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// The node, or all instances of it.
    All,
    /// The instance of this key.
    Key(String),
}

/// An edge of the graph: its owner depends on `on`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The place of the other declaration in [`Declarations::list`].
    pub on: usize,
    /// Which instances of it.
    pub which: Which,
    /// Why.
    pub why: Why,
}

/// Where a declaration stands in the blueprint.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// An input.
    Input,
    /// A node.
    Node(&'a NodeDecl),
    /// An output.
    Output(&'a Template),
}

/// One declaration.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Its address, without a key.
    pub address: Address,
    /// The type within the driver; the word of the kind for values.
    pub type_name: String,
    /// Has it one instance per key?
    pub has_keys: bool,
    /// What it depends on, sorted, without doubles.
    pub edges: Vec<Edge>,
    /// Services that must have reached a condition, by `depends_on`.
    pub conditions: Vec<(usize, Condition)>,
    /// The nodes, and attributes of them, whose change replaces it.
    pub triggers: Vec<triggers::Trigger>,
    /// Attributes of other nodes that its expressions name.
    pub attributes: Vec<AttributeReference>,
    /// Where it is declared.
    pub place: Place,
}

/// An attribute of another node that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeReference {
    /// The place of the other declaration.
    pub on: usize,
    /// The attribute.
    pub name: String,
    /// Where the expression stands.
    pub place: Place,
}

/// All declarations of a blueprint, in an order that respects the edges.
#[derive(Debug, Clone, Default)]
pub struct Declarations {
    /// Inputs, nodes and outputs, in the order of the blueprint.
    pub list: Vec<Declaration>,
    index: BTreeMap<Address, usize>,
    /// The list's places, such that each comes after what it depends on.
    pub order: Vec<usize>,
}

impl Declarations {
    /// The graph of a blueprint. Every expression is compiled into `programs`.
    ///
    /// # Errors
    /// All at once: expressions that cannot be compiled, references to what does not exist, cycles.
    pub fn of(blueprint: &Blueprint, programs: &mut Programs) -> Result<Self, Vec<Problem>> {
        let mut graph = Self::bare(blueprint);
        let mut problems = Vec::new();
        for at in 0..graph.list.len() {
            let address = graph.list[at].address.clone();
            let links = match source(blueprint, &address) {
                Some(Source::Node(decl)) => {
                    graph.node_links(&address, decl, programs, &mut problems)
                }
                Some(Source::Output(value)) => {
                    let mut links = Links::default();
                    graph.references(&address, value, false, programs, &mut links, &mut problems);
                    links
                }
                Some(Source::Input) | None => Links::default(),
            };
            graph.list[at].take(links);
        }
        if problems.is_empty() {
            match order::sorted(&graph) {
                Ok(order) => graph.order = order,
                Err(cycle) => problems.push(cycle),
            }
        }
        if problems.is_empty() {
            Ok(graph)
        } else {
            Err(problems)
        }
    }

    /// The place of the declaration with this address.
    pub fn find(&self, address: &Address) -> Option<usize> {
        self.index.get(address).copied()
    }

    /// The names that are declared in this kind.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.list
            .iter()
            .filter(move |declaration| declaration.address.kind() == kind)
            .map(|declaration| declaration.address.name())
    }

    fn bare(blueprint: &Blueprint) -> Self {
        let mut graph = Self::default();
        for (name, input) in &blueprint.inputs {
            graph.push(
                Address::new(Kind::Input, name.as_str()),
                Kind::Input.word(),
                false,
                &input.place,
            );
        }
        for (address, decl) in &blueprint.nodes {
            graph.push(
                address.clone(),
                &decl.type_name,
                decl.for_each.is_some(),
                &decl.place,
            );
        }
        for (name, output) in &blueprint.outputs {
            graph.push(
                Address::new(Kind::Output, name.as_str()),
                Kind::Output.word(),
                false,
                &output.place,
            );
        }
        graph
    }

    fn push(&mut self, address: Address, type_name: &str, has_keys: bool, place: &Place) {
        self.index.insert(address.clone(), self.list.len());
        self.list.push(Declaration {
            address,
            type_name: type_name.to_owned(),
            has_keys,
            edges: Vec::new(),
            conditions: Vec::new(),
            triggers: Vec::new(),
            attributes: Vec::new(),
            place: place.clone(),
        });
    }

    fn node_links(
        &self,
        address: &Address,
        decl: &NodeDecl,
        programs: &mut Programs,
        problems: &mut Vec<Problem>,
    ) -> Links {
        let mut links = Links::default();
        if let Some(problem) = check::not_there_yet(address, decl) {
            problems.push(problem);
        }
        let has_each = decl.for_each.is_some();
        self.references(
            address, &decl.body, has_each, programs, &mut links, problems,
        );
        self.key_links(address, decl, programs, &mut links, problems);
        for other in implied::names(address.kind(), &decl.body) {
            match other.find(self) {
                Ok(found) => links.edges.extend(found.into_iter().map(|on| Edge {
                    on,
                    which: Which::All,
                    why: Why::Setting,
                })),
                Err(problem) => problems.push(located(problem, address, &decl.place)),
            }
        }
        for dependency in &decl.depends_on {
            match self.find(&dependency.on.declaration()) {
                Some(on) => links.explicit(on, dependency),
                None if !dependency.required => {}
                None => {
                    let problem = check::unknown_node(self, &dependency.on, "`depends_on`");
                    problems.push(located(problem, address, &decl.place));
                }
            }
        }
        self.trigger_links(address, decl, &mut links, problems);
        links
    }

    /// The edges of `for_each`.
    fn key_links(
        &self,
        address: &Address,
        decl: &NodeDecl,
        programs: &mut Programs,
        links: &mut Links,
        problems: &mut Vec<Problem>,
    ) {
        let Some(for_each) = &decl.for_each else {
            return;
        };
        let mut of_keys = Links::default();
        self.references(address, for_each, false, programs, &mut of_keys, problems);
        problems.extend(check::for_each_references(
            self,
            address,
            decl,
            &of_keys.edges,
        ));
        let edges = of_keys.edges.into_iter().map(|edge| Edge {
            why: Why::ForEach,
            ..edge
        });
        links.edges.extend(edges);
    }

    fn trigger_links(
        &self,
        address: &Address,
        decl: &NodeDecl,
        links: &mut Links,
        problems: &mut Vec<Problem>,
    ) {
        for text in &decl.lifecycle.replace_triggered_by {
            match triggers::read(self, text) {
                Ok(trigger) => {
                    links.edges.push(Edge {
                        on: trigger.on,
                        which: trigger.which.clone(),
                        why: Why::Trigger,
                    });
                    links.triggers.push(trigger);
                }
                Err(problem) => problems.push(located(problem, address, &decl.place)),
            }
        }
    }

    /// Adds the edges of every expression in a template.
    fn references(
        &self,
        address: &Address,
        template: &Template,
        has_each: bool,
        programs: &mut Programs,
        links: &mut Links,
        problems: &mut Vec<Problem>,
    ) {
        let wrong = programs.add(template);
        problems.extend(wrong.into_iter().map(|problem| problem.at(address)));
        template.visit_deferred(&mut |deferred| {
            for text in deferred.expressions() {
                let Some(program) = programs.known(text) else {
                    continue;
                };
                for path in program.references() {
                    match self.edges(path, has_each) {
                        Ok(edges) => {
                            links.attribute(self, path, &edges, &deferred.place);
                            links.edges.extend(edges);
                        }
                        Err(problem) => problems.push(located(problem, address, &deferred.place)),
                    }
                }
            }
        });
    }

    /// The edges of one reference.
    fn edges(&self, path: &[PathPart], has_each: bool) -> Result<Vec<Edge>, Problem> {
        let kind = match check::root(path, has_each)? {
            Root::Each | Root::Deployment => return Ok(Vec::new()),
            Root::Kind(kind) => kind,
        };
        let edge = |on, which| Edge {
            on,
            which,
            why: Why::Reference,
        };
        let Some(PathPart::Key(name)) = path.get(1) else {
            let all = self.list.iter().enumerate();
            let of_kind = all.filter(|(_, declaration)| declaration.address.kind() == kind);
            return Ok(of_kind.map(|(on, _)| edge(on, Which::All)).collect());
        };
        let on = self
            .find(&Address::new(kind, name.as_str()))
            .ok_or_else(|| check::unknown_reference(self, kind, name, path))?;
        let which = match path.get(2) {
            Some(PathPart::Key(key)) if self.list[on].has_keys => Which::Key(key.clone()),
            _ => Which::All,
        };
        Ok(vec![edge(on, which)])
    }
}

/// What a declaration stands for in its blueprint.
pub fn source<'a>(blueprint: &'a Blueprint, address: &Address) -> Option<Source<'a>> {
    match address.kind() {
        Kind::Input => blueprint.inputs.get(address.name()).map(|_| Source::Input),
        Kind::Output => blueprint
            .outputs
            .get(address.name())
            .map(|output| Source::Output(&output.value)),
        _ => blueprint.nodes.get(address).map(Source::Node),
    }
}

fn located(problem: Problem, address: &Address, place: &Place) -> Problem {
    Problem {
        place: Some(place.clone()),
        ..problem.at(address)
    }
}

#[derive(Default)]
struct Links {
    edges: Vec<Edge>,
    conditions: Vec<(usize, Condition)>,
    triggers: Vec<triggers::Trigger>,
    attributes: Vec<AttributeReference>,
}

impl Links {
    /// Remembers which attribute a reference to one node names.
    fn attribute(
        &mut self,
        graph: &Declarations,
        path: &[PathPart],
        edges: &[Edge],
        place: &Place,
    ) {
        let [edge] = edges else { return };
        let declaration = &graph.list[edge.on];
        let at = if declaration.has_keys { 3 } else { 2 };
        let is_value = matches!(declaration.address.kind(), Kind::Input | Kind::Local);
        if let (false, Some(PathPart::Key(name))) = (is_value, path.get(at)) {
            self.attributes.push(AttributeReference {
                on: edge.on,
                name: name.clone(),
                place: place.clone(),
            });
        }
    }

    fn explicit(&mut self, on: usize, dependency: &consort_model::blueprint::Dependency) {
        let which = match dependency.on.key() {
            Some(key) => Which::Key(key.to_owned()),
            None => Which::All,
        };
        self.edges.push(Edge {
            on,
            which,
            why: Why::Explicit,
        });
        // One that is not required decides the order only: its failure must not stop the other.
        if dependency.required && dependency.condition != Condition::ServiceStarted {
            self.conditions.push((on, dependency.condition));
        }
    }
}

impl Declaration {
    fn take(&mut self, links: Links) {
        let Links {
            mut edges,
            mut conditions,
            triggers,
            attributes,
        } = links;
        edges.sort();
        edges.dedup();
        conditions.sort_by_key(|(on, _)| *on);
        conditions.dedup();
        self.edges = edges;
        self.conditions = conditions;
        self.triggers = triggers;
        self.attributes = attributes;
    }
}
