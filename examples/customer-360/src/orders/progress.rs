//! How far the replay has come, kept in a file so that a restart goes on.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable_file;

/// How far the replay has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Orders to be replayed: all up to this number.
    pub target: u32,
    /// Orders placed: all up to this number can be asked for.
    pub placed: u32,
    /// When the last of them was placed. An event that is repeated says the same time.
    pub placed_at: Option<String>,
    /// Orders whose event was accepted: all up to this number.
    pub acknowledged: u32,
    /// Events posted, repetitions included.
    pub sent: u64,
    /// Events posted again.
    pub retries: u64,
    /// Events per second at most; as fast as they are accepted where absent.
    pub rate: Option<f64>,
}

/// The progress cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgressError {
    /// The file cannot be read or written.
    #[error("cannot keep the progress of the replay in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is not the progress of a replay; delete it to replay from the first order", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Progress {
    /// Reads the file; where there is none, nothing was replayed.
    ///
    /// # Errors
    /// [`ProgressError`].
    pub fn load(path: &Path) -> Result<Self, ProgressError> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| ProgressError::Content {
                path: path.to_owned(),
                source,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ProgressError::File {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Writes the file, durably.
    ///
    /// # Errors
    /// [`ProgressError::File`].
    pub fn save(&self, path: &Path) -> Result<(), ProgressError> {
        let text = serde_json::to_vec(self).map_err(|source| ProgressError::Content {
            path: path.to_owned(),
            source,
        })?;
        durable_file::replace(path, &text).map_err(|source| ProgressError::File {
            path: path.to_owned(),
            source,
        })
    }
}
