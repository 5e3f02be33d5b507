//! Runs: what they are for and how they stand.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::id::RunId;
use crate::revision::Principal;
use crate::{Digest, Timestamp};

/// What is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A plan.
    Plan,
    /// A roll-out of one service, under a mandate of a plan.
    RollOut,
    /// A job.
    Job,
    /// A workload.
    Workload,
    /// A workflow.
    Workflow,
}

impl RunKind {
    /// The word for people and the store.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::RollOut => "roll_out",
            Self::Job => "job",
            Self::Workload => "workload",
            Self::Workflow => "workflow",
        }
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Recorded, not begun.
    Pending,
    /// Going on.
    Running,
    /// Waiting for a timer, an event or an answer.
    Waiting,
    /// Stopped by a person; can be resumed.
    Suspended,
    /// Ended as asked for.
    Completed,
    /// Ended with an error.
    Faulted,
    /// Ended by a person before it was done.
    Cancelled,
}

impl RunStatus {
    /// Nothing will happen in it any more.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Faulted | Self::Cancelled)
    }
    /// The word for people and the store.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Faulted => "faulted",
            Self::Cancelled => "cancelled",
        }
    }
    /// The status with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Running,
            Self::Waiting,
            Self::Suspended,
            Self::Completed,
            Self::Faulted,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|status| status.word() == word)
    }
}

/// A run, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// What it carries out.
    pub kind: RunKind,
    /// The deployment's name.
    pub deployment: String,
    /// The workflow, workload, job or service, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Address>,
    /// How it stands.
    pub status: RunStatus,
    /// The digest of the definition: plan, workflow document, workload.
    pub definition: Digest,
    /// Who asked for it.
    pub principal: Principal,
    /// The run that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// When it was recorded.
    pub created: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why it ended with an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
