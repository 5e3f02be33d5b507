//! Instances of services, for targets that have no controller of their own. The engine's roll-out
//! decides; an instance runtime does.

use std::net::SocketAddr;

use async_trait::async_trait;
use consort_model::service::{AppProtocol, Protocol, ServiceSpec};
use consort_model::{Address, Digest, Timestamp, Value};

use crate::{Context, DriverError, StepKey};

/// Which version of a service an instance is of: the digest of everything that it runs with.
pub type InstanceVersion = Digest;

/// An instance that shall be started.
#[derive(Debug, Clone)]
pub struct InstanceRequest {
    /// Names the effect; an instance that was started under this key is not started again.
    pub key: StepKey,
    /// `services.api#2`.
    pub address: Address,
    /// Its version.
    pub version: InstanceVersion,
    /// What to run, with secrets as tokens.
    pub spec: ServiceSpec,
    /// The attributes of the service that the target has planned (addresses, ports).
    pub service: Value,
    /// The digest of the built program, if it has one.
    pub program: Option<Digest>,
    /// Variables that the engine adds: `K_SINK`, addresses of dependencies.
    pub environment: Vec<(String, String)>,
}

/// How an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It was asked for and has not begun.
    Starting,
    /// It runs; it has no health check, or that has not succeeded yet.
    Running,
    /// It runs and is ready for traffic.
    Ready,
    /// It runs and its health check fails.
    Unhealthy,
    /// It has ended and will be started again.
    BackingOff,
    /// It was told to stop.
    Stopping,
    /// It has ended.
    Exited,
    /// It has failed for good: its restart policy is used up.
    Failed,
}

impl Phase {
    /// May a process of it be alive?
    pub const fn may_run(self) -> bool {
        match self {
            Self::Starting
            | Self::Running
            | Self::Ready
            | Self::Unhealthy
            | Self::BackingOff
            | Self::Stopping => true,
            Self::Exited | Self::Failed => false,
        }
    }
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Unhealthy => "unhealthy",
            Self::BackingOff => "backing off",
            Self::Stopping => "stopping",
            Self::Exited => "exited",
            Self::Failed => "failed",
        }
    }
}

/// What is observed of an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceStatus {
    /// `services.api#2`.
    pub address: Address,
    /// The runtime's own name of it: two instances of one address can exist during a replacement.
    pub id: String,
    /// Its version.
    pub version: InstanceVersion,
    /// How it stands.
    pub phase: Phase,
    /// The main process.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
    /// Its own address.
    pub ip: Option<std::net::IpAddr>,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// `exit code 1`, `signal SIGKILL (out of memory)`.
    pub ended: Option<String>,
    /// Its exit code, when it ended by itself.
    pub exit_code: Option<i32>,
    /// It was told to stop, or does not get traffic any more.
    pub draining: bool,
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Signal, grace period, kill.
    Graceful,
    /// Kill.
    Now,
}

/// One instance that gets traffic, or that loses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTarget {
    /// The runtime's own name of the instance.
    pub id: String,
    /// No new connections.
    pub draining: bool,
}

/// Where the traffic of one service goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `services.api`.
    pub service: Address,
    /// Rises with each change; an older one is refused.
    pub generation: u64,
    /// All instances.
    pub targets: Vec<RouteTarget>,
}

/// A port of a service as it can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// The port that instances listen on.
    pub target: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// What is spoken.
    pub app_protocol: AppProtocol,
    /// Where it is published.
    pub published: Option<SocketAddr>,
}

/// Starts and stops single instances.
#[async_trait]
pub trait InstanceRuntime: Send + Sync {
    /// Starts an instance and answers when its program runs (not: is ready).
    async fn instance_start(
        &self,
        context: &Context,
        request: InstanceRequest,
    ) -> Result<InstanceStatus, DriverError>;
    /// All instances of this deployment (or of one service) that exist or have left a record.
    async fn instance_list(
        &self,
        context: &Context,
        service: Option<&Address>,
    ) -> Result<Vec<InstanceStatus>, DriverError>;
    /// Answers at the next change of an instance of this service after `seen`, or when `limit` has passed.
    async fn instance_wait(
        &self,
        context: &Context,
        service: &Address,
        seen: &[InstanceStatus],
        limit: std::time::Duration,
    ) -> Result<Vec<InstanceStatus>, DriverError>;
    /// Stops an instance and waits until it is gone. Stopping what is gone succeeds.
    async fn instance_stop(
        &self,
        context: &Context,
        id: &str,
        mode: StopMode,
    ) -> Result<(), DriverError>;
    /// Removes what is left of an instance that has ended.
    async fn instance_remove(&self, context: &Context, id: &str) -> Result<(), DriverError>;
    /// Sets where traffic goes.
    async fn route_set(&self, context: &Context, route: Route) -> Result<(), DriverError>;
    /// Answers when no connection goes to this instance any more, or `limit` has passed: how many are left.
    async fn route_drained(
        &self,
        context: &Context,
        service: &Address,
        id: &str,
        limit: std::time::Duration,
    ) -> Result<u64, DriverError>;
    /// The last lines of an instance's log, for messages.
    async fn instance_tail(
        &self,
        context: &Context,
        id: &str,
        lines: usize,
    ) -> Result<Vec<String>, DriverError>;
}
