//! `ports.json`: what a killed port holder must know again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::protocol::{ListenerSpec, TargetSpec};

/// The version of the file. A higher one was written by a newer program, and is not touched.
const FORMAT: u32 = 1;
const NAME: &str = "ports.json";
/// Far above what the limits allow; a larger file is not ours.
const SIZE_LIMIT: u64 = 256 * 1024 * 1024;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    format: u32,
    pub(crate) listeners: Vec<SavedListener>,
    #[serde(default)]
    pub(crate) blocks: Vec<String>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedListener {
    pub(crate) spec: ListenerSpec,
    /// The port that the kernel chose, or that was asked for.
    pub(crate) port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<u64>,
    #[serde(default)]
    pub(crate) targets: Vec<TargetSpec>,
}

/// What was found at the start.
#[derive(Debug)]
pub(crate) enum Loaded {
    /// The file, or an empty one if there was none.
    Known(Saved),
    /// The file could not be read and was set aside; the server will bind again.
    Broken(String),
}

impl Saved {
    pub(crate) fn new(listeners: Vec<SavedListener>, blocks: Vec<String>) -> Self {
        Self {
            format: FORMAT,
            listeners,
            blocks,
        }
    }
}

/// Reads the file; one that cannot be understood is renamed to `ports.json.broken`.
pub(crate) fn load(dir: &Path) -> io::Result<Loaded> {
    let path = dir.join(NAME);
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Loaded::Known(Saved::new(Vec::new(), Vec::new())));
        }
        Err(error) => return Err(error),
    };
    let parsed = if length > SIZE_LIMIT {
        Err(format!("it has {length} bytes, more than {SIZE_LIMIT}"))
    } else {
        parse(&fs::read(&path)?)
    };
    match parsed {
        Ok(saved) => Ok(Loaded::Known(saved)),
        Err(reason) => {
            let aside = path.with_extension("json.broken");
            fs::rename(&path, &aside)?;
            Ok(Loaded::Broken(format!(
                "{} cannot be used ({reason}) and was set aside as {}",
                path.display(),
                aside.display()
            )))
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Saved, String> {
    let saved: Saved = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if saved.format > FORMAT {
        return Err(format!(
            "its format is {}, this program knows up to {FORMAT}",
            saved.format
        ));
    }
    Ok(saved)
}

/// Writes the file so that after a crash either the old or the new one is there, whole.
pub(crate) fn save(dir: &Path, saved: &Saved) -> io::Result<()> {
    let temporary = dir.join("ports.json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(saved)?)?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join(NAME))?;
    File::open(dir)?.sync_all()
}

/// The lock of the home's port holder, held for the life of the process.
#[derive(Debug)]
pub(crate) struct HomeLock {
    _file: File,
}

/// Takes the lock, or answers its path if another process has it.
pub(crate) fn lock(dir: &Path) -> io::Result<Result<HomeLock, PathBuf>> {
    let path = dir.join("ports.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Ok(HomeLock { _file: file })),
        Err(fs::TryLockError::WouldBlock) => Ok(Err(path)),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}
