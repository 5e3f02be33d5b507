//! The work list: each node waits for what it depends on, counted; an answer or a settled node costs
//! what it unblocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consort_model::plan::{Mode, VerdictKind};
use consort_model::state::Object;
use consort_model::{Address, Code, Kind, Partial, Problem, StateEntry, Template, Value, Why};
use indexmap::IndexMap;

use super::outcome::{Outcome, Settled};
use super::{actions, data, drivers, managed, recorded, refresh, replace, scope};
use crate::contract::{Need, NeedId, NeedStep, Observed, TypeSchema};
use crate::evaluate::size::{self, Size};
use crate::evaluate::{Answers, Environment, Evaluated, Programs, Values, evaluate};
use crate::graph::{Declarations, Graph, Node, Role, Source, source};
use crate::input::{PlanInput, target_driver};

/// Everything that is evaluated for one plan has at most so many parts.
const MAX_PARTS: usize = 20_000_000;
/// And so many bytes of text.
const MAX_BYTES: usize = 1 << 30;

/// Where one node is.
#[derive(Default)]
pub(crate) struct Work {
    /// Dependencies that are not settled, and an observation that is still out.
    unmet: usize,
    /// Helper jobs that are out.
    jobs: usize,
    /// Jobs that were asked for, to number the next ones.
    asked: u32,
    /// What was observed.
    pub observed: Option<Observed>,
    /// What is wanted of it, while its driver is asked.
    pub wanted: Option<Box<managed::Wanted>>,
    /// What was decided; none for values and groups.
    pub outcome: Option<Outcome>,
    /// Why it cannot be planned.
    pub problems: Vec<Problem>,
    /// It cannot be planned.
    pub failed: bool,
    /// The node for which its users wait, when that is not itself.
    cause: Option<String>,
    /// Something happens to it; to values: to something that they come from.
    pub changes: bool,
    /// For values: the nodes that they come from.
    pub through: Arc<Vec<Address>>,
    pub(super) settled: bool,
}

/// Everything that planning needs and has found.
pub(crate) struct Planning {
    pub input: PlanInput,
    pub declarations: Declarations,
    pub graph: Graph,
    pub programs: Programs,
    pub answers: Answers,
    pub values: Values,
    pub work: Vec<Work>,
    pub pending: BTreeMap<NeedId, Need>,
    pub(super) fresh: BTreeSet<NeedId>,
    ready: Vec<u32>,
    pub chosen: Vec<bool>,
    /// A replacement of it is made before the old one is deleted.
    pub create_first: Vec<bool>,
    pub outputs: IndexMap<String, Partial>,
    /// How large everything that was evaluated is.
    parts: usize,
    bytes: usize,
}

impl Planning {
    pub(crate) fn begin(
        input: PlanInput,
        declarations: Declarations,
        graph: Graph,
        programs: Programs,
        answers: Answers,
    ) -> Result<Self, Vec<Problem>> {
        let chosen = scope::of(&graph, &input.state, input.mode, &input.options)?;
        let create_first = replace::create_first(&input, &declarations, &graph);
        let work = graph.nodes.iter().map(|node| Work {
            unmet: node.dependencies.len(),
            ..Work::default()
        });
        let mut planning = Self {
            work: work.collect(),
            values: Values::default(),
            pending: BTreeMap::new(),
            fresh: BTreeSet::new(),
            ready: Vec::new(),
            outputs: IndexMap::new(),
            parts: 0,
            bytes: 0,
            input,
            declarations,
            graph,
            programs,
            answers,
            chosen,
            create_first,
        };
        planning.prepare_values();
        refresh::ask(&mut planning);
        let free = (0..planning.graph.nodes.len() as u32).rev();
        planning.ready = free
            .filter(|at| planning.work[*at as usize].unmet == 0)
            .collect();
        planning.run();
        Ok(planning)
    }

    fn prepare_values(&mut self) {
        for declaration in self
            .declarations
            .list
            .iter()
            .filter(|declaration| declaration.has_keys)
        {
            self.values.set_group(declaration.address.clone());
        }
        let text = |text: &str| Partial::Scalar(Value::String(text.to_owned()));
        let mut attributes = self.input.deployment_attributes.clone();
        attributes
            .entry("url".into())
            .or_insert(Partial::Unknown(Why::Apply));
        attributes.insert("name".into(), text(&self.input.deployment));
        attributes.insert("target".into(), text(target_driver(self.input.target)));
        self.values.set_deployment(attributes);
    }

    /// Gives up what only evaluation needs.
    pub(crate) fn forget_values(&mut self) {
        self.values = Values::default();
        self.programs = Programs::default();
        self.answers = Answers::new();
    }

    pub(crate) fn node(&self, at: u32) -> &Node {
        &self.graph.nodes[at as usize]
    }

    pub(crate) fn entry(&self, at: u32) -> Option<&StateEntry> {
        self.input.state.get(&self.node(at).address)
    }

    /// The declaration of a node in the blueprint.
    pub(crate) fn source(&self, at: u32) -> Option<Source<'_>> {
        let declaration = &self.declarations.list[self.node(at).declaration?];
        source(&self.input.blueprint, &declaration.address)
    }

    /// Driver and type of a node, as declared or, if it is not any more, as recorded.
    pub(crate) fn driver(&self, at: u32) -> (String, String) {
        match self.node(at).declaration {
            Some(declaration) => {
                let declaration = &self.declarations.list[declaration];
                let kind = declaration.address.kind();
                let driver = drivers::driver(
                    kind,
                    &declaration.type_name,
                    self.input.target,
                    &self.input.schemas,
                );
                (driver, declaration.type_name.clone())
            }
            None => self.entry(at).map_or_else(Default::default, |entry| {
                (entry.driver.clone(), entry.type_name.clone())
            }),
        }
    }

    pub(crate) fn schema(&self, at: u32) -> Option<&TypeSchema> {
        self.input.schemas.get(&self.driver(at))
    }

    pub(crate) fn need(&mut self, at: u32, step: NeedStep, need: Need) {
        let id = NeedId { node: at, step };
        self.pending.insert(id, need);
        self.fresh.insert(id);
    }

    /// Asks what is there; the node waits for it like for a dependency.
    pub(crate) fn ask_read(&mut self, at: u32, object: Object) {
        let (driver, type_name) = match self.entry(at) {
            Some(entry) => (entry.driver.clone(), entry.type_name.clone()),
            None => self.driver(at),
        };
        let address = self.node(at).address.clone();
        self.work[at as usize].unmet += 1;
        self.need(
            at,
            NeedStep::Read,
            Need::Read {
                driver,
                type_name,
                address,
                object,
            },
        );
    }

    pub(crate) fn take_fresh(&mut self) -> Vec<(NeedId, Need)> {
        let fresh = std::mem::take(&mut self.fresh);
        let need = |id: NeedId| self.pending.get(&id).map(|need| (id, need.clone()));
        fresh.into_iter().filter_map(need).collect()
    }

    pub(super) fn unblock(&mut self, at: u32) {
        let work = &mut self.work[at as usize];
        work.unmet -= 1;
        if work.unmet == 0 {
            self.ready.push(at);
        }
    }

    pub(super) fn job_done(&mut self, at: u32) {
        let work = &mut self.work[at as usize];
        work.jobs -= 1;
        if work.jobs == 0 {
            self.ready.push(at);
        }
    }

    pub(super) fn run(&mut self) {
        while let Some(at) = self.ready.pop() {
            if let Some(settled) = self.step(at) {
                self.settle(at, settled);
            }
        }
    }

    fn step(&mut self, at: u32) -> Option<Settled> {
        let work = &mut self.work[at as usize];
        if work.failed {
            return Some(Settled::Failed(
                std::mem::take(&mut work.problems),
                String::new(),
            ));
        }
        let node = &self.graph.nodes[at as usize];
        if !self.chosen[at as usize] {
            return Some(self.skipped(at));
        }
        let waits_for = node
            .dependencies
            .iter()
            .find(|on| self.work[**on as usize].failed);
        if let Some(on) = waits_for {
            let cause = self.work[*on as usize].cause.clone();
            let cause = cause.unwrap_or_else(|| self.node(*on).address.to_string());
            return Some(Settled::Failed(Vec::new(), cause));
        }
        self.by_role(at)
    }

    fn by_role(&mut self, at: u32) -> Option<Settled> {
        let node = &self.graph.nodes[at as usize];
        match node.role {
            Role::Nothing | Role::Group => Some(Settled::Value(None)),
            Role::Input => {
                let value = self
                    .input
                    .inputs
                    .get(node.address.name())
                    .cloned()
                    .unwrap_or(Value::Null);
                Some(Settled::Value(Some(value.into())))
            }
            Role::Local | Role::Output => {
                let template = match self.source(at)? {
                    Source::Node(decl) => decl.body.clone(),
                    Source::Output(value) => value.clone(),
                    Source::Input => Template::default(),
                };
                self.evaluate(at, &template).map(|result| match result {
                    Ok(value) => Settled::Value(Some(value)),
                    Err(problems) => Settled::Failed(problems, String::new()),
                })
            }
            Role::Data => data::step(self, at),
            Role::Managed => managed::step(self, at),
            Role::Removed => Some(match self.input.mode {
                Mode::Apply => recorded::removed(self, at),
                Mode::Destroy { volumes } => recorded::destroy(self, at, volumes),
                Mode::RefreshOnly => recorded::refresh_only(self, at),
            }),
        }
    }

    /// Evaluates a template for a node; `None` when helpers must answer first.
    pub(crate) fn evaluate(
        &mut self,
        at: u32,
        template: &Template,
    ) -> Option<Result<Partial, Vec<Problem>>> {
        let node = &self.graph.nodes[at as usize];
        let environment = Environment {
            values: &self.values,
            each: node.each.as_ref(),
            files: self.input.files.as_deref().map(|files| files as _),
            programs: &self.programs,
            answers: &self.answers,
        };
        match evaluate(template, &environment) {
            Err(problems) => {
                let address = &node.address;
                Some(Err(problems
                    .into_iter()
                    .map(|problem| problem.at(address))
                    .collect()))
            }
            Ok(Evaluated::Value(value)) => {
                let Size {
                    parts,
                    bytes,
                    depth,
                } = Size::of(&value);
                self.parts = self.parts.saturating_add(parts);
                self.bytes = self.bytes.saturating_add(bytes);
                if self.parts > MAX_PARTS || self.bytes > MAX_BYTES || depth > size::MAX_DEPTH {
                    return Some(Err(vec![too_large(&node.address)]));
                }
                Some(Ok(value))
            }
            Ok(Evaluated::Needs(jobs)) => {
                for job in jobs {
                    let work = &mut self.work[at as usize];
                    let step = NeedStep::Evaluate(work.asked);
                    work.asked += 1;
                    work.jobs += 1;
                    self.need(at, step, Need::Evaluate { job: Box::new(job) });
                }
                None
            }
        }
    }

    fn skipped(&self, at: u32) -> Settled {
        let node = self.node(at);
        match node.role {
            Role::Data | Role::Managed | Role::Removed => {
                let recorded = self.entry(at).and_then(StateEntry::attributes);
                let value =
                    recorded.map_or(Partial::Unknown(Why::Apply), |value| value.clone().into());
                Settled::Node(
                    Box::new(Outcome::new(
                        VerdictKind::Skipped,
                        "it was left out by --only",
                    )),
                    value,
                )
            }
            Role::Input | Role::Local | Role::Output | Role::Group | Role::Nothing => {
                Settled::Value(None)
            }
        }
    }

    pub(super) fn settle(&mut self, at: u32, settled: Settled) {
        let address = self.node(at).address.clone();
        let is_output = address.kind() == Kind::Output;
        let work = &mut self.work[at as usize];
        if std::mem::replace(&mut work.settled, true) {
            return;
        }
        work.wanted = None;
        if matches!(settled, Settled::Value(_) | Settled::Failed(..)) {
            self.pass_through(at);
        }
        let work = &mut self.work[at as usize];
        match settled {
            Settled::Value(None) => {}
            Settled::Value(Some(value)) if is_output => {
                self.outputs.insert(address.name().to_owned(), value);
            }
            Settled::Value(Some(value)) => self.values.set(address, value),
            Settled::Node(outcome, value) => {
                work.changes = outcome.acts;
                work.outcome = Some(*outcome);
                // What is no longer declared is not among the instances that others refer to.
                if self.graph.nodes[at as usize].role != Role::Removed {
                    self.values.set(address, value);
                }
            }
            Settled::Failed(problems, on) => self.settle_failed(at, &address, problems, &on),
        }
        for dependent in self.graph.nodes[at as usize].dependents.clone() {
            self.unblock(dependent);
        }
    }

    /// What is true of a value because of what it comes from.
    fn pass_through(&mut self, at: u32) {
        let changes = self
            .node(at)
            .dependencies
            .iter()
            .any(|on| self.work[*on as usize].changes);
        let through = match self.node(at).role {
            Role::Local => Arc::new(actions::depends_on(self, at)),
            _ => Arc::default(),
        };
        let work = &mut self.work[at as usize];
        work.changes = changes;
        work.through = through;
    }

    fn settle_failed(&mut self, at: u32, address: &Address, problems: Vec<Problem>, on: &str) {
        let role = self.node(at).role;
        let work = &mut self.work[at as usize];
        work.failed = true;
        let reason = match problems.first() {
            Some(problem) => format!("it cannot be planned: {}", problem.message),
            None => format!("waiting on {on}"),
        };
        work.problems = problems;
        match role {
            Role::Data | Role::Managed | Role::Removed => {
                work.outcome = Some(Outcome::new(VerdictKind::Waiting, reason));
            }
            Role::Output => {
                self.outputs
                    .insert(address.name().to_owned(), Partial::Unknown(Why::Apply));
            }
            Role::Input | Role::Local | Role::Group | Role::Nothing => {
                work.cause = Some(on.to_owned()).filter(|on| !on.is_empty());
            }
        }
    }
}

fn too_large(address: &Address) -> Problem {
    Problem::new(
        Code::PLAN_IMPOSSIBLE,
        "the values of the blueprint are larger than a plan may be (20,000,000 parts, 1 GiB of text, 128 levels)",
    )
    .at(address)
    .remedy("Refer to the attributes that are needed instead of whole nodes.")
}
