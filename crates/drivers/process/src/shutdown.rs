//! The end of everything that the target keeps for a home.

use consort_driver::{Context, DriverError};
use consort_shim::{Found, adopt};

use crate::layout::{Layout, folders, remove_if_empty, remove_tree};
use crate::record::{ADDRESSES, FILES, PUBLISHED, SERVICES};
use crate::runtime::Runtime;
use crate::{error, holder, instance};

/// Ends the port holder and removes folders, sockets and leases, if no deployment is left. Volumes
/// that were kept stay.
pub(crate) async fn shutdown(runtime: &Runtime, context: &Context) -> Result<(), DriverError> {
    let _changing = runtime.changing.lock().await;
    let layout = Layout::of_home(context);
    let in_use = !context.facts.fact_list(SERVICES).await?.is_empty();
    let looked = layout.clone();
    if in_use || error::blocking(move || something_runs(&looked)).await?? {
        tracing::info!("services are still there: the port holder stays");
        return Ok(());
    }
    {
        let _starting = runtime.starting_holder.lock().await;
        holder::end(context).await?;
    }
    for scope in [ADDRESSES, PUBLISHED] {
        for (key, _) in context.facts.fact_list(scope).await? {
            context.facts.fact_put(scope, &key, None).await?;
        }
    }
    if let Ok(mut known) = runtime.verified.lock() {
        known.clear();
    }
    let has_files = !context.facts.fact_list(FILES).await?.is_empty();
    error::blocking(move || clear(&layout, has_files)).await?
}

/// The state folders of all instances and tasks of the home.
fn state_folders(layout: &Layout) -> Result<Vec<std::path::PathBuf>, DriverError> {
    let mut all = Vec::new();
    for deployment in folders(layout.root())? {
        for kind in ["instances", "tasks"] {
            all.extend(folders(&deployment.join(kind))?);
        }
    }
    Ok(all)
}

fn something_runs(layout: &Layout) -> Result<bool, DriverError> {
    let found = adopt(&state_folders(layout)?);
    Ok(found.iter().any(|(_, found)| match found {
        Found::Alive { status, .. } => !status.state.is_over(),
        Found::ShimLost { .. } | Found::Stuck { .. } => true,
        Found::Exited(_) | Found::Gone { .. } | Found::OtherBoot => false,
    }))
}

fn clear(layout: &Layout, has_files: bool) -> Result<(), DriverError> {
    for folder in state_folders(layout)? {
        instance::end_blocking(&folder, None)?;
        remove_tree(&folder)?;
    }
    remove_tree(&layout.programs())?;
    for deployment in folders(layout.root())? {
        for kind in ["instances", "tasks", "configs"] {
            if kind != "configs" || !has_files {
                remove_tree(&deployment.join(kind))?;
            }
        }
        remove_if_empty(&deployment.join("volumes"));
        remove_if_empty(&deployment);
    }
    remove_if_empty(layout.root());
    remove_if_empty(&layout.shim_sockets());
    Ok(())
}
