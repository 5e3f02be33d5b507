//! Starts again what shall run and does not: after a reboot, or when an instance has ended for good
//! while no server ran. Level-triggered: it compares what is recorded with what is there, and is not
//! told why it was woken.

use std::sync::Arc;

use consort_driver::{InstanceStatus, Phase};
use consort_model::revision::{Deployment, Principal};
use consort_model::service::{RestartWhen, ServiceSpec};
use consort_model::{Kind, Problem, StateEntry, Value};

use crate::control::ServiceAction;
use crate::engine::Engine;
use crate::tasks::TaskKind;

impl Engine {
    /// Looks once at every deployment, in the background.
    pub(crate) fn start_reconciler(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        self.tasks.start(TaskKind::Reconciler, async move {
            match engine.store.deployment_list().await {
                Ok(deployments) => {
                    for deployment in deployments {
                        if let Err(problem) = engine.reconcile(&deployment).await {
                            tracing::warn!(deployment = %deployment.name, %problem, "cannot be reconciled");
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "deployments cannot be read"),
            }
        });
    }

    async fn reconcile(self: &Arc<Self>, deployment: &Deployment) -> Result<(), Problem> {
        if deployment.changing.is_some() {
            return Ok(()); // the run that changes it decides
        }
        let missing = self.missing_services(deployment).await?;
        if missing.is_empty() {
            return Ok(());
        }
        tracing::info!(deployment = %deployment.name, services = ?missing, "starting what shall run");
        self.act_on_services(
            &deployment.name,
            ServiceAction::Repair,
            missing,
            Principal::system(),
        )
        .await
        .map(|_| ())
    }

    /// Services of which fewer instances are alive than shall be.
    pub(crate) async fn missing_services(
        &self,
        deployment: &Deployment,
    ) -> Result<Vec<String>, Problem> {
        let context = self.context_of(deployment).await?;
        let target = self.target(deployment.target)?;
        let instances = target
            .instances()
            .instance_list(&context, None)
            .await
            .map_err(|error| error.problem())?;
        let state = self.store.state_list(&deployment.name).await?;
        let services = state
            .iter()
            .filter(|entry| entry.address.kind() == Kind::Service);
        Ok(services
            .filter(|entry| lacks(entry, &instances))
            .map(|entry| entry.address.name().to_owned())
            .collect())
    }
}

fn lacks(entry: &StateEntry, instances: &[InstanceStatus]) -> bool {
    let Some(object) = &entry.object else {
        return false;
    };
    let spec = ServiceSpec::from_value(&object.desired).unwrap_or_default();
    let replicas = object
        .attributes
        .get("replicas")
        .and_then(Value::as_u64)
        .unwrap_or(u64::from(spec.replicas()));
    let own = instances
        .iter()
        .filter(|status| status.address.node() == entry.address && !status.draining);
    let alive = own.filter(|status| {
        // One that ended by itself and is not to be started again is as it shall be.
        let over = status.phase == Phase::Exited
            && status.exit_code == Some(0)
            && spec.restart.when == RestartWhen::No;
        status.phase.may_run() || over
    });
    (alive.count() as u64) < replicas
}
