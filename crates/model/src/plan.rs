//! Plans: an immutable, complete list of actions, with what it was made from and a verdict with a
//! reason for every node.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::blueprint::{Condition, Lifecycle, TargetKind, Warning};
use crate::revision::RevisionNumber;
use crate::state::{Object, Site};
use crate::template::Template;
use crate::time::Span;
use crate::units::MicroUsd;
use crate::{Address, Digest, Generation, Partial, Timestamp, Value};

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Make the world as the blueprint says.
    Apply,
    /// Delete everything. Named volumes stay, unless `volumes` is set.
    Destroy {
        /// Named volumes too.
        volumes: bool,
    },
    /// Record what is there, and change nothing.
    RefreshOnly,
}

/// Names an action within its plan: the operation and the address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub String);

impl ActionId {
    /// The id of this operation on this node.
    pub fn new(operation: &Operation, address: &Address) -> Self {
        Self(match operation {
            Operation::Delete { deposed: Some(id) } => format!("delete {address} ({id})"),
            other => format!("{} {address}", other.word()),
        })
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an action does. A replacement is a create and a delete, in the order that its verdict says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "operation")]
pub enum Operation {
    /// Make it. With `keep` the thing that is there now becomes deposed instead of being gone.
    Create {
        /// A replacement that is made before the old one is deleted.
        replaces: bool,
    },
    /// Change it in place.
    Update,
    /// Delete it: what stands for it now, or a deposed thing with this id.
    Delete {
        /// The id of a deposed thing.
        deposed: Option<String>,
    },
    /// Read it (data), or record what was observed (refresh).
    Read,
    /// Forget it: it is gone from the world already.
    Forget,
}

impl Operation {
    /// The word for people and ids.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update => "update",
            Self::Delete { .. } => "delete",
            Self::Read => "read",
            Self::Forget => "forget",
        }
    }
}

/// One difference of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The path of the attribute: `cidr_block`, `tags.owner`, `ports[0].target`.
    pub path: String,
    /// What is recorded; null when nothing is.
    pub before: Value,
    /// What it will be.
    pub after: Partial,
    /// The value is a secret and is shown masked.
    #[serde(default)]
    pub sensitive: bool,
    /// This difference cannot be made in place.
    #[serde(default)]
    pub forces_replacement: bool,
}

/// What an action allows the engine to do later without asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mandate")]
pub enum Mandate {
    /// Replace the instances of a service by this policy.
    RollOut {
        /// How, and what to do on failure.
        policy: crate::service::RollOutPolicy,
        /// How many instances.
        replicas: u32,
        /// Why this order was chosen.
        reason: String,
    },
    /// Start an instance again that has ended or is gone, within its restart policy.
    Repair,
    /// Run tasks on slots of a pool, for at most this cost.
    Lease {
        /// List prices.
        at_most: MicroUsd,
    },
}

/// What a person asked to be done to a running service, beside its settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServiceChange {
    /// Replace the instances although their version is the same.
    #[serde(default)]
    pub restart: bool,
    /// This number of instances instead of the blueprint's; 0 stops the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
}

/// One action of a plan: one step of the run that carries it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its name within the plan.
    pub id: ActionId,
    /// The node.
    pub address: Address,
    /// What to do.
    #[serde(flatten)]
    pub operation: Operation,
    /// The driver that does it.
    pub driver: String,
    /// The type within the driver.
    pub type_name: String,
    /// Where.
    pub site: Site,
    /// What stands for the node now, for updates and deletions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Object>,
    /// The settings with their expressions, evaluated again when the action begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// The `each` of a `for_each` instance: key and value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<(String, Value)>,
    /// What was approved: the evaluated settings; unknown parts are promised nothing about.
    #[serde(default = "null")]
    pub desired: Partial,
    /// What the driver says the attributes will be.
    #[serde(default = "null")]
    pub planned: Partial,
    /// The differences, for people.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// Actions that must have succeeded before.
    #[serde(default)]
    pub after: Vec<ActionId>,
    /// Services that must have reached a condition before.
    #[serde(default)]
    pub waits_for: Vec<(Address, Condition)>,
    /// The nodes whose attributes the settings refer to, and explicit dependencies: recorded with
    /// the state, for the order of deletion.
    #[serde(default)]
    pub depends_on: Vec<Address>,
    /// Recorded with the state.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// What the engine may do later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mandates: Vec<Mandate>,
    /// What a person asked to be done to a service (stop, start, restart, scale); `None` in plans
    /// that are made from a blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_change: Option<ServiceChange>,
    /// The longest that it may take.
    pub time_limit: Span,
}

const fn null() -> Partial {
    Partial::NULL
}

/// What the plan says about one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What happens to it.
    pub what: VerdictKind,
    /// Why, in one sentence without a full stop: `cidr_block forces it`.
    pub reason: String,
}

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// Nothing to do.
    Unchanged,
    /// It will be made.
    Create,
    /// It will be changed in place.
    Update,
    /// It will be replaced; the old one is deleted first.
    Replace,
    /// It will be replaced; the new one is made first.
    ReplaceCreateFirst,
    /// It will be deleted.
    Delete,
    /// It will be read during the run.
    Read,
    /// It is recorded, but gone from the world: the record is dropped or it is made again.
    Forget,
    /// It could not be planned, as something that it depends on could not.
    Waiting,
    /// A setting forbids what would be needed.
    Held,
    /// It was left out by `--only`.
    Skipped,
}

impl VerdictKind {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::ReplaceCreateFirst => "replace (create first)",
            Self::Delete => "delete",
            Self::Read => "read",
            Self::Forget => "forget",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Skipped => "skipped",
        }
    }
}

/// Why a plan is not carried out without being asked about (DESIGN 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Question {
    /// It deletes or replaces something that holds data.
    DestroysData {
        /// What.
        address: Address,
    },
    /// It calls a provider.
    CallsProvider {
        /// Which.
        driver: String,
    },
    /// It costs money.
    Costs {
        /// How much per hour, at list prices.
        per_hour: MicroUsd,
    },
    /// It changes servers.
    TouchesHost {
        /// Which.
        address: Address,
    },
}

/// How long and how dear.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// The time of the longest chain, from past runs and declared estimates; `None` if unknown.
    pub duration: Option<Span>,
    /// For each workload with a pool and an objective: the planned time and cost of one run.
    #[serde(default)]
    pub workloads: BTreeMap<String, WorkloadEstimate>,
}

/// What one run of a workload takes, by its plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadEstimate {
    /// From its start to its end.
    pub makespan: Span,
    /// At list prices.
    pub cost: MicroUsd,
    /// How many leases of each node type.
    pub fleet: BTreeMap<String, u32>,
}

/// The plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this form.
    pub format: u32,
    /// The deployment's name.
    pub deployment: String,
    /// The target that was chosen.
    pub target: TargetKind,
    /// What it is for.
    pub mode: Mode,
    /// The revision that it follows; `None` for the first.
    pub parent: Option<RevisionNumber>,
    /// The bundle that it was made from; `None` when destroying what has no blueprint any more.
    pub bundle: Option<Digest>,
    /// The values of the inputs; secrets as tokens.
    pub inputs: BTreeMap<String, Value>,
    /// The nodes that it chose, if not all (`--only`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Address>,
    /// The generations that it read; absent nodes were not recorded.
    pub read: BTreeMap<Address, Generation>,
    /// What to do, in an order that respects `after`.
    pub actions: Vec<Action>,
    /// Every node, with the reason.
    pub verdicts: IndexMap<Address, Verdict>,
    /// Expressions of the outputs, evaluated again at the end.
    pub outputs: IndexMap<String, Template>,
    /// What the outputs will be.
    pub planned_outputs: IndexMap<String, Partial>,
    /// Differences between what is recorded and what was observed, found while planning.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub drift: IndexMap<Address, Vec<Difference>>,
    /// How long and how dear.
    #[serde(default)]
    pub estimate: Estimate,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Why it must be asked about; empty for a plan that may go ahead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// When it was made.
    pub created: Timestamp,
}

/// The form that this version writes.
pub const FORMAT: u32 = 1;

impl Plan {
    /// The digest of the canonical JSON of the plan: what an approval binds to.
    pub fn digest(&self) -> Digest {
        Digest::of_serialized(self).unwrap_or(Digest::from_bytes([0; 32]))
    }
    /// Is there nothing to do?
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }
    /// How many nodes have each verdict, without those that nothing happens to.
    pub fn counts(&self) -> BTreeMap<VerdictKind, usize> {
        let mut counts = BTreeMap::new();
        for verdict in self.verdicts.values() {
            match verdict.what {
                VerdictKind::Unchanged | VerdictKind::Skipped => {}
                what => *counts.entry(what).or_default() += 1,
            }
        }
        counts
    }
}
