//! Stopping and removing.

use std::path::Path;
use std::time::Duration;

use consort_driver::{Context, DriverError, StopMode};
use consort_model::Code;
use consort_shim::{Found, SweepError, adopt, sweep};

use super::look::{look, rescue};
use super::{InstanceRecord, checked, find};
use crate::layout::{Layout, remove_tree};
use crate::runtime::Runtime;
use crate::{addresses, error, holder};

/// A shim that owns the folder and says nothing is given so long, in steps.
const STUCK: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn stop(
    runtime: &Runtime,
    context: &Context,
    id: &str,
    mode: StopMode,
) -> Result<(), DriverError> {
    let layout = Layout::of(context)?;
    let Some((folder, _)) = find(&layout, id)? else {
        return Ok(());
    };
    let grace = match mode {
        StopMode::Graceful => None,
        StopMode::Now => Some(Duration::ZERO),
    };
    if mode == StopMode::Graceful && matches!(look(folder.clone()).await?, Found::ShimLost { .. }) {
        // Only a shim stops gracefully.
        if let Err(error) = rescue(runtime, context, &folder).await {
            tracing::warn!(instance = id, %error, "the instance has no shim and is killed");
        }
    }
    error::blocking(move || end_blocking(&folder, grace)).await?
}

/// Ends what runs in a state folder and waits until it is gone.
pub(crate) fn end_blocking(folder: &Path, grace: Option<Duration>) -> Result<(), DriverError> {
    let give_up = std::time::Instant::now() + STUCK;
    loop {
        let found = adopt(&[folder.to_owned()]).into_iter().next();
        match found.map(|(_, found)| found) {
            Some(Found::Alive { mut client, .. }) => {
                client.shutdown(grace).map_err(error::shim)?;
                wait_gone(&mut client);
            }
            Some(Found::Stuck { reason }) if std::time::Instant::now() > give_up => {
                let message = format!("the shim in {} does not answer: {reason}", folder.display());
                return Err(DriverError::new(Code::NODE_FAILED, message)
                    .ambiguous()
                    .retryable());
            }
            Some(Found::Stuck { .. }) => std::thread::sleep(PAUSE),
            None => return Ok(()),
            Some(
                Found::Exited(_) | Found::ShimLost { .. } | Found::Gone { .. } | Found::OtherBoot,
            ) => {
                return sweep_blocking(folder);
            }
        }
    }
}

/// A stop may take as long as its grace period, which its shim keeps: the end of the connection tells.
fn wait_gone(client: &mut consort_shim::Client) {
    holder::wait_until_gone(client);
}

/// Kills and clears what is left where no shim lives any more.
pub(crate) fn sweep_blocking(folder: &Path) -> Result<(), DriverError> {
    match sweep(folder) {
        Ok(()) => Ok(()),
        Err(SweepError::Unknown { .. }) if !folder.join(consort_shim::spec::FILE).exists() => {
            Ok(())
        }
        Err(failed) => {
            let hanging = matches!(
                failed,
                SweepError::HasShim { .. } | SweepError::Hanging { .. }
            );
            let failed = DriverError::new(
                Code::NODE_FAILED,
                "what is left of the instance cannot be cleared away",
            )
            .because(failed);
            Err(if hanging { failed.retryable() } else { failed })
        }
    }
}

/// Removes an instance that has ended: its files and its address.
pub(super) async fn remove(context: &Context, id: &str) -> Result<(), DriverError> {
    let layout = Layout::of(context)?;
    let folder = layout.instances().join(checked(id)?);
    let at = folder.clone();
    let name = id.to_owned();
    error::blocking(move || {
        if !at.exists() {
            return Ok(());
        }
        let found = adopt(std::slice::from_ref(&at)).into_iter().next();
        let runs = match found.map(|(_, found)| found) {
            Some(Found::Alive { status, .. }) => !status.state.is_over(),
            Some(Found::ShimLost { .. } | Found::Stuck { .. }) => true,
            Some(Found::Exited(_) | Found::Gone { .. } | Found::OtherBoot) | None => false,
        };
        if runs {
            let message = format!("instance {name} runs");
            return Err(DriverError::new(Code::NODE_FAILED, message).remedy("Stop it first."));
        }
        end_blocking(&at, None)
    })
    .await??;
    addresses::release(context, &InstanceRecord::lease(context, id)).await?;
    // Last, so that a removal that is cut short is found and repeated.
    error::blocking(move || remove_tree(&folder)).await?
}
