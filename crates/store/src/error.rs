//! From what SQLite and the system say to what a store says.

use std::io;
use std::path::Path;

use consort_journal::StoreError;
use rusqlite::ffi::{self, ErrorCode};

/// The index of the WAL could not grow: there is no space, and nothing was written yet.
const NO_SPACE_FOR_INDEX: [i32; 2] = [ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_SHMMAP];

/// An error of the writer. I/O errors are fatal there: what a failed sync left on the disk is not
/// known, and a second one would not say.
pub(crate) fn writing(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| match code(&error) {
        Some((ErrorCode::DiskFull, _)) => StoreError::Full,
        Some((_, extended)) if NO_SPACE_FOR_INDEX.contains(&extended) => StoreError::Full,
        Some((ErrorCode::SystemIoFailure, _)) => StoreError::Fatal {
            problem: format!("while trying to {doing}: {error}"),
        },
        _ => reading(doing)(error),
    }
}

/// An error of a reader.
pub(crate) fn reading(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| match code(&error) {
        Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => StoreError::Corrupt {
            what: format!("{error}, while trying to {doing}"),
        },
        _ => failed(doing, error),
    }
}

fn code(error: &rusqlite::Error) -> Option<(ErrorCode, i32)> {
    match error {
        rusqlite::Error::SqliteFailure(inner, _) => Some((inner.code, inner.extended_code)),
        _ => None,
    }
}

pub(crate) fn failed(doing: &'static str, problem: impl ToString) -> StoreError {
    StoreError::Failed {
        doing,
        problem: problem.to_string(),
    }
}

/// An error with a file.
pub(crate) fn with_file<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl Fn(io::Error) -> StoreError + 'a {
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => failed(doing, format!("{}: {error}", path.display())),
    }
}

pub(crate) fn missing(what: &'static str, name: impl ToString) -> StoreError {
    StoreError::Missing {
        what,
        name: name.to_string(),
    }
}

pub(crate) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what: what.into() }
}

/// What a caller is told whose answer cannot come any more.
pub(crate) fn closed() -> StoreError {
    failed("answer", "it is closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(extended: i32) -> StoreError {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None);
        writing("commit")(error)
    }

    #[test]
    fn a_failed_sync_is_the_end_and_a_full_disk_is_not() {
        for fatal in [
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_READ,
        ] {
            assert!(matches!(said(fatal), StoreError::Fatal { .. }), "{fatal}");
        }
        for full in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
            assert_eq!(said(full), StoreError::Full, "{full}");
        }
        for corrupt in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(
                matches!(said(corrupt), StoreError::Corrupt { .. }),
                "{corrupt}"
            );
        }
        assert!(matches!(
            said(ffi::SQLITE_CONSTRAINT),
            StoreError::Failed { .. }
        ));
    }
}
