//! The ladder of tracking and limits.
//!
//! | level | tracking and killing | limits |
//! | --- | --- | --- |
//! | `v2` | v2 | v2 controllers |
//! | `hybrid` | v2 | v1 controllers |
//! | `v2_tracking` | v2 | none |
//! | `v1` | v1 freezer or any v1 controller | v1 controllers |
//! | `none` | subreaper and a tag in the environment | none |
//!
//! Each instance has a group `NAME` with the leaves `main` (with the limits), `exec` and `probeN`,
//! so that a kill of a probe never hits the service.

mod host;
mod instance;
mod kill;
mod limits;

use serde::{Deserialize, Serialize};

pub use host::Host;
pub(crate) use instance::Instance;
pub(crate) use kill::Tree;

/// Which rung of the ladder was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Tracking and limits by v2.
    V2,
    /// Tracking by v2, limits by v1.
    Hybrid,
    /// Tracking by v2, no limits.
    V2Tracking,
    /// Tracking and limits by v1.
    V1,
    /// Neither.
    #[default]
    None,
}
