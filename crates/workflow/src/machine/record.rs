//! What is recorded. A record carries the change that it means, so that folding it in needs no
//! definition and no expression.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_expression::{HelperAnswer, HelperJob};
use consort_model::id::{RunId, SubscriptionId, TimerId};
use consort_model::revision::Principal;
use consort_model::run::RunStatus;
use consort_model::time::Span;
use consort_model::{Digest, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::input::{Input, present};
use super::state::Frame;
use super::work::Work;
use crate::error::Fault;
use crate::event::EventFilter;
use crate::http::{HttpAnswer, HttpRequest};

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A `wait` task.
    Wait,
    /// The delay before a retry.
    Retry,
    /// The time limit of a task.
    Timeout,
    /// The time limit of one attempt of a `try`.
    Attempt,
    /// The time limit of the run.
    RunTimeout,
}

impl Why {
    /// It limits a time, so it stands still while the run is suspended.
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::Timeout | Self::Attempt | Self::RunTimeout)
    }
    /// For people and ids.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Retry => "retry",
            Self::Timeout => "timeout",
            Self::Attempt => "attempt",
            Self::RunTimeout => "run timeout",
        }
    }
}

/// A record of a workflow run. `act` names an activation: a pointer with `#iteration`, `@attempt` and
/// `~lap` in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body")]
#[allow(
    missing_docs,
    reason = "the fields mean what they are called; the variants say the rest"
)]
pub enum Record {
    /// The run exists.
    RunCreated {
        run: RunId,
        input: Arc<Value>,
        secrets: BTreeMap<String, String>,
        runtime: Value,
        at: Timestamp,
    },
    /// Its input fits; it is the first context, and the outermost scope is open.
    InputAccepted {
        context: Value,
        act: String,
        frame: Frame,
    },
    /// A task runs.
    TaskEntered { act: String, frame: Frame },
    /// A task does not run, because its `if` does not hold.
    TaskSkipped { act: String, name: String },
    /// A task ran to its end; its activation is closed. `context` if it exported one.
    TaskOutput {
        act: String,
        output: Value,
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "present"
        )]
        context: Option<Value>,
    },
    /// A list of tasks is open.
    ScopeOpened { act: String, frame: Frame },
    /// What a loop goes over.
    LoopOpened {
        act: String,
        items: Arc<Vec<Value>>,
        each: String,
        at: String,
    },
    /// A round is done.
    IterDone { act: String, index: usize },
    /// A branch is open, with a context of its own.
    BranchOpened { act: String, frame: Frame },
    /// A branch ran to its end. `context` if it changed.
    BranchDone {
        act: String,
        branch: usize,
        output: Value,
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "present"
        )]
        context: Option<Value>,
    },
    /// A branch that competes failed.
    BranchFailed {
        act: String,
        branch: usize,
        error: Fault,
    },
    /// All branches are done; `context` if one changed it.
    BranchesJoined { act: String, context: Option<Value> },
    /// The first branch is done; the others are cancelled.
    ForkWon {
        act: String,
        branch: usize,
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "present"
        )]
        context: Option<Value>,
    },
    /// A branch is cancelled.
    BranchCancelled { act: String },
    /// The intent of a call.
    StepPlanned {
        act: String,
        attempt: u32,
        request: Arc<HttpRequest>,
        digest: Option<Digest>,
        stem: String,
    },
    /// The outcome of a call. `definite`: the service has answered with an error.
    StepEnded {
        act: String,
        attempt: u32,
        answer: HttpAnswer,
        ambiguous: bool,
        definite: bool,
    },
    /// An event for the outbox.
    Emitted {
        id: String,
        act: String,
        event: Value,
    },
    /// The run waits until a time.
    TimerSet {
        timer: TimerId,
        act: String,
        due: Timestamp,
        why: Why,
    },
    /// The time has come.
    TimerFired { timer: TimerId },
    /// It does not wait any more.
    TimerCancelled { timer: TimerId },
    /// The run listens.
    SubOpened {
        sub: SubscriptionId,
        act: String,
        filter: EventFilter,
    },
    /// It took an event.
    EventTaken {
        sub: SubscriptionId,
        source: String,
        id: String,
        event: Value,
    },
    /// It does not listen any more.
    SubClosed { sub: SubscriptionId },
    /// An error came up at a task; all inside `until` is closed.
    ErrorRaised {
        act: String,
        error: Fault,
        until: Option<String>,
    },
    /// A `try` caught it; what it had open is closed. It retries, or handles the error.
    ErrorCaught { act: String, error: Fault },
    /// The next attempt.
    RetryPlanned {
        act: String,
        attempt: u32,
        due: Timestamp,
        jitter: Span,
    },
    /// An attempt begins, with the context as at the first one.
    RetryStarted {
        act: String,
        attempt: u32,
        context: Value,
    },
    /// A piece of work waits for the helper.
    Deferred(Box<Deferred>),
    /// The helper answered.
    Evaluated { name: String, answer: HelperAnswer },
    /// The batch is full; this is left.
    Yielded { work: Vec<Work> },
    /// What was left is done now.
    Continued,
    /// Kept until the run is resumed.
    Held { input: Input },
    /// Stopped by a person.
    Suspended { by: Principal, at: Timestamp },
    /// Going on again; what was held is done now.
    Resumed { by: Principal },
    /// A person wants it to end.
    CancelAsked {
        by: Principal,
        reason: Option<String>,
    },
    /// Over.
    RunEnded {
        status: RunStatus,
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "present"
        )]
        output: Option<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Fault>,
    },
}

/// A piece of work that waits for the helper. It is done again as a whole, with the same clock, so
/// it asks for the same job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deferred {
    /// The piece.
    pub(super) work: Work,
    /// What it waits for.
    pub(super) job: HelperJob,
    /// The time that its expressions see.
    pub(super) clock: Timestamp,
    /// Answers that it had before.
    pub(super) answers: BTreeMap<String, HelperAnswer>,
}
