//! The file of the log: recovery, and appending one frame.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::frame;
use super::message::Message;

/// Largest log, in bytes; all of it is held in memory.
pub const LOG_LIMIT: u64 = 256 * 1024 * 1024;

/// The log cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file cannot be read or written.
    #[error("cannot use the log {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the log {} is in use by another mailbox; stop that one first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Acknowledged messages were damaged.
    #[error("the log {} is damaged at byte {at}, with good messages after it; restore it from a backup, or cut it there to lose them", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        at: u64,
    },
}

/// What was found in the log.
#[derive(Debug, Default, PartialEq)]
pub struct Recovered {
    /// All messages, the first at offset 1.
    pub messages: Vec<Message>,
    /// Bytes of a commit that was never acknowledged, now cut off.
    pub torn_bytes: u64,
}

/// An append failed.
#[derive(Debug)]
pub enum AppendError {
    /// Nothing was written; the log is as before, and later appends may succeed.
    Refused(io::Error),
    /// What is in the file is no longer known.
    Broken(io::Error),
}

/// The log, open for appending, locked against other processes.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    length: u64,
}

impl LogFile {
    /// Opens or makes the log, reads it, and cuts off a torn tail.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn open(path: &Path) -> Result<(Self, Recovered), LogError> {
        let failed = |source| LogError::File {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        if file.try_lock().is_err() {
            return Err(LogError::InUse {
                path: path.to_owned(),
            });
        }
        let mut bytes = Vec::new();
        (&file)
            .take(LOG_LIMIT + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let (good, messages) = scan(&bytes);
        let tail = &bytes[good..];
        // A torn commit is the last one: nothing was acknowledged after it.
        if frame::any_later(tail) {
            return Err(LogError::Damaged {
                path: path.to_owned(),
                at: good as u64,
            });
        }
        let length = good as u64;
        if !tail.is_empty() {
            file.set_len(length).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        sync_folder(path).map_err(failed)?;
        file.seek(SeekFrom::Start(length)).map_err(failed)?;
        let recovered = Recovered {
            messages,
            torn_bytes: tail.len() as u64,
        };
        Ok((Self { file, length }, recovered))
    }

    /// Appends a frame and syncs it.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn append(&mut self, frame: &[u8]) -> Result<(), AppendError> {
        if self.length + frame.len() as u64 > LOG_LIMIT {
            return Err(AppendError::Refused(io::ErrorKind::FileTooLarge.into()));
        }
        if let Err(error) = self.file.write_all(frame) {
            // A full disk may have taken a part: take it back.
            let undone = self
                .file
                .set_len(self.length)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
            return Err(match undone {
                Ok(_) => AppendError::Refused(error),
                Err(worse) => AppendError::Broken(worse),
            });
        }
        // After a failed sync the kernel may have dropped the pages: never try again.
        self.file.sync_data().map_err(AppendError::Broken)?;
        self.length += frame.len() as u64;
        Ok(())
    }

    /// Length of the log in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// The length of the good frames at the beginning, and their messages.
fn scan(bytes: &[u8]) -> (usize, Vec<Message>) {
    let mut messages = Vec::new();
    let mut at = 0;
    while let Ok(frame) = frame::decode(&bytes[at..]) {
        if frame.first != messages.len() as u64 + 1 {
            break;
        }
        at += frame.length;
        messages.extend(frame.messages);
    }
    (at, messages)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
