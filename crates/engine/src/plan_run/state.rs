//! Where a plan run is: the fold of its records.

use std::collections::BTreeMap;

use consort_model::plan::ActionId;
use consort_model::run::RunStatus;
use consort_model::{Problem, Timestamp};
use serde::{Deserialize, Serialize};

/// Where one step is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum StepState {
    /// It was not begun.
    Pending,
    /// Its intent is durable.
    Intended {
        /// Which try.
        attempt: u32,
        /// When it must have ended.
        deadline: Timestamp,
    },
    /// It has an intent and no outcome, and its driver is asked.
    InDoubt {
        /// Which try.
        attempt: u32,
        /// Set when only a person can tell.
        question: Option<String>,
    },
    /// It waits for its next try.
    Retrying {
        /// The next try.
        attempt: u32,
        /// When.
        due: Timestamp,
    },
    /// It took effect.
    Succeeded,
    /// It failed for good.
    Failed {
        /// Why.
        problem: Problem,
    },
}

impl StepState {
    /// Is something of it under way?
    pub const fn is_open(&self) -> bool {
        match self {
            Self::Intended { .. } | Self::InDoubt { .. } | Self::Retrying { .. } => true,
            Self::Pending | Self::Succeeded | Self::Failed { .. } => false,
        }
    }
}

/// Where the run is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunState {
    /// Steps that were begun; the others are pending.
    pub steps: BTreeMap<ActionId, StepState>,
    /// A person asked to stop.
    pub cancelled: bool,
    /// How it ended.
    pub ended: Option<RunStatus>,
    /// How many steps took effect.
    pub effects: u32,
}

impl RunState {
    /// Where this step is.
    pub fn step(&self, step: &ActionId) -> &StepState {
        self.steps.get(step).unwrap_or(&StepState::Pending)
    }
    /// The steps of which something is under way.
    pub fn open(&self) -> impl Iterator<Item = (&ActionId, &StepState)> {
        self.steps.iter().filter(|(_, state)| state.is_open())
    }
    /// The questions that wait for a person.
    pub fn questions(&self) -> impl Iterator<Item = (&ActionId, &str)> {
        self.steps.iter().filter_map(|(step, state)| match state {
            StepState::InDoubt {
                question: Some(text),
                ..
            } => Some((step, text.as_str())),
            StepState::InDoubt { question: None, .. }
            | StepState::Pending
            | StepState::Intended { .. }
            | StepState::Retrying { .. }
            | StepState::Succeeded
            | StepState::Failed { .. } => None,
        })
    }
}
