//! The files by which the tasks of one run hand on what they found.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::durable_file;

/// An artefact cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtefactError {
    /// It is not there.
    #[error("{} is missing; the task that writes it has not run in this folder", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds something else.
    #[error("{} is not what the task before should have written", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// The folder of a run. Each file is replaced whole, so a task can be repeated.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ArtefactError`].
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, ArtefactError> {
        let path = self.0.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| ArtefactError::Content { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ArtefactError::Missing { path })
            }
            Err(source) => Err(ArtefactError::File { path, source }),
        }
    }

    /// Writes a file, and makes the folder where it is missing.
    ///
    /// # Errors
    /// [`ArtefactError`].
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), ArtefactError> {
        let path = self.0.join(name);
        let text = match serde_json::to_vec_pretty(value) {
            Ok(text) => text,
            Err(source) => return Err(ArtefactError::Content { path, source }),
        };
        write_bytes(&self.0, &path, &text).map_err(|source| ArtefactError::File { path, source })
    }
}

fn write_bytes(folder: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    durable_file::replace(path, text)
}
