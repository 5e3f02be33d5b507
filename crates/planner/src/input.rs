//! What a plan is made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_expression::Files;
use consort_model::blueprint::{Blueprint, TargetKind};
use consort_model::plan::Mode;
use consort_model::revision::RevisionNumber;
use consort_model::{Address, Digest, Partial, StateEntry, Timestamp, Value};
use indexmap::IndexMap;

use crate::contract::TypeSchema;

/// Which nodes, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only these and what they need (when destroying: and what needs them); all if empty.
    pub only: Vec<Address>,
    /// Replace these even if nothing about them changed.
    pub replace: Vec<Address>,
    /// Look at what is there before planning.
    pub refresh: bool,
}

/// Schemas by driver and type.
pub type Schemas = BTreeMap<(String, String), TypeSchema>;

/// Everything that a plan is made from. The planner reads nothing else: no clock, no file.
pub struct PlanInput {
    /// What is wanted. For destroying, an empty one will do.
    pub blueprint: Arc<Blueprint>,
    /// The digest of its bundle.
    pub bundle: Option<Digest>,
    /// The programs that were built, by the name of the service. On the process target a service with
    /// `process.build` that is missing here has not been built yet.
    pub programs: BTreeMap<String, Digest>,
    /// The deployment's name.
    pub deployment: String,
    /// More attributes of `.deployment`, beside `name` and `target`: its `url`, once it has one. A
    /// `url` that is not given is known after apply.
    pub deployment_attributes: IndexMap<String, Partial>,
    /// The target that was chosen.
    pub target: TargetKind,
    /// The revision that the plan follows.
    pub parent: Option<RevisionNumber>,
    /// What the plan is for.
    pub mode: Mode,
    /// The values of all inputs, from [`crate::inputs::check`]; secrets as tokens.
    pub inputs: BTreeMap<String, Value>,
    /// What is recorded.
    pub state: BTreeMap<Address, StateEntry>,
    /// Which nodes, and how.
    pub options: Options,
    /// What the drivers know.
    pub schemas: Schemas,
    /// When the plan is made.
    pub created: Timestamp,
    /// The files of the bundle, for `file()` and `template()`.
    pub files: Option<Arc<dyn Files + Send + Sync>>,
}

/// The name of the driver that a target is.
pub const fn target_driver(target: TargetKind) -> &'static str {
    match target {
        TargetKind::Process => "process",
        TargetKind::Docker => "docker",
        TargetKind::Kubernetes => "kubernetes",
    }
}

/// The driver of definitions that the engine itself keeps: pools, workloads, workflows.
pub const ENGINE: &str = "engine";
/// The driver of resources without a provider's prefix.
pub const BUILTIN: &str = "builtin";
