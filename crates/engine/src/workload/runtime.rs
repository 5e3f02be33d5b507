//! The task runtime of a target, shared by the effects of a run.

use std::sync::Arc;

use async_trait::async_trait;
use consort_driver::{
    Context, DriverError, StepKey, Target, TaskOutcome, TaskRequest, TaskRuntime, TaskStatus,
};
use consort_model::units::MilliCpus;

/// The tasks of a target.
pub(super) struct OfTarget(pub(super) Arc<dyn Target>);

#[async_trait]
impl TaskRuntime for OfTarget {
    async fn task_start(&self, context: &Context, request: TaskRequest) -> Result<(), DriverError> {
        self.0.tasks().task_start(context, request).await
    }
    async fn task_status(
        &self,
        context: &Context,
        key: &StepKey,
    ) -> Result<TaskStatus, DriverError> {
        self.0.tasks().task_status(context, key).await
    }
    async fn task_wait(
        &self,
        context: &Context,
        key: &StepKey,
    ) -> Result<TaskOutcome, DriverError> {
        self.0.tasks().task_wait(context, key).await
    }
    async fn task_stop(&self, context: &Context, key: &StepKey) -> Result<(), DriverError> {
        self.0.tasks().task_stop(context, key).await
    }
    async fn task_remove(&self, context: &Context, key: &StepKey) -> Result<(), DriverError> {
        self.0.tasks().task_remove(context, key).await
    }
    fn task_shares(&self) -> Result<(), String> {
        self.0.tasks().task_shares()
    }
    fn task_capacity(&self) -> MilliCpus {
        self.0.tasks().task_capacity()
    }
}
