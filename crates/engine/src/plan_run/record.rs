//! What is recorded of a plan run (`durable.md` 3).

use consort_model::id::RunId;
use consort_model::plan::ActionId;
use consort_model::revision::RevisionNumber;
use consort_model::run::RunStatus;
use consort_model::{Digest, Problem, Timestamp};
use serde::{Deserialize, Serialize};

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum StepOutcome {
    /// It took effect; the state rows were written with this record.
    Succeeded,
    /// It did not take effect, or not completely.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// What became of a question about a step in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It took effect.
    Happened,
    /// It did not: do it (again).
    Repeat,
}

/// A record of a plan run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body")]
pub enum PlanRecord {
    /// The run begins.
    RunCreated {
        /// The plan that it carries out.
        plan: Digest,
    },
    /// The intent of a step: written before its effect.
    StepPlanned {
        /// Which step.
        step: ActionId,
        /// Counts the tries from 1.
        attempt: u32,
        /// The idempotency key of the effect.
        key: String,
        /// The digest of the request, with secrets as handles.
        request: Digest,
        /// The service's child run, for steps that are carried out by one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        child: Option<RunId>,
        /// When it must have ended.
        deadline: Timestamp,
    },
    /// The outcome of a step: written after its effect.
    StepEnded {
        /// Which step.
        step: ActionId,
        /// How.
        outcome: StepOutcome,
    },
    /// A step has an intent and no outcome.
    StepInDoubt {
        /// Which step.
        step: ActionId,
    },
    /// A doubt is settled.
    StepResolved {
        /// Which step.
        step: ActionId,
        /// How.
        answer: Answer,
        /// By the driver's look-up, or by whom.
        by: String,
    },
    /// A failed step will be tried again.
    RetryPlanned {
        /// Which step.
        step: ActionId,
        /// The next try.
        attempt: u32,
        /// When; jitter is in it.
        due: Timestamp,
        /// Why the last try failed.
        problem: Problem,
    },
    /// Only a person can tell whether a step took effect.
    QuestionAsked {
        /// Which step.
        step: ActionId,
        /// What to look at.
        text: String,
    },
    /// The run stops after what is under way.
    CancelAsked {
        /// Who.
        by: String,
        /// What is under way is given up.
        now: bool,
    },
    /// The run goes on after it was stopped or had failed: failed steps may be tried again.
    RunResumed {
        /// Who.
        by: String,
    },
    /// Nothing is under way any more and nothing more will begin.
    RunEnded {
        /// How.
        status: RunStatus,
        /// The revision that it made, if it changed anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<RevisionNumber>,
    },
}
