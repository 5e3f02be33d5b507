//! The only way in which the loader reaches files. Pure code above it sees bytes by path.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The most bytes that one file may have. A larger one is refused before it is read.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing is there.
    #[error("no such file")]
    Missing,
    /// It is a folder or a device.
    #[error("not a regular file")]
    NotAFile,
    /// It has more than [`MAX_FILE_BYTES`].
    #[error("it has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size, or the part of it that was seen.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The system refused.
    #[error("the system refused to read it")]
    Io(#[source] std::io::Error),
}

/// Reads files for the loader. Paths are absolute, except those of an in-memory source.
pub trait Source {
    /// The whole content of a regular file.
    ///
    /// # Errors
    /// When it is missing, not a regular file, larger than [`MAX_FILE_BYTES`], or unreadable.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;
    /// Whether a regular file is there (links are followed).
    fn is_file(&self, path: &str) -> bool;
    /// Whether a folder is there (links are followed).
    fn is_dir(&self, path: &str) -> bool;
    /// The path with its links resolved as far as it exists; the path itself where it does not.
    fn canonical(&self, path: &str) -> String;
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Source for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let file = std::fs::File::open(path).map_err(from_io)?;
        let meta = file.metadata().map_err(from_io)?;
        if !meta.is_file() {
            return Err(ReadError::NotAFile);
        }
        if meta.len() > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge {
                bytes: meta.len(),
                limit: MAX_FILE_BYTES,
            });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
        // The file may grow between the look and the read.
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(from_io)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge {
                bytes: bytes.len() as u64,
                limit: MAX_FILE_BYTES,
            });
        }
        Ok(bytes)
    }

    fn is_file(&self, path: &str) -> bool {
        Path::new(path).is_file()
    }

    fn is_dir(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }

    fn canonical(&self, path: &str) -> String {
        let whole = PathBuf::from(path);
        let mut rest = Vec::new();
        let mut head = whole.as_path();
        loop {
            if let Ok(real) = std::fs::canonicalize(head) {
                let full = rest.iter().rev().fold(real, |path, part| path.join(part));
                return full.to_string_lossy().into_owned();
            }
            match (head.parent(), head.file_name()) {
                (Some(parent), Some(name)) => {
                    rest.push(name.to_owned());
                    head = parent;
                }
                _ => return path.to_owned(),
            }
        }
    }
}

fn from_io(error: std::io::Error) -> ReadError {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => ReadError::Missing,
        std::io::ErrorKind::IsADirectory => ReadError::NotAFile,
        _ => ReadError::Io(error),
    }
}

/// Files held in memory, by path: for bundles and tests.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// The same with one more file.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }
}

impl Source for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let bytes = self.files.get(path).ok_or(ReadError::Missing)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge {
                bytes: bytes.len() as u64,
                limit: MAX_FILE_BYTES,
            });
        }
        Ok(bytes.clone())
    }
    fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }
    fn is_dir(&self, path: &str) -> bool {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        self.files
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(name, _)| name.starts_with(&prefix))
    }
    fn canonical(&self, path: &str) -> String {
        path.to_owned()
    }
}
