//! The graph that is planned: a node per instance, in an order that respects the edges.

use std::collections::BTreeMap;

use consort_model::{Address, Code, Kind, Problem};

use super::declaration::{Declarations, Edge, Which, Why};
use crate::evaluate::Each;

/// More nodes than this are refused.
pub(crate) const MAX_NODES: usize = 1_000_000;

/// What a node is to the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An input: its value is given.
    Input,
    /// A local: an expression.
    Local,
    /// Something that is read.
    Data,
    /// Something that is made.
    Managed,
    /// A published value.
    Output,
    /// All instances of a declaration, for those who refer to all of them.
    Group,
    /// Recorded, and no longer declared.
    Removed,
    /// Nothing to plan: what is built before the bundle.
    Nothing,
}

impl Role {
    pub(crate) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Input => Self::Input,
            Kind::Local => Self::Local,
            Kind::Data => Self::Data,
            Kind::Output => Self::Output,
            Kind::Build | Kind::Provider | Kind::Host | Kind::Module => Self::Nothing,
            Kind::Resource
            | Kind::Network
            | Kind::Volume
            | Kind::Config
            | Kind::Secret
            | Kind::Service
            | Kind::Job
            | Kind::Pool
            | Kind::Workload
            | Kind::Workflow => Self::Managed,
        }
    }
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its address; for a group, the declaration's.
    pub address: Address,
    /// What it is.
    pub role: Role,
    /// The place of its declaration; none when it is not declared any more.
    pub declaration: Option<usize>,
    /// `.each`.
    pub each: Option<Each>,
    /// What it depends on, sorted, without doubles. All come before it.
    pub dependencies: Vec<u32>,
    /// What depends on it, sorted.
    pub dependents: Vec<u32>,
}

/// All nodes; the place of a node is its number.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// In an order that respects the edges; nodes that are no longer declared are at the end.
    pub nodes: Vec<Node>,
    single: BTreeMap<Address, u32>,
    groups: BTreeMap<usize, u32>,
}

impl Graph {
    /// The nodes of all declarations. `keys` holds the `.each` of every declaration with `for_each`;
    /// `recorded` are the addresses of the state.
    ///
    /// # Errors
    /// Explicit dependencies on instances that do not exist; too many nodes.
    pub fn of<'a>(
        declarations: &Declarations,
        keys: &BTreeMap<usize, Vec<Each>>,
        recorded: impl Iterator<Item = &'a Address>,
    ) -> Result<Self, Vec<Problem>> {
        let mut graph = Self::default();
        let mut problems = Vec::new();
        for at in &declarations.order {
            let dependencies = graph.dependencies(declarations, *at, &mut problems);
            let address = &declarations.list[*at].address;
            match keys.get(at) {
                None => {
                    graph.push(
                        address.clone(),
                        Role::of(address.kind()),
                        Some(*at),
                        None,
                        dependencies,
                    );
                }
                Some(keys) => graph.push_group(address, *at, keys, &dependencies),
            }
            if graph.nodes.len() > MAX_NODES {
                return Err(vec![too_many()]);
            }
        }
        for address in recorded {
            if !graph.single.contains_key(address) {
                graph.push(address.clone(), Role::Removed, None, None, Vec::new());
            }
        }
        if problems.is_empty() {
            Ok(graph)
        } else {
            Err(problems)
        }
    }

    /// A graph of what is recorded alone.
    pub fn of_recorded<'a>(recorded: impl Iterator<Item = &'a Address>) -> Self {
        let mut graph = Self::default();
        for address in recorded {
            graph.push(address.clone(), Role::Removed, None, None, Vec::new());
        }
        graph
    }

    /// The number of the node with this address (not of a group).
    pub fn find(&self, address: &Address) -> Option<u32> {
        self.single.get(address).copied()
    }

    /// The nodes that an address covers: itself, or all instances of a declaration.
    pub fn covered(&self, address: &Address) -> impl Iterator<Item = u32> {
        let of = address.node();
        self.single
            .range(of.clone()..)
            .take_while(move |(other, _)| of.covers(other))
            .map(|(_, at)| *at)
    }

    /// The same, without what is no longer declared.
    pub fn declared(&self, address: &Address) -> impl Iterator<Item = u32> {
        self.covered(address)
            .filter(|at| self.nodes[*at as usize].role != Role::Removed)
    }

    /// The node, or the group, of a declaration.
    pub fn of_declaration(&self, at: usize, declarations: &Declarations) -> Option<u32> {
        self.groups
            .get(&at)
            .copied()
            .or_else(|| self.find(&declarations.list.get(at)?.address))
    }

    fn push(
        &mut self,
        address: Address,
        role: Role,
        declaration: Option<usize>,
        each: Option<Each>,
        dependencies: Vec<u32>,
    ) {
        let number = self.nodes.len() as u32;
        for on in &dependencies {
            self.nodes[*on as usize].dependents.push(number);
        }
        if role == Role::Group {
            self.groups.extend(declaration.map(|at| (at, number)));
        } else {
            self.single.insert(address.clone(), number);
        }
        self.nodes.push(Node {
            address,
            role,
            declaration,
            each,
            dependencies,
            dependents: Vec::new(),
        });
    }

    fn push_group(&mut self, address: &Address, at: usize, keys: &[Each], dependencies: &[u32]) {
        let role = Role::of(address.kind());
        let first = self.nodes.len() as u32;
        for each in keys {
            let instance = address.clone().with_key(each.0.as_str());
            self.push(
                instance,
                role,
                Some(at),
                Some(each.clone()),
                dependencies.to_vec(),
            );
        }
        let members = (first..self.nodes.len() as u32).collect();
        self.push(address.clone(), Role::Group, Some(at), None, members);
    }

    fn dependencies(
        &self,
        declarations: &Declarations,
        at: usize,
        problems: &mut Vec<Problem>,
    ) -> Vec<u32> {
        let mut found = Vec::new();
        for edge in &declarations.list[at].edges {
            match self.target(declarations, edge) {
                Some(number) => found.push(number),
                // A reference is reported where it is evaluated, with its place in the file.
                None if matches!(edge.why, Why::Reference | Why::ForEach) => {
                    found.extend(self.of_declaration(edge.on, declarations));
                }
                None => problems.push(no_instance(declarations, at, edge)),
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn target(&self, declarations: &Declarations, edge: &Edge) -> Option<u32> {
        match &edge.which {
            Which::All => self.of_declaration(edge.on, declarations),
            Which::Key(key) => {
                let address = declarations.list[edge.on].address.clone();
                self.find(&address.with_key(key.as_str()))
            }
        }
    }
}

fn no_instance(declarations: &Declarations, at: usize, edge: &Edge) -> Problem {
    let owner = &declarations.list[at];
    let on = &declarations.list[edge.on].address;
    let key = match &edge.which {
        Which::Key(key) => key.as_str(),
        Which::All => "",
    };
    Problem {
        place: Some(owner.place.clone()),
        ..Problem::new(
            Code::BLUEPRINT_INVALID,
            format!(
                "`{}` names the instance `{key}` of `{on}`, which does not exist",
                edge.why.word()
            ),
        )
        .at(&owner.address)
        .remedy(format!("Use a key of the for_each of `{on}`."))
    }
}

fn too_many() -> Problem {
    Problem::new(
        Code::PLAN_IMPOSSIBLE,
        format!("the blueprint has more than {MAX_NODES} nodes"),
    )
    .remedy("Split it into several deployments.")
}
