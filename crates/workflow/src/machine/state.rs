//! What was decided so far: a tree of frames, and what it waits for.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_model::id::{RunId, SubscriptionId, TimerId};
use consort_model::run::RunStatus;
use consort_model::{Object, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::input::{Ended, Input, present};
use super::record::{Deferred, Why};
use super::work::Work;
use crate::error::Fault;
use crate::http::HttpRequest;

/// The state of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    pub(super) run: Option<Run>,
    /// `$context` outside of forks.
    pub(super) context: Value,
    /// By activation.
    pub(super) frames: BTreeMap<String, Frame>,
    pub(super) timers: BTreeMap<TimerId, Timer>,
    /// The activation that listens.
    pub(super) subscriptions: BTreeMap<SubscriptionId, String>,
    /// How often a service answered a call (without attempts) with an error: its next key differs.
    pub(super) refused: BTreeMap<String, u32>,
    pub(super) deferred: Vec<Deferred>,
    pub(super) yielded: Vec<Work>,
    pub(super) held: Vec<Input>,
    pub(super) suspended: Option<Timestamp>,
    /// Tasks entered or skipped.
    pub(super) tasks: u64,
    pub(super) ended: Option<Ended>,
}

/// The facts of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) input: Arc<Value>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) runtime: Value,
    pub(super) started: Timestamp,
}

/// An open timer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Timer {
    pub(super) act: String,
    pub(super) due: Timestamp,
    pub(super) why: Why,
}

/// An open scope, task or branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The activation that it is in; the outermost list has none.
    pub(crate) parent: Option<String>,
    /// JSON pointer into the document.
    pub(crate) pointer: String,
    /// The name of the task.
    pub(crate) name: String,
    /// Raw input.
    pub(super) raw: Arc<Value>,
    /// Transformed input.
    pub(super) input: Arc<Value>,
    /// What it binds.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub(super) variables: Object,
    /// `$context` of a branch.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub(super) context: Option<Value>,
    pub(super) started: Timestamp,
    pub(super) kind: Kind,
}

/// What a frame is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A list of tasks; a branch of a fork is the one task at this place.
    List { branch: Option<usize> },
    /// A task that has nothing to remember, at a place of its list.
    Task,
    For {
        items: Arc<Vec<Value>>,
        each: String,
        at: String,
        round: usize,
    },
    Fork {
        compete: bool,
        count: usize,
        done: BTreeMap<usize, Done>,
        failed: BTreeMap<usize, Fault>,
    },
    Try {
        attempt: u32,
        phase: Phase,
        /// As at the first attempt.
        context: Value,
        began: Timestamp,
    },
    Http {
        attempt: u32,
        request: Arc<HttpRequest>,
    },
}

/// Where a `try` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    Trying,
    Caught,
}

/// What a branch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) output: Value,
    /// If it changed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub(super) context: Option<Value>,
}

/// The place of a task in its list, as its activation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) index: usize,
    pub(super) lap: u32,
}

impl State {
    /// How it ended, if it did.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }
    /// How it stands.
    pub fn status(&self) -> RunStatus {
        match (&self.ended, &self.run) {
            (Some(ended), _) => ended.status,
            (None, None) => RunStatus::Pending,
            _ if self.suspended.is_some() => RunStatus::Suspended,
            _ if self.is_busy() => RunStatus::Running,
            _ => RunStatus::Waiting,
        }
    }
    fn is_busy(&self) -> bool {
        let calls = self
            .frames
            .values()
            .any(|frame| matches!(frame.kind, Kind::Http { .. }));
        calls || !self.deferred.is_empty() || !self.yielded.is_empty()
    }
    /// The timers that are open, with their times.
    pub fn timers(&self) -> impl Iterator<Item = (TimerId, Timestamp)> {
        self.timers.iter().map(|(id, timer)| (*id, timer.due))
    }
    /// The subscriptions that are open.
    pub fn subscriptions(&self) -> impl Iterator<Item = SubscriptionId> {
        self.subscriptions.keys().copied()
    }

    /// All that is inside an activation, without itself.
    pub(super) fn inside(&self, act: &str) -> Vec<String> {
        self.frames
            .keys()
            .filter(|other| self.ancestors(other).skip(1).any(|(name, _)| name == act))
            .cloned()
            .collect()
    }

    /// An activation and those that it is in, outwards.
    pub(super) fn ancestors<'a>(
        &'a self,
        act: &str,
    ) -> impl Iterator<Item = (&'a str, &'a Frame)> + use<'a> {
        let start = self.frames.get_key_value(act);
        std::iter::successors(start, |(_, frame)| {
            self.frames.get_key_value(frame.parent.as_deref()?)
        })
        .map(|(name, frame)| (name.as_str(), frame))
    }

    /// The context that is seen from an activation.
    pub(super) fn context(&self, act: &str) -> &Value {
        self.ancestors(act)
            .find_map(|(_, frame)| frame.context.as_ref())
            .unwrap_or(&self.context)
    }

    pub(super) fn set_context(&mut self, act: &str, value: &Value) {
        let holder = self
            .ancestors(act)
            .find(|(_, frame)| frame.context.is_some())
            .map(|(name, _)| name.to_owned());
        match holder.and_then(|name| self.frames.get_mut(&name)) {
            Some(frame) => frame.context = Some(value.clone()),
            None => self.context = value.clone(),
        }
    }

    /// An activation without the attempts of the tries that it is in: what a retry repeats.
    pub(super) fn stem(&self, act: &str) -> String {
        let mut stem = act.to_owned();
        for (name, frame) in self.ancestors(act) {
            if let Kind::Try { attempt, .. } = &frame.kind {
                let marked = attempt_act(name, *attempt);
                if let Some(rest) = stem.strip_prefix(&marked) {
                    stem = format!("{name}{rest}");
                }
            }
        }
        stem
    }
}

/// The activation of a branch.
pub(super) fn branch_act(fork: &str, branch: usize) -> String {
    format!("{fork}/fork/branches/{branch}")
}

/// The prefix of all that belongs to an attempt.
pub(super) fn attempt_act(act: &str, attempt: u32) -> String {
    format!("{act}@{attempt}")
}

impl Frame {
    pub(super) fn list(parent: &str, pointer: String, of: &Self, now: Timestamp) -> Self {
        Self {
            parent: Some(parent.to_owned()),
            pointer,
            name: of.name.clone(),
            raw: Arc::clone(&of.input),
            input: Arc::clone(&of.input),
            variables: Object::new(),
            context: None,
            started: now,
            kind: Kind::List { branch: None },
        }
    }

    /// Where the task stands in its list: the part `/index/` of the pointer, and the lap.
    pub(super) fn position(&self, act: &str) -> Position {
        let index = self
            .pointer
            .rsplit('/')
            .nth(1)
            .and_then(|part| part.parse().ok())
            .unwrap_or(0);
        let lap = act
            .rsplit('/')
            .next()
            .and_then(|last| last.rsplit_once('~'))
            .and_then(|(_, lap)| lap.parse().ok());
        Position {
            index,
            lap: lap.unwrap_or(0),
        }
    }
}

impl Frame {
    /// Which attempt of a `try`; 0 for everything else.
    pub(super) fn attempt(&self) -> u32 {
        match self.kind {
            Kind::Try { attempt, .. } => attempt,
            _ => 0,
        }
    }
}
