//! The machine of a run: what follows from an event, as records and effects.
//!
//! The state is a tree of [`state::Frame`]s, one for each scope, task and branch that is open. A
//! decision is a list of small pieces of [`work::Work`] that are done one after another. A piece
//! evaluates first and records then, so it can be put off as a whole when an expression needs the
//! helper process ([`Record::Deferred`]). Nothing that was recorded is evaluated again.

mod apply;
mod begin;
mod bodies;
mod call;
mod draft;
mod errors;
mod finish;
mod fork;
mod input;
mod keys;
mod outside;
mod record;
mod schema;
mod state;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;

use consort_journal::{Decision, Machine};

pub use input::{Ended, Event, Input, WorkflowEffect};
pub use record::{Record, Why};
pub use state::State;

use crate::definition::Definition;
use crate::expression::{ARGUMENTS, Evaluator};
use draft::Draft;
use schema::Schemas;
pub(crate) use schema::compile as compile_schema;
use state::Kind;

/// So many tasks in one run, unless told otherwise: jumps can make endless loops.
const RUN_TASKS: u64 = 100_000;

/// Decides for the runs of one definition.
#[derive(Debug)]
pub struct WorkflowMachine {
    definition: Arc<Definition>,
    evaluator: Evaluator,
    schemas: Schemas,
    /// The arguments that the document names at all; the others need not be made.
    mentioned: BTreeSet<&'static str>,
    task_limit: u64,
}

impl WorkflowMachine {
    /// A machine for the runs of a definition. It can be shared by all of them.
    pub fn new(definition: Arc<Definition>) -> Self {
        let text = definition.document().to_string();
        let mentioned = ARGUMENTS
            .into_iter()
            .filter(|name| text.contains(&format!("${name}")))
            .collect();
        Self {
            schemas: Schemas::of(definition.document()),
            evaluator: Evaluator::new(),
            mentioned,
            task_limit: RUN_TASKS,
            definition,
        }
    }
    /// The same with another limit for the tasks of one run (100,000 by default).
    #[must_use]
    pub fn with_task_limit(self, task_limit: u64) -> Self {
        Self { task_limit, ..self }
    }
    /// What it runs.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Machine for WorkflowMachine {
    type State = State;
    type Event = Event;
    type Record = Record;
    type Effect = WorkflowEffect;

    fn decide(&self, state: &State, event: &Event) -> Decision<Record, WorkflowEffect> {
        if state.ended().is_some() {
            return Decision::default();
        }
        let mut draft = Draft::new(self, state.clone(), event);
        draft.take(&event.input);
        draft.into_decision()
    }

    fn apply(&self, state: &mut State, record: &Record) {
        state.apply(record);
    }

    fn open_effects(&self, state: &State) -> Vec<WorkflowEffect> {
        if state.ended.is_some() {
            return Vec::new();
        }
        // An answer that is held is not asked for again.
        let held = |act: &str| {
            state
                .held
                .iter()
                .any(|input| matches!(input, Input::Http { act: other, .. } if other == act))
        };
        let calls = state
            .frames
            .iter()
            .filter_map(|(act, frame)| match &frame.kind {
                Kind::Http { attempt, request } if !held(act) => Some(WorkflowEffect::Http {
                    act: act.clone(),
                    attempt: *attempt,
                    request: request.as_ref().clone(),
                }),
                _ => None,
            });
        let jobs = state
            .deferred
            .iter()
            .map(|deferred| WorkflowEffect::evaluate(&deferred.job));
        let more = (!state.yielded.is_empty()).then_some(WorkflowEffect::Continue);
        calls.chain(jobs).chain(more).collect()
    }
}
