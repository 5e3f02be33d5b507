//! Deployments and their revisions: what was asked for, numbered and kept.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::blueprint::TargetKind;
use crate::id::{DeploymentId, RunId};
use crate::{Digest, Timestamp, Value};

/// Counts the revisions of a deployment from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionNumber(pub u32);

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// Was everything that was asked for carried out?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// All of it.
    Complete,
    /// Some steps failed or were not reached; the state says what is there.
    Partial,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number within the deployment.
    pub number: RevisionNumber,
    /// The run that made it.
    pub run: RunId,
    /// The plan that was carried out.
    pub plan: Digest,
    /// The bundle.
    pub bundle: Digest,
    /// The values of the inputs; secrets as tokens.
    pub inputs: BTreeMap<String, Value>,
    /// Exact things that changeable references stood for: program and image digests, secret
    /// versions, definition digests. What a kept revision pins is never collected.
    pub pins: BTreeMap<String, String>,
    /// Was all of it carried out?
    pub completeness: Completeness,
    /// The values of the outputs.
    #[serde(default)]
    pub outputs: BTreeMap<String, Value>,
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub principal: Principal,
}

/// Who asked for something. On every record from the first migration on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Principal(pub String);

impl Principal {
    /// The server itself: timers, schedules, recovery.
    pub fn system() -> Self {
        Self("system".into())
    }
    /// A user of this machine, known by peer credentials of the socket.
    pub fn local_user(uid: u32) -> Self {
        Self(format!("uid:{uid}"))
    }
}

/// A named, recorded instance of a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Its name, unique in the home.
    pub name: String,
    /// The target that was chosen; it stays.
    pub target: TargetKind,
    /// The newest revision.
    pub revision: Option<RevisionNumber>,
    /// The run that is changing it now, if any.
    pub changing: Option<RunId>,
    /// When it was made.
    pub created: Timestamp,
}
