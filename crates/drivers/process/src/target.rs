//! The target.

use async_trait::async_trait;
use consort_driver::{
    Capability, Context, Driver, DriverError, Endpoints, InstanceRuntime, LogQuery, LogStream,
    Target, TaskRuntime,
};
use consort_model::blueprint::TargetKind;

use crate::machine::{Machine, Rung};
use crate::runtime::{Options, Runtime};
use crate::{capabilities, exec, logs, shutdown};

/// Services, jobs and tasks as processes of this machine.
#[derive(Debug)]
pub struct ProcessTarget {
    runtime: Runtime,
}

impl ProcessTarget {
    /// The target with all that this machine can do.
    pub fn new(options: Options) -> Self {
        Self {
            runtime: Runtime::new(options, Machine::default()),
        }
    }

    /// The target as on a machine that can do no more than this.
    pub fn limited_to(options: Options, rung: Rung) -> Self {
        Self {
            runtime: Runtime::new(options, Machine::limited_to(rung)),
        }
    }
}

#[async_trait]
impl Target for ProcessTarget {
    fn kind(&self) -> TargetKind {
        TargetKind::Process
    }
    async fn capabilities(&self, context: &Context) -> Vec<Capability> {
        capabilities::all(&self.runtime, context).await
    }
    fn resources(&self) -> &dyn Driver {
        &self.runtime
    }
    fn instances(&self) -> &dyn InstanceRuntime {
        &self.runtime
    }
    fn tasks(&self) -> &dyn TaskRuntime {
        &self.runtime
    }
    fn endpoints(&self) -> &dyn Endpoints {
        &self.runtime
    }
    async fn logs(&self, context: &Context, query: LogQuery) -> Result<LogStream, DriverError> {
        logs::stream(context, query)
    }
    async fn exec(
        &self,
        context: &Context,
        instance: &str,
        command: Vec<String>,
        streams: [std::os::fd::OwnedFd; 3],
    ) -> Result<i32, DriverError> {
        exec::exec(&self.runtime, context, instance, command, streams).await
    }
    async fn shutdown(&self, context: &Context) -> Result<(), DriverError> {
        shutdown::shutdown(&self.runtime, context).await
    }
}
