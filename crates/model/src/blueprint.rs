//! The blueprint after loading: typed where the planner acts on it, templates where values may be
//! deferred.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::template::{Place, Template};
use crate::time::Span;
use crate::{Address, Value};

/// Where services, jobs and tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// As processes of this machine.
    Process,
    /// As containers of a Docker Engine.
    Docker,
    /// In a Kubernetes cluster.
    Kubernetes,
}

/// The type of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    /// Text.
    String,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// Any list.
    Array,
    /// Any object.
    Object,
}

/// A typed parameter of the blueprint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputDecl {
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: InputType,
    /// The value when none is given; without one the input must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values that are allowed, if any are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Value>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its value is a secret.
    #[serde(default)]
    pub sensitive: bool,
    /// Where it is declared.
    pub place: Place,
}

/// A published value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputDecl {
    /// What it is.
    pub value: Template,
    /// It may hold a secret; shown only when asked for by name.
    #[serde(default)]
    pub sensitive: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// How a node may be replaced and deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifecycle {
    /// A plan that would delete it is refused.
    pub prevent_destroy: bool,
    /// A replacement is made before the old one is deleted.
    pub create_before_destroy: bool,
    /// Attributes whose differences do not count, by path: `tags`, `tags.owner`; `all` for every one.
    pub ignore_changes: Vec<String>,
    /// Nodes (or attributes of them) whose change replaces this one.
    pub replace_triggered_by: Vec<String>,
}

/// When a dependency is satisfied (Compose: `depends_on.condition`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It exists; a service: it was started.
    #[default]
    ServiceStarted,
    /// Its health check succeeds.
    ServiceHealthy,
    /// It has run and ended with 0.
    ServiceCompletedSuccessfully,
}

/// An edge that is written down, beside those that come from references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What must be there first (a declaration: without key or part).
    pub on: Address,
    /// What that means.
    #[serde(default)]
    pub condition: Condition,
    /// A dependency that is not required only warns.
    #[serde(default = "yes")]
    pub required: bool,
    /// Compose's `restart`: follow an explicit restart of the other.
    #[serde(default)]
    pub restart: bool,
}

const fn yes() -> bool {
    true
}

/// One declared node: everything but inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeDecl {
    /// The driver's type: `password`, `aws_s3_bucket`; for kinds with one type, the kind's word.
    pub type_name: String,
    /// Its settings: `properties` of a resource; the canonical Compose form of a service; the value
    /// of a local.
    pub body: Template,
    /// One instance per element: a list of strings or an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<Template>,
    /// Explicit edges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// How it may be replaced and deleted.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// The longest that one step of it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<Span>,
    /// Where it is declared.
    pub place: Place,
}

/// A goal for the whole deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objectives {
    /// As written.
    pub body: Template,
    /// Where.
    pub place: Place,
}

/// Something that a person should know, that does not stop anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What.
    pub message: String,
    /// Where in the blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Which node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// A system, as described by its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blueprint {
    /// The name of the deployment (Compose: project).
    pub name: String,
    /// The target, if the blueprint names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetKind>,
    /// Settings of the target.
    #[serde(default)]
    pub target_settings: Template,
    /// Typed parameters.
    #[serde(default)]
    pub inputs: IndexMap<String, InputDecl>,
    /// Every node but inputs and outputs, by its declaration's address, in the order of the files.
    #[serde(default)]
    pub nodes: IndexMap<Address, NodeDecl>,
    /// Published values.
    #[serde(default)]
    pub outputs: IndexMap<String, OutputDecl>,
    /// Goals for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<Objectives>,
    /// What the loader noticed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}
