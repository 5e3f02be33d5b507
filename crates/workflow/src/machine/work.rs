//! The pieces of a decision.

use consort_model::Value;
use serde::{Deserialize, Serialize};

use super::input::Input;
use super::record::Deferred;
use crate::error::Fault;

/// A piece of work. What names an activation that is closed meanwhile is dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Check the input of the run and open it.
    Begin,
    /// Something from outside that was held.
    Input(Box<Input>),
    /// A piece that has got an answer of the helper.
    Redo(Box<Deferred>),
    /// Start the task at a place of a list, or end the list.
    Start(Place, Value),
    /// Do what the task is for.
    Run(String),
    /// A try begins, for the first time or again.
    Attempt(String, u32),
    /// The next round of a loop, with the data so far.
    Iterate(String, usize, Value),
    /// See whether a fork is done.
    Join(String, bool),
    /// A task has its raw output.
    Finish(Finish),
    /// A list is done.
    ListEnd {
        /// Which.
        list: String,
        /// Its output.
        output: Value,
        /// The whole run shall end.
        ending: bool,
    },
    /// The outermost list is done.
    Complete(Value),
    /// An error came up at an activation.
    Fail(String, Fault),
    /// A try looks at an error.
    Catch(String, Fault),
}

/// A place in a list of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The activation of the list.
    pub(super) list: String,
    /// Which task.
    pub(super) index: usize,
    /// How often a jump went back in this list.
    pub(super) lap: u32,
}

/// The end of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finish {
    /// Which activation.
    pub(super) act: String,
    /// Its raw output.
    pub(super) raw: Value,
    /// A directive that comes before the task's own.
    pub(super) then: Option<String>,
    /// The whole run shall end.
    pub(super) ending: bool,
}

impl Finish {
    pub(super) fn with(act: &str, raw: Value) -> Work {
        Work::Finish(Self {
            act: act.to_owned(),
            raw,
            then: None,
            ending: false,
        })
    }
}

impl Work {
    /// Where an error in it belongs; nowhere: it ends the run.
    pub(super) fn act(&self) -> Option<&str> {
        match self {
            Self::Run(act)
            | Self::Attempt(act, _)
            | Self::Iterate(act, ..)
            | Self::Join(act, _)
            | Self::Fail(act, _)
            | Self::Catch(act, _)
            | Self::Finish(Finish { act, .. }) => Some(act),
            Self::Begin
            | Self::Redo(_)
            | Self::Input(_)
            | Self::Start(..)
            | Self::ListEnd { .. }
            | Self::Complete(_) => None,
        }
    }
}
