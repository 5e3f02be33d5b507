//! What client and server tell each other about themselves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The version of the API: raised when an older client would misunderstand.
pub const API_VERSION: u32 = 1;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionInfo {
    /// Of the program.
    pub version: String,
    /// Of the API.
    pub api: u32,
    /// The process.
    pub pid: u32,
}

impl VersionInfo {
    /// This program.
    pub fn own() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            api: API_VERSION,
            pid: std::process::id(),
        }
    }
}
