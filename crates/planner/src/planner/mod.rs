//! The planner's machine: stages, needs and answers.

mod actions;
mod answers;
mod assemble;
mod data;
mod drivers;
mod managed;
mod order;
mod outcome;
mod questions;
mod recorded;
mod refresh;
mod replace;
mod scope;
mod service;
mod work;

use std::collections::BTreeSet;

use consort_model::plan::{Mode, Plan};
use consort_model::{Code, Problem};

use crate::contract::{Answer, FeedError, Need, NeedId};
use crate::evaluate::{Answers, Programs, job_digest};
use crate::graph::expand::Expansion;
use crate::graph::{Declarations, Graph};
use crate::input::PlanInput;
use work::Planning;

/// Why there is no plan that could be carried out: every problem at once, and the plan as far as it
/// was made, whose verdicts say what would happen to all other nodes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no plan can be made: {} problems", problems.len())]
pub struct Unplannable {
    /// What is wrong, in the order of the graph.
    pub problems: Vec<Problem>,
    /// For people only: it must not be carried out.
    pub plan: Box<Plan>,
}

/// The machine that makes one plan.
pub struct Planner {
    stage: Stage,
    /// The plan without anything in it, for when there is no other to show.
    blank: Box<Plan>,
}

enum Stage {
    /// The keys of `for_each` are being found.
    Expanding(Box<Expanding>),
    /// The nodes are being planned.
    Planning(Box<Planning>),
    /// The keys could not be found.
    Failed(Vec<Problem>),
    /// Between two stages.
    Moving,
}

struct Expanding {
    input: PlanInput,
    declarations: Declarations,
    programs: Programs,
    answers: Answers,
    expansion: Expansion,
    told: BTreeSet<NeedId>,
}

impl Planner {
    /// Begins a plan.
    ///
    /// # Errors
    /// All that can be said without asking anybody: references to what does not exist, cycles,
    /// unknown types and settings, wrong keys, addresses in options that do not exist.
    pub fn new(input: PlanInput) -> Result<Self, Vec<Problem>> {
        match input.mode {
            Mode::Apply => Self::applying(input),
            Mode::Destroy { .. } | Mode::RefreshOnly => {
                let blank = Box::new(assemble::empty(&input));
                let graph = Graph::of_recorded(input.state.keys());
                let planning = Planning::begin(
                    input,
                    Declarations::default(),
                    graph,
                    Programs::default(),
                    Answers::new(),
                )?;
                Ok(Self {
                    stage: Stage::Planning(Box::new(planning)),
                    blank,
                })
            }
        }
    }

    fn applying(input: PlanInput) -> Result<Self, Vec<Problem>> {
        let blank = Box::new(assemble::empty(&input));
        let mut programs = Programs::default();
        let declarations = Declarations::of(&input.blueprint, &mut programs)?;
        let problems = drivers::check(&input, &declarations);
        if !problems.is_empty() {
            return Err(problems);
        }
        let expansion = Expansion::of(&input, &declarations);
        let mut planner = Self {
            stage: Stage::Expanding(Box::new(Expanding {
                input,
                declarations,
                programs,
                answers: Answers::new(),
                expansion,
                told: BTreeSet::new(),
            })),
            blank,
        };
        planner.expand()?;
        Ok(planner)
    }

    /// Goes on with finding keys, and to the planning itself when all are found.
    fn expand(&mut self) -> Result<(), Vec<Problem>> {
        let Stage::Expanding(mut stage) = std::mem::replace(&mut self.stage, Stage::Moving) else {
            return Ok(());
        };
        let Expanding {
            input,
            declarations,
            programs,
            answers,
            expansion,
            ..
        } = &mut *stage;
        expansion.advance(input, declarations, programs, answers);
        if !expansion.problems.is_empty() {
            return Err(std::mem::take(&mut expansion.problems));
        }
        if !expansion.is_done() {
            self.stage = Stage::Expanding(stage);
            return Ok(());
        }
        let Expanding {
            input,
            declarations,
            programs,
            answers,
            expansion,
            ..
        } = *stage;
        let graph = Graph::of(&declarations, &expansion.keys, input.state.keys())?;
        let planning = Planning::begin(input, declarations, graph, programs, answers)?;
        self.stage = Stage::Planning(Box::new(planning));
        Ok(())
    }

    /// Everything that must be answered before the plan is made, in a stable order. A need stays
    /// until it is answered.
    pub fn needs(&self) -> Vec<(NeedId, Need)> {
        match &self.stage {
            Stage::Expanding(stage) => stage.expansion.jobs.iter().map(evaluate).collect(),
            Stage::Planning(planning) => planning
                .pending
                .iter()
                .map(|(id, need)| (*id, need.clone()))
                .collect(),
            Stage::Failed(_) | Stage::Moving => Vec::new(),
        }
    }

    /// The needs that have come up since the last call, in a stable order: for a driver of the
    /// planner that answers many at a time and does not want to see the others again and again.
    pub fn fresh_needs(&mut self) -> Vec<(NeedId, Need)> {
        match &mut self.stage {
            Stage::Expanding(stage) => {
                let told = &mut stage.told;
                let jobs = stage.expansion.jobs.iter();
                jobs.filter(|(id, _)| told.insert(**id))
                    .map(evaluate)
                    .collect()
            }
            Stage::Planning(planning) => planning.take_fresh(),
            Stage::Failed(_) | Stage::Moving => Vec::new(),
        }
    }

    /// Takes the answer to a need and goes on with what it unblocks.
    ///
    /// # Errors
    /// When nobody asked, or the answer is of another kind than the need.
    pub fn feed(&mut self, id: NeedId, answer: Answer) -> Result<(), FeedError> {
        match &mut self.stage {
            Stage::Planning(planning) => return planning.feed(id, answer),
            Stage::Expanding(stage) => stage.feed(id, answer)?,
            Stage::Failed(_) | Stage::Moving => return Err(FeedError::NotNeeded(id)),
        }
        if let Err(problems) = self.expand() {
            self.stage = Stage::Failed(problems);
        }
        Ok(())
    }

    /// The plan, once nothing is needed any more.
    ///
    /// # Errors
    /// Every problem at once: expressions and drivers that failed, protected nodes that would be
    /// destroyed, needs that were never answered.
    pub fn finish(self) -> Result<Plan, Unplannable> {
        let problems = match self.stage {
            Stage::Planning(planning) => return assemble::finish(*planning),
            Stage::Failed(problems) => problems,
            Stage::Expanding(stage) => vec![unanswered(stage.expansion.jobs.len())],
            Stage::Moving => vec![unanswered(0)],
        };
        Err(Unplannable {
            problems,
            plan: self.blank,
        })
    }
}

impl Expanding {
    fn feed(&mut self, id: NeedId, answer: Answer) -> Result<(), FeedError> {
        let job = self
            .expansion
            .jobs
            .remove(&id)
            .ok_or(FeedError::NotNeeded(id))?;
        match answer {
            Answer::Evaluated(value) => {
                self.answers.insert(job_digest(&job), value);
            }
            Answer::Failed(problem) => self.expansion.problems.push(problem),
            Answer::Observed(_) | Answer::Planned(_) => {
                self.expansion.jobs.insert(id, job);
                return Err(FeedError::WrongKind(id));
            }
        }
        Ok(())
    }
}

fn evaluate((id, job): (&NeedId, &consort_expression::HelperJob)) -> (NeedId, Need) {
    (
        *id,
        Need::Evaluate {
            job: Box::new(job.clone()),
        },
    )
}

fn unanswered(count: usize) -> Problem {
    Problem::new(
        Code::INTERNAL,
        format!("the plan was asked for while {count} needs were unanswered"),
    )
}
