//! What a driver is given with every call.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use consort_model::id::HomeId;
use consort_model::{Digest, SecretHandle, Timestamp, Value};

use crate::DriverError;

/// Names one effect, the same after a crash: `base32(blake3(run, step path))`. A driver marks what
/// it makes with it where it can, so that [`crate::Driver::resolve`] can look it up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepKey(pub String);

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a secret. `Debug` is masked; the memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Takes a value into care.
    pub const fn new(text: String) -> Self {
        Self(text)
    }
    /// The value. Call it where it is needed, and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

impl Drop for SecretValue {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // The compiler must not drop a store that nobody reads.
        std::hint::black_box(&bytes);
    }
}

/// Turns handles into values.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The value of this version.
    async fn secret_value(&self, handle: &SecretHandle) -> Result<SecretValue, DriverError>;
}

/// Runtime facts that a driver keeps: address leases, instance slots. Durable before the answer.
#[async_trait]
pub trait Facts: Send + Sync {
    /// One fact.
    async fn fact_get(&self, scope: &str, key: &str) -> Result<Option<Value>, DriverError>;
    /// All facts of a scope, by key.
    async fn fact_list(&self, scope: &str) -> Result<Vec<(String, Value)>, DriverError>;
    /// Writes or removes a fact.
    async fn fact_put(
        &self,
        scope: &str,
        key: &str,
        value: Option<Value>,
    ) -> Result<(), DriverError>;
    /// Bytes of the bundle or of a program, by digest.
    async fn blob(&self, digest: Digest) -> Result<Vec<u8>, DriverError>;
}

/// What a driver is given with every call.
#[derive(Clone)]
pub struct Context {
    /// The deployment's name.
    pub deployment: String,
    /// The home.
    pub home: HomeId,
    /// The folder of the home; drivers keep their files in a folder of their own name below it.
    pub home_directory: PathBuf,
    /// A short folder for sockets (`/run/consort/…` or `$XDG_RUNTIME_DIR/…`).
    pub socket_directory: PathBuf,
    /// The folder that relative paths of the blueprint are relative to.
    pub project_directory: PathBuf,
    /// Now.
    pub now: Timestamp,
    /// Secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Runtime facts and blobs.
    pub facts: Arc<dyn Facts>,
}
