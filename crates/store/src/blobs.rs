//! Bytes by their digest: small ones in the database, large ones as files.
//!
//! A large blob is written to a temporary file, synced, renamed, its folder synced, and only then
//! named by a row. A row without its file is damage; a file without a row is garbage. Files are
//! removed by the writer's thread only, and it looks for the file before it writes a row: so the
//! two cannot race.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use consort_journal::StoreError;
use consort_model::Digest;
use rusqlite::{Connection, OptionalExtension};

use crate::encode::int;
use crate::error::{corrupt, failed, reading, with_file};
use crate::home;
use crate::writer::Session;

/// Larger blobs are files.
pub(crate) const MAX_INLINE: usize = 1 << 20;
/// Larger blobs are refused.
pub(crate) const MAX_BLOB: usize = 1 << 30;
/// Names of files that are not complete begin so.
const TEMPORARY: &str = "new-";

/// Where a large blob is: `blobs/ab/cdef…`.
pub(crate) fn path(dir: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    let (first, rest) = name.split_at(2);
    dir.join(home::BLOBS).join(first).join(rest)
}

/// Is it to be a file?
pub(crate) fn is_large(bytes: &[u8]) -> bool {
    bytes.len() > MAX_INLINE
}

/// Refuses what is too large.
pub(crate) fn check_size(bytes: &[u8]) -> Result<(), StoreError> {
    match bytes.len() {
        0..=MAX_BLOB => Ok(()),
        length => Err(StoreError::Encoding {
            problem: format!("a blob has {length} bytes, the limit is {MAX_BLOB}"),
        }),
    }
}

/// Renews the grace of a blob; says whether it is there.
pub(crate) fn touch(session: &Session<'_>, digest: &Digest, now: i64) -> Result<bool, StoreError> {
    let sql = "UPDATE blob SET at = max(at, ?2) WHERE digest = ?1";
    let row = (digest.as_bytes(), now);
    session
        .execute("keep a blob", sql, row)
        .map(|rows| rows > 0)
}

/// Keeps a small blob, or renews its grace.
pub(crate) fn insert(
    session: &Session<'_>,
    digest: &Digest,
    bytes: &[u8],
    now: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO blob (digest, size, data, at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (digest) DO UPDATE SET at = max(at, excluded.at)";
    let row = (
        digest.as_bytes(),
        int("a size", bytes.len() as u64)?,
        bytes,
        now,
    );
    session.execute("keep a blob", sql, row).map(drop)
}

/// Names the file of a large blob; says whether the file is there.
pub(crate) fn insert_file(
    session: &Session<'_>,
    dir: &Path,
    digest: &Digest,
    size: usize,
    now: i64,
) -> Result<bool, StoreError> {
    if !path(dir, digest).exists() {
        return Ok(false);
    }
    let sql = "INSERT INTO blob (digest, size, data, at) VALUES (?1, ?2, NULL, ?3)
        ON CONFLICT (digest) DO UPDATE SET at = max(at, excluded.at)";
    let row = (digest.as_bytes(), int("a size", size as u64)?, now);
    session.execute("keep a blob", sql, row).map(|_| true)
}

/// Writes the file of a large blob.
pub(crate) fn write_file(dir: &Path, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
    let target = path(dir, digest);
    let folder = target
        .parent()
        .ok_or_else(|| failed("keep a blob", "it has no folder"))?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(with_file("make the folder", folder))?;
    let mut unique = [0; 8];
    getrandom::fill(&mut unique).map_err(|error| failed("draw random bytes", error))?;
    let unique = u64::from_le_bytes(unique);
    let temporary = dir
        .join(home::BLOBS)
        .join(format!("{TEMPORARY}{unique:016x}"));
    let written = home::create_private(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &target)
    });
    if let Err(error) = written {
        home::remove_if_there(&temporary)?;
        return Err(with_file("write", &target)(error));
    }
    home::sync_dir(folder)?;
    home::sync_dir(&dir.join(home::BLOBS))
}

/// Reads a blob and proves that it is what its digest says.
pub(crate) fn get(
    conn: &Connection,
    dir: &Path,
    digest: &Digest,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(data) = row(conn, digest)? else {
        return Ok(None);
    };
    let bytes = match data {
        Some(bytes) => bytes,
        None => match fs::read(path(dir, digest)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It may have been collected between the two looks.
                return match row(conn, digest)? {
                    None => Ok(None),
                    Some(_) => Err(corrupt(format!("the file of blob {digest} is missing"))),
                };
            }
            Err(error) => return Err(with_file("read", &path(dir, digest))(error)),
        },
    };
    match Digest::of(&bytes) == *digest {
        true => Ok(Some(bytes)),
        false => Err(corrupt(format!(
            "blob {digest} has other bytes than its digest says"
        ))),
    }
}

fn row(conn: &Connection, digest: &Digest) -> Result<Option<Option<Vec<u8>>>, StoreError> {
    let doing = "read a blob";
    let sql = "SELECT data FROM blob WHERE digest = ?1";
    conn.prepare_cached(sql)
        .and_then(|mut found| {
            found
                .query_row([digest.as_bytes()], |row| row.get(0))
                .optional()
        })
        .map_err(reading(doing))
}

/// Removes files whose writing was cut off. Only for the holder of the lock, before it writes.
pub(crate) fn remove_temporary(dir: &Path) -> Result<(), StoreError> {
    let folder = dir.join(home::BLOBS);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(with_file("list", &folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(with_file("list", &folder))?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            home::remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// The files of large blobs that are there.
pub(crate) fn files(dir: &Path) -> Result<Vec<(Digest, PathBuf)>, StoreError> {
    let top = dir.join(home::BLOBS);
    let mut found = Vec::new();
    for (folder, first) in list(&top)? {
        if first.len() != 2 {
            continue;
        }
        for (path, rest) in list(&folder)? {
            if let Ok(digest) = format!("{first}{rest}").parse() {
                found.push((digest, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn list(folder: &Path) -> Result<Vec<(PathBuf, String)>, StoreError> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(with_file("list", folder)(error)),
        Ok(entries) => entries
            .map(|entry| {
                let entry = entry.map_err(with_file("list", folder))?;
                Ok((
                    entry.path(),
                    entry.file_name().to_string_lossy().into_owned(),
                ))
            })
            .collect(),
    }
}
