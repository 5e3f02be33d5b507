//! Things with a life cycle.

use std::collections::BTreeMap;

use async_trait::async_trait;
use consort_model::plan::Operation;
use consort_model::state::Object;
use consort_model::{Address, Partial, Value};

use crate::{Context, DriverError, SecretValue, StepKey, TypeSchema};

/// What a driver is asked to plan.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Which node.
    pub address: Address,
    /// The type.
    pub type_name: String,
    /// What is recorded; `None` for a new one.
    pub prior: Option<Object>,
    /// What it shall be; parts may be unknown.
    pub desired: Partial,
}

/// What a driver says will follow from a change. Planning has no effect on the world.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedChange {
    /// All attributes after it; those that are found out later are unknown.
    pub planned: Partial,
    /// Paths of the settings whose difference cannot be made in place.
    pub requires_replacement: Vec<String>,
    /// Is there anything to do at all?
    pub changes: bool,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What a driver is asked to do.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// Names the effect, the same after a crash.
    pub key: StepKey,
    /// Which node.
    pub address: Address,
    /// The type.
    pub type_name: String,
    /// Create, update or delete.
    pub operation: Operation,
    /// What is recorded, for updates and deletions.
    pub prior: Option<Object>,
    /// What it shall be, with secrets as tokens; null for deletions.
    pub desired: Value,
}

/// What there is after an effect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applied {
    /// What the driver knows the thing by.
    pub id: String,
    /// All attributes. The value of a sensitive one stands in `secrets` instead and is null here;
    /// the engine seals it and records a token.
    pub attributes: Value,
    /// Values of sensitive attributes, by name.
    pub secrets: BTreeMap<String, SecretValue>,
    /// It was made, but not completely.
    pub tainted: bool,
}

/// What is there in the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// It is there, with these attributes (sensitive ones are null: they are not compared).
    Present(Value),
    /// It is surely not there.
    Gone,
    /// It cannot be seen from here now; that does not mean that it is gone.
    Unreachable(String),
}

/// An effect that was begun and of which no outcome is recorded.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The request as it was recorded.
    pub request: ApplyRequest,
}

/// What became of an effect that was in doubt.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// It happened, and this is there.
    Happened(Applied),
    /// It surely did not happen, or doing it again is safe: do it.
    Repeat,
    /// Only a person can tell; the sentence says what to look at.
    Ask(String),
}

/// Makes one kind of node real.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Its name, as plans and state record it.
    fn name(&self) -> &str;
    /// The types that it knows.
    fn types(&self) -> Vec<TypeSchema>;
    /// How many effects of it may be under way at once.
    fn concurrency(&self) -> usize {
        8
    }
    /// What would follow from this change? Reads at most.
    async fn plan(
        &self,
        context: &Context,
        request: PlanRequest,
    ) -> Result<PlannedChange, DriverError>;
    /// Makes, changes or deletes one thing. Deleting what is gone succeeds.
    async fn apply(&self, context: &Context, request: ApplyRequest)
    -> Result<Applied, DriverError>;
    /// What is there?
    async fn read(
        &self,
        context: &Context,
        type_name: &str,
        object: &Object,
    ) -> Result<Observed, DriverError>;
    /// Takes up something that exists already.
    async fn import(
        &self,
        context: &Context,
        type_name: &str,
        id: &str,
    ) -> Result<Applied, DriverError>;
    /// What became of an effect of which no outcome is recorded?
    async fn resolve(&self, context: &Context, intent: Intent) -> Result<Resolution, DriverError>;
}
