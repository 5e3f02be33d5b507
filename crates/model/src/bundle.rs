//! A blueprint after loading, with the files and programs that it refers to, by digest: all that a
//! server needs. Immutable; known by the digest of its canonical JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::blueprint::Blueprint;

/// A file that travels with the blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledFile {
    /// Of its content, which is a blob of the store.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// May it be executed?
    #[serde(default)]
    pub executable: bool,
}

/// What was built for a service before the bundle was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltProgram {
    /// Path in the service's folder to what was built there.
    pub artifacts: BTreeMap<String, BundledFile>,
}

impl BuiltProgram {
    /// The digest that stands for the whole: what a pin names.
    pub fn digest(&self) -> Digest {
        Digest::of_serialized(self).unwrap_or(Digest::from_bytes([0; 32]))
    }
}

/// One resolved document and what it refers to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    /// The version of this form; raised when an older reader would misunderstand.
    pub format: u32,
    /// The blueprint.
    pub blueprint: Blueprint,
    /// Files that expressions, configs and secrets read, by path as written.
    #[serde(default)]
    pub files: BTreeMap<String, BundledFile>,
    /// Programs, by the name of the service. A service that is missing here was not built yet.
    #[serde(default)]
    pub programs: BTreeMap<String, BuiltProgram>,
    /// The folder that relative paths of the blueprint are relative to, on the user's machine.
    pub project_directory: String,
}

/// The form that this version writes.
pub const FORMAT: u32 = 1;

impl Bundle {
    /// The digest of the canonical JSON of the bundle.
    pub fn digest(&self) -> Digest {
        Digest::of_serialized(self).unwrap_or(Digest::from_bytes([0; 32]))
    }
}
