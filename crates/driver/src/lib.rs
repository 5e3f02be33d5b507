//! What a driver is: the code that makes one kind of node real.
//!
//! Things with a life cycle implement [`Driver`]; a target also runs services ([`ServiceRuntime`],
//! or [`InstanceRuntime`] under the engine's roll-out) and tasks ([`TaskRuntime`]), and says where
//! services can be reached ([`Endpoints`]).

mod context;
mod error;
mod instance;
mod resource;
mod schema;
mod target;
mod task;

pub use context::{Context, Facts, SecretValue, Secrets, StepKey};
pub use error::{Ambiguity, DriverError};
pub use instance::{
    InstanceRequest, InstanceRuntime, InstanceStatus, InstanceVersion, Phase, Route, RouteTarget,
    ServicePort, StopMode,
};
pub use resource::{
    Applied, ApplyRequest, Driver, Intent, Observed, PlanRequest, PlannedChange, Resolution,
};
pub use schema::{Attribute, AttributeKind, TypeSchema};
pub use target::{
    Capability, Endpoints, LogLine, LogQuery, LogStream, ServiceRuntime, ServiceStatus, Target,
};
pub use task::{TaskOutcome, TaskRequest, TaskRuntime, TaskStatus};
