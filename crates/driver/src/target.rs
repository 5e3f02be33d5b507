//! Targets: where services, jobs and tasks run.

use std::net::SocketAddr;
use std::pin::Pin;

use async_trait::async_trait;
use consort_model::Address;
use consort_model::Timestamp;
use consort_model::blueprint::TargetKind;
use serde::{Deserialize, Serialize};

use crate::{Context, Driver, DriverError, InstanceRuntime, InstanceStatus, TaskRuntime};

/// One thing that this machine can or cannot do, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// `cgroup limits`, `mount namespaces`.
    pub name: String,
    /// Can it?
    pub available: bool,
    /// How, or why not.
    pub detail: String,
    /// What follows for the user.
    pub consequence: String,
}

/// What is observed of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceStatus {
    /// `services.api`.
    pub address: Address,
    /// Its instances.
    pub instances: Vec<InstanceStatus>,
}

/// A whole service, for targets that have controllers of their own. For the others the engine's
/// roll-out implements it over an [`InstanceRuntime`].
#[async_trait]
pub trait ServiceRuntime: Send + Sync {
    /// How a service stands.
    async fn service_status(
        &self,
        context: &Context,
        service: &Address,
    ) -> Result<ServiceStatus, DriverError>;
}

/// Which lines of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogQuery {
    /// Only of these nodes (services, instances, tasks); all if empty.
    pub of: Vec<Address>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// Only the last so many of each instance.
    pub tail: Option<usize>,
    /// Go on with new lines.
    pub follow: bool,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was read from the program.
    pub at: Timestamp,
    /// Of which instance or task.
    pub of: Address,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The text, without its line end.
    pub text: String,
}

/// Lines, oldest first; ends when there are no more (never, when followed).
pub type LogStream = Pin<Box<dyn futures_core::Stream<Item = Result<LogLine, DriverError>> + Send>>;

/// Where services can be reached.
#[async_trait]
pub trait Endpoints: Send + Sync {
    /// An address that the server can connect to for this port of the service.
    async fn dial(
        &self,
        context: &Context,
        service: &Address,
        port: u16,
    ) -> Result<SocketAddr, DriverError>;
    /// Is this the name of a service (or an alias) in the deployment? Workflows call `http://crm/…`.
    async fn resolve_name(
        &self,
        context: &Context,
        name: &str,
    ) -> Result<Option<Address>, DriverError>;
    /// The URL at which the deployment's exposed workflows and events answer, from inside.
    async fn deployment_url(&self, context: &Context) -> Result<String, DriverError>;
}

/// Where services, jobs and tasks run.
#[async_trait]
pub trait Target: Send + Sync {
    /// Which target it is.
    fn kind(&self) -> TargetKind;
    /// What this machine can do.
    async fn capabilities(&self, context: &Context) -> Vec<Capability>;
    /// Networks, volumes, configs, secrets and the planning side of services.
    fn resources(&self) -> &dyn Driver;
    /// Single instances.
    fn instances(&self) -> &dyn InstanceRuntime;
    /// Tasks.
    fn tasks(&self) -> &dyn TaskRuntime;
    /// Where services can be reached.
    fn endpoints(&self) -> &dyn Endpoints;
    /// Lines of logs.
    async fn logs(&self, context: &Context, query: LogQuery) -> Result<LogStream, DriverError>;
    /// Runs a command inside an instance, with these descriptors as its standard streams; the exit code.
    async fn exec(
        &self,
        context: &Context,
        instance: &str,
        command: Vec<String>,
        streams: [std::os::fd::OwnedFd; 3],
    ) -> Result<i32, DriverError>;
    /// Ends everything that the target keeps for this home (its port holder), when no deployment is left.
    async fn shutdown(&self, context: &Context) -> Result<(), DriverError>;
}
