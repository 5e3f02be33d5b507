//! Stopping and removing.

use std::path::Path;
use std::time::{Duration, Instant};

use consort_driver::{Context, DriverError, StopMode};
use consort_model::Code;
use consort_shim::spec::Spec;
use consort_shim::{ClientError as ShimError, Found, SweepError, adopt, sweep};

use super::look::{look, rescue};
use super::{InstanceRecord, checked, find};
use crate::layout::{Layout, remove_tree};
use crate::runtime::Runtime;
use crate::{addresses, error, holder};

/// A shim that owns the folder and says nothing is given so long, in steps.
const STUCK: Duration = Duration::from_secs(10);
/// What a shim may need after the grace period to clear away what is left.
const CLEAR: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

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
    let written = || Spec::load(folder).map_or(0, |spec| spec.stop.grace_ms);
    let grace_limit = grace.unwrap_or_else(|| Duration::from_millis(written()));
    let mut limit = STUCK;
    let begun = Instant::now();
    loop {
        let found = adopt(&[folder.to_owned()]).into_iter().next();
        let why = match found.map(|(_, found)| found) {
            Some(Found::Alive { mut client, .. }) => {
                limit = grace_limit.saturating_add(CLEAR);
                // A second one never puts the end off. A shim that has gone meanwhile is no failure.
                match client.shutdown(grace) {
                    Ok(()) => holder::wait_until_gone(&mut client),
                    Err(ShimError::Unreachable { .. }) => {}
                    Err(failed) => return Err(error::shim(failed)),
                }
                "its processes do not end".to_owned()
            }
            Some(Found::Stuck { reason }) => reason,
            None => return Ok(()),
            Some(
                Found::Exited(_) | Found::ShimLost { .. } | Found::Gone { .. } | Found::OtherBoot,
            ) => return sweep_blocking(folder),
        };
        if begun.elapsed() > limit {
            let message = format!(
                "the instance in {} cannot be stopped: {why}",
                folder.display()
            );
            return Err(DriverError::new(Code::NODE_FAILED, message)
                .ambiguous()
                .retryable());
        }
        std::thread::sleep(PAUSE);
    }
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
