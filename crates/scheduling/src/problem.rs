//! A question that was checked and indexed: what planners work on.

use std::sync::Arc;

use crate::graph::{self, Graph};
use crate::progress::Progress;
use crate::refusal::ProblemError;
use crate::spec::{Micros, Objective, Spec};

mod check;
mod tables;

/// A run time that cannot be: this node type does not fit this task.
pub(crate) const NEVER: Micros = Micros::MAX;

/// A task that was begun: where it is, and when it ends as far as known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frozen {
    pub(crate) lease: u32,
    pub(crate) start: Micros,
    pub(crate) end: Micros,
}

/// A checked question. A copy with another objective is cheap.
#[derive(Debug, Clone)]
pub struct Problem {
    tables: Arc<Tables>,
    objective: Objective,
}

/// All by index of task and node type.
#[derive(Debug)]
struct Tables {
    spec: Spec,
    graph: Graph,
    run: Vec<Micros>,
    fastest: Vec<Micros>,
    most_out: Vec<Micros>,
    progress: Progress,
    frozen: Vec<Option<Frozen>>,
    horizon: Micros,
}

impl Problem {
    /// Checks and indexes a question that nothing was done for yet.
    ///
    /// # Errors
    /// What is wrong with it, with the names of those concerned.
    pub fn new(spec: Spec) -> Result<Self, ProblemError> {
        Self::resumed(spec, Progress::default())
    }

    /// Checks and indexes a question whose work was begun: what was begun stays, all else starts at
    /// [`Progress::now`] or later.
    ///
    /// # Errors
    /// What is wrong with it, with the names of those concerned.
    pub fn resumed(spec: Spec, progress: Progress) -> Result<Self, ProblemError> {
        check::spec(&spec)?;
        let links = tables::links(&spec);
        let graph =
            Graph::new(spec.tasks.len(), &links).map_err(|cycle| check::cycle(&spec, &cycle))?;
        let run = tables::run_times(&spec);
        let fastest = tables::fastest(&spec, &run)?;
        check::progress(&spec, &graph, &progress)?;
        let horizon = tables::horizon(&spec, &run, &links, &progress)?;
        let tasks = spec.tasks.len() as u32;
        let most = |arcs: &[graph::Arc]| arcs.iter().map(|a| a.transfer).max().unwrap_or(0);
        Ok(Self {
            objective: spec.objective,
            tables: Arc::new(Tables {
                most_out: (0..tasks).map(|t| most(graph.children(t))).collect(),
                frozen: tables::frozen(&spec, &run, &fastest, &progress),
                spec,
                graph,
                run,
                fastest,
                progress,
                horizon,
            }),
        })
    }

    /// The same question with another objective.
    #[must_use]
    pub fn with(&self, objective: Objective) -> Self {
        Self {
            tables: Arc::clone(&self.tables),
            objective,
        }
    }

    /// The question as it was asked; [`Problem::objective`] may differ.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.tables.spec
    }

    /// The goal.
    #[must_use]
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// The graph of its tasks.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.tables.graph
    }

    /// What has happened so far.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.tables.progress
    }

    /// The number of tasks.
    #[must_use]
    pub fn tasks(&self) -> u32 {
        self.tables.spec.tasks.len() as u32
    }

    /// The number of node types.
    #[must_use]
    pub fn kinds(&self) -> u32 {
        self.tables.spec.types.len() as u32
    }

    /// How long a task runs on a node type; `None` if it does not fit.
    #[must_use]
    pub fn run_time(&self, task: u32, kind: u32) -> Option<Micros> {
        Some(self.run(task, kind)).filter(|&time| time != NEVER)
    }

    pub(crate) fn run(&self, task: u32, kind: u32) -> Micros {
        self.tables.run[task as usize * self.tables.spec.types.len() + kind as usize]
    }

    /// The shortest run time of a task over all node types.
    #[must_use]
    pub fn fastest(&self, task: u32) -> Micros {
        self.tables.fastest[task as usize]
    }

    /// The largest transfer out of a task.
    pub(crate) fn most_out(&self, task: u32) -> Micros {
        self.tables.most_out[task as usize]
    }

    pub(crate) fn frozen(&self, task: u32) -> Option<Frozen> {
        self.tables.frozen[task as usize]
    }

    /// The processors that a task takes up on a node type.
    pub(crate) fn cpus_on(&self, task: u32, kind: u32) -> u32 {
        let kind = &self.tables.spec.types[kind as usize];
        self.tables.spec.tasks[task as usize]
            .cpus_milli
            .min(kind.cpus_milli)
    }

    /// Whether the pool limits what may be leased at the same time.
    pub(crate) fn limited(&self) -> bool {
        self.tables.spec.max_cpus_milli.is_some()
            || self.tables.spec.types.iter().any(|k| k.capacity.is_some())
    }

    /// No sensible plan takes longer than this: everything one after the other, at its slowest.
    #[must_use]
    pub fn horizon(&self) -> Micros {
        self.tables.horizon
    }

    /// The price of one node of this type for the shortest lease.
    pub(crate) fn least_charge(&self, kind: u32) -> u64 {
        let price = self.tables.spec.types[kind as usize].price_micro_usd_per_hour;
        self.tables.spec.billing.cost(0, price)
    }

    /// The longest chain of tasks, each on its fastest type, without transfers and start-up: the
    /// deadlines of benchmarks are multiples of it.
    #[must_use]
    pub fn fastest_chain(&self) -> Micros {
        let mut end: Vec<Micros> = vec![0; self.tables.spec.tasks.len()];
        let mut longest = 0;
        for &task in self.tables.graph.order() {
            let ready = self.tables.graph.parents(task).iter();
            let ready = ready.map(|arc| end[arc.task as usize]).max().unwrap_or(0);
            end[task as usize] = ready + self.fastest(task);
            longest = longest.max(end[task as usize]);
        }
        longest
    }
}
