//! A complete copy of a store that is in use: database, key and large blobs.
//!
//! It is made under another name and gets its own when it is whole, so half a backup is never taken
//! for one. The key is in it: keep it as safe as the store.

use std::fs;
use std::path::Path;

use consort_journal::StoreError;
use consort_model::Digest;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::error::{failed, reading, with_file, writing};
use crate::read::all;
use crate::sqlite::Upkeep;
use crate::{blobs, connection, home};

const DOING: &str = "write a backup";

/// Writes a copy into a new folder. Blocks.
pub(crate) fn backup(store: &Upkeep, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        let problem = format!("{} is there already; name a new folder", to.display());
        return Err(failed(DOING, problem));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    if partial.exists() {
        fs::remove_dir_all(partial).map_err(with_file("remove", partial))?;
    }
    home::make_dir(partial)?;
    let written = fill(store, partial);
    if written.is_err() {
        // What is left of it takes up space, and says nothing that the error does not say.
        let _ = fs::remove_dir_all(partial);
    }
    written?;
    fs::rename(partial, to).map_err(with_file("rename", partial))?;
    match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => home::sync_dir(parent),
        None => Ok(()),
    }
}

fn fill(store: &Upkeep, to: &Path) -> Result<(), StoreError> {
    let target = home::database(to);
    home::make_private(&target)?;
    copy_database(&store.reader()?, &target)?;
    let conn = connection::open(&target, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // One file is easier to carry than three; the store makes WAL of it again.
    conn.execute_batch("PRAGMA journal_mode = DELETE")
        .map_err(writing(DOING))?;
    let large = all(
        &conn,
        DOING,
        "SELECT digest FROM blob WHERE data IS NULL",
        [],
        |row| row.get(0).map(Digest::from_bytes),
    )?;
    conn.close().map_err(|(_, error)| writing(DOING)(error))?;
    let key = fs::read(store.key_file()).map_err(with_file("read", store.key_file()))?;
    home::write_private(&to.join(home::KEY), &key)?;
    for digest in large {
        copy_blob(store.dir(), to, &digest)?;
    }
    sync_file(&target)?;
    home::sync_dir(to)
}

/// All pages at once: in WAL mode nobody waits for a reader, and the copy is of one moment.
fn copy_database(from: &Connection, to: &Path) -> Result<(), StoreError> {
    let mut target = connection::open(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let copy = Backup::new(from, &mut target).map_err(reading(DOING))?;
    match copy.step(-1).map_err(writing(DOING))? {
        StepResult::Done => Ok(()),
        other => Err(failed(DOING, format!("the copy stopped: {other:?}"))),
    }
}

/// Copies the file of a large blob, and proves it on the way.
pub(super) fn copy_blob(from: &Path, to: &Path, digest: &Digest) -> Result<(), StoreError> {
    let source = blobs::path(from, digest);
    let bytes = fs::read(&source).map_err(with_file("read", &source))?;
    if Digest::of(&bytes) != *digest {
        let what = format!("{} has other bytes than its name says", source.display());
        return Err(StoreError::Corrupt { what });
    }
    blobs::write_file(to, digest, &bytes)
}

fn sync_file(path: &Path) -> Result<(), StoreError> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(with_file("sync", path))
}
