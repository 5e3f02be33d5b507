//! The start: a former life's state and descriptors.

use std::path::Path;
use std::sync::Arc;

use crate::environment::Inherited;
use crate::error::HolderError;
use crate::holder::Holder;
use crate::notice::notice;
use crate::state::{Loaded, load};

/// Brings back everything that was recorded. Listeners are open when this returns, unless their
/// address cannot be opened; then it is tried again in the background.
pub(crate) async fn restore(
    holder: &Arc<Holder>,
    dir: &Path,
    inherited: Inherited,
) -> Result<(), HolderError> {
    let loaded = load(dir).map_err(HolderError::path(
        dir,
        "reading the state failed; check its permissions",
    ))?;
    holder.inherit(inherited);
    match loaded {
        Loaded::Known(saved) => {
            holder.restore_blocks(&saved.blocks);
            for listener in saved.listeners {
                holder.restore(listener);
            }
            holder.adopt_unrecorded_blocks();
            holder.drop_orphans().await;
        }
        Loaded::Broken(reason) => {
            notice(&reason);
            // Their clients wait in the kernel until the server binds the same keys again.
            holder.adopt_unrecorded_blocks();
        }
    }
    Ok(())
}
