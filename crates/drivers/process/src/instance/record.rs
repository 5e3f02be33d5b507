//! `instance.json`: who an instance is. Written before its shim is started.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use consort_driver::{Context, DriverError};
use consort_model::{Address, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::checked;
use crate::error;
use crate::layout::{Layout, folders};

const FILE: &str = "instance.json";
/// Far above what is written; a larger file is not ours.
const LIMIT: u64 = 1 << 20;

/// Who an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InstanceRecord {
    /// The key of the effect that started it.
    pub(crate) key: String,
    /// `api-1-3f9c2a`.
    pub(crate) id: String,
    /// `services.api#1`.
    pub(crate) address: Address,
    /// The version that it runs.
    pub(crate) version: Digest,
    /// Its own address.
    pub(crate) ip: Ipv4Addr,
    /// The control socket of its shim.
    pub(crate) control: PathBuf,
    /// The networks that it is in.
    pub(crate) networks: Vec<String>,
    /// Its host name.
    #[serde(default)]
    pub(crate) hostname: Option<String>,
    /// Compose's `extra_hosts`.
    #[serde(default)]
    pub(crate) extra_hosts: Vec<String>,
    /// When it was asked for.
    pub(crate) asked: Timestamp,
}

/// Writes a small file by rename, with fsync.
pub(crate) fn write_json<T: Serialize>(
    directory: &Path,
    name: &str,
    value: &T,
) -> Result<(), DriverError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = directory.join(name);
    let fresh = directory.join(format!(".{name}.new"));
    let written = serde_json::to_vec(value)
        .map_err(std::io::Error::other)
        .and_then(|bytes| {
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&fresh)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
            std::fs::File::open(directory)?.sync_all()
        });
    written.map_err(error::file(format!("{} cannot be written", path.display())))
}

/// Reads a small file; `None` if there is none, or if it was not written whole.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    directory: &Path,
    name: &str,
) -> Result<Option<T>, DriverError> {
    let path = directory.join(name);
    let failed = || error::file(format!("{} cannot be read", path.display()));
    match std::fs::metadata(&path) {
        Ok(found) if found.len() > LIMIT => Err(failed()(std::io::ErrorKind::FileTooLarge.into())),
        Ok(_) => {
            let bytes = std::fs::read(&path).map_err(failed())?;
            serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| failed()(std::io::Error::other(error)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed()(error)),
    }
}

impl InstanceRecord {
    pub(crate) fn store(&self, directory: &Path) -> Result<(), DriverError> {
        write_json(directory, FILE, self)
    }
    pub(crate) fn load(directory: &Path) -> Result<Option<Self>, DriverError> {
        read_json(directory, FILE)
    }
    /// The owner of its address.
    pub(crate) fn lease(context: &Context, id: &str) -> String {
        format!("{}/instance/{id}", context.deployment)
    }
}

/// All instances of a deployment, or of one service, with their folders. A folder without a record is
/// of a start that never began.
pub(crate) fn list(
    layout: &Layout,
    service: Option<&Address>,
) -> Result<Vec<(PathBuf, InstanceRecord)>, DriverError> {
    let mut found = Vec::new();
    for folder in folders(&layout.instances())? {
        match InstanceRecord::load(&folder) {
            Ok(Some(record)) if service.is_none_or(|service| record.address.node() == *service) => {
                found.push((folder, record));
            }
            Ok(_) => {}
            // One record that is broken must not hide the others.
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "an instance's record is broken")
            }
        }
    }
    Ok(found)
}

/// One instance.
pub(crate) fn find(
    layout: &Layout,
    id: &str,
) -> Result<Option<(PathBuf, InstanceRecord)>, DriverError> {
    let folder = layout.instances().join(checked(id)?);
    Ok(InstanceRecord::load(&folder)?.map(|record| (folder, record)))
}
