//! Looking at instances through their shims; an instance whose shim was lost gets a new one.

use std::path::{Path, PathBuf};

use consort_driver::{Context, DriverError, InstanceStatus};
use consort_model::Address;
use consort_shim::spec::Spec;
use consort_shim::{Found, LaunchError, adopt, launch};

use super::{InstanceRecord, list, status_of};
use crate::layout::Layout;
use crate::runtime::Runtime;
use crate::{error, secrets};

/// All instances of the deployment, or of one service, in the order of their ids.
pub(super) async fn all(
    runtime: &Runtime,
    context: &Context,
    service: Option<&Address>,
) -> Result<Vec<InstanceStatus>, DriverError> {
    let layout = Layout::of(context)?;
    let node = service.map(Address::node);
    let mut seen = error::blocking(move || {
        let listed = list(&layout, node.as_ref())?;
        let folders: Vec<PathBuf> = listed.iter().map(|(folder, _)| folder.clone()).collect();
        let found = adopt(&folders).into_iter().map(|(_, found)| found);
        Ok::<_, DriverError>(listed.into_iter().zip(found).collect::<Vec<_>>())
    })
    .await??;
    for ((folder, record), found) in &mut seen {
        if matches!(found, Found::ShimLost { .. })
            && let Some(again) = rescued(runtime, context, folder, &record.id).await
        {
            *found = again;
        }
    }
    let mut statuses: Vec<InstanceStatus> = seen
        .iter()
        .map(|((_, record), found)| status_of(record, found))
        .collect();
    statuses.sort_by(|a, b| (&a.address, &a.id).cmp(&(&b.address, &b.id)));
    Ok(statuses)
}

async fn rescued(runtime: &Runtime, context: &Context, folder: &Path, id: &str) -> Option<Found> {
    match rescue(runtime, context, folder).await {
        Ok(()) => look(folder.to_owned()).await.ok(),
        Err(error) => {
            tracing::warn!(instance = id, %error, "the shim of the instance is lost and cannot be replaced yet");
            None
        }
    }
}

/// What became of the instance or task in this folder.
pub(crate) async fn look(folder: PathBuf) -> Result<Found, DriverError> {
    let found = error::blocking(move || adopt(&[folder]).into_iter().next()).await?;
    Ok(found.map_or(
        Found::Gone {
            reason: "it was not looked for".into(),
        },
        |(_, found)| found,
    ))
}

/// Gives a running instance whose shim was killed a new one.
pub(crate) async fn rescue(
    runtime: &Runtime,
    context: &Context,
    folder: &Path,
) -> Result<(), DriverError> {
    let from = folder.to_owned();
    let spec = error::blocking(move || Spec::load(&from)).await?;
    let spec = spec.map_err(|problem| {
        DriverError::new(
            consort_model::Code::STORE_CORRUPT,
            "the instance's specification is lost",
        )
        .because(problem)
    })?;
    let values = secrets::values(context, &spec.secrets).await?;
    let (launcher, folder) = (runtime.launcher(), folder.to_owned());
    let launched = error::blocking(move || launch(&folder, &launcher, &values)).await?;
    match launched {
        Ok(_) | Err(LaunchError::AlreadyRunning { .. }) => Ok(()),
        Err(failed) => Err(error::launch(failed)),
    }
}

/// The status of one instance.
pub(super) async fn one(
    runtime: &Runtime,
    context: &Context,
    folder: &Path,
    record: &InstanceRecord,
) -> Result<InstanceStatus, DriverError> {
    let mut found = look(folder.to_owned()).await?;
    if matches!(found, Found::ShimLost { .. })
        && let Some(again) = rescued(runtime, context, folder, &record.id).await
    {
        found = again;
    }
    Ok(status_of(record, &found))
}
