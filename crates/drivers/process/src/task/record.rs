//! `task.json`: who a task is.

use std::path::{Path, PathBuf};

use consort_driver::DriverError;
use consort_model::time::Span;
use consort_model::{Address, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::instance::{read_json, write_json};
use crate::layout::{Layout, folders};

const FILE: &str = "task.json";

/// Who a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    /// The key of the effect that started it.
    pub(crate) key: String,
    /// `workloads.nightly/extract`.
    pub(crate) address: Address,
    /// The control socket of its shim.
    pub(crate) control: PathBuf,
    /// The longest that it may take.
    pub(crate) time_limit: Span,
    /// When it was asked for.
    pub(crate) asked: Timestamp,
    /// Its share of processors is enforced.
    pub(crate) enforced: bool,
    /// Its shim has said that it runs.
    pub(crate) launched: bool,
}

impl TaskRecord {
    pub(crate) fn store(&self, folder: &Path) -> Result<(), DriverError> {
        write_json(folder, FILE, self)
    }
    pub(crate) fn load(folder: &Path) -> Result<Option<Self>, DriverError> {
        read_json(folder, FILE)
    }
}

/// The id of the task of a key; also the name of its folder.
pub(crate) fn id(key: &str) -> String {
    format!("task-{}", &Digest::of(key.as_bytes()).to_string()[..24])
}

/// All tasks of a deployment that have left a record.
pub(crate) fn list(layout: &Layout) -> Result<Vec<(PathBuf, TaskRecord)>, DriverError> {
    let mut found = Vec::new();
    for folder in folders(&layout.tasks())? {
        match TaskRecord::load(&folder) {
            Ok(record) => found.extend(record.map(|record| (folder, record))),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "a task's record is broken")
            }
        }
    }
    Ok(found)
}
