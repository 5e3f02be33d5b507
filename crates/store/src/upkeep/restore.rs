//! From a backup to a store.

use std::fs;
use std::path::Path;

use consort_journal::StoreError;
use consort_model::Digest;
use rusqlite::{Connection, OpenFlags};

use super::{backup, verify};
use crate::connection;
use crate::error::{corrupt, failed, with_file, writing};
use crate::home::{self, Lock};
use crate::migration::{MIGRATIONS, refuse_newer, version};
use crate::read::all;
use crate::vault::Vault;

const DOING: &str = "restore a backup";
/// Epochs that owners may have had since the backup: the restored store begins above them, so that
/// none of them can write to it.
const EPOCHS: i64 = 1 << 20;

/// Makes a store of a backup. The backup is checked first and is not changed.
///
/// # Errors
/// When the backup is damaged or of a newer version, when a process holds the store, or when there
/// is one already: it is never written over.
pub fn restore(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = home::database(from);
    if !source.is_file() {
        let problem = format!("{} is no backup: it has no `state.db`", from.display());
        return Err(failed(DOING, problem));
    }
    home::make_dir(to)?;
    home::refuse_network(to)?;
    let _lock = Lock::take(to)?;
    let target = home::database(to);
    if target.exists() {
        let name = target.display();
        return Err(failed(
            DOING,
            format!("{name} is there already; move it away first"),
        ));
    }
    let key = from.join(home::KEY);
    let large = check(&source, &key)?;
    let bytes = fs::read(&key).map_err(with_file("read", &key))?;
    home::write_private(&to.join(home::KEY), &bytes)?;
    for digest in large {
        backup::copy_blob(from, to, &digest)?;
    }
    // The database comes last: without it there is no store, and the whole can be tried again.
    let partial = to.join("state.db.restoring");
    home::remove_if_there(&partial)?;
    fs::copy(&source, &partial).map_err(with_file("copy", &source))?;
    home::make_private(&partial)?;
    raise_epoch(&partial)?;
    fs::rename(&partial, &target).map_err(with_file("rename", &partial))?;
    home::sync_dir(to)
}

/// Is it a backup that this version can read, whole, and with the right key? Answers its large
/// blobs.
fn check(source: &Path, key: &Path) -> Result<Vec<Digest>, StoreError> {
    let conn = connection::open(source, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection::check_kind(&conn)?;
    let found = version(&conn)?;
    refuse_newer(found, MIGRATIONS)?;
    if found == 0 {
        return Err(corrupt(format!("{} holds no store", source.display())));
    }
    if let Some(first) = verify::structure(&conn)?.into_iter().next() {
        return Err(corrupt(first));
    }
    Vault::check(&conn, key)?;
    all(
        &conn,
        DOING,
        "SELECT digest FROM blob WHERE data IS NULL",
        [],
        |row| row.get(0).map(Digest::from_bytes),
    )
}

fn raise_epoch(path: &Path) -> Result<(), StoreError> {
    let conn: Connection = connection::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let sql = "UPDATE meta SET value = value + ?1 WHERE name = 'epoch'";
    conn.execute_batch("PRAGMA synchronous = FULL")
        .and_then(|()| conn.execute(sql, [EPOCHS]))
        .map(drop)
        .map_err(writing(DOING))?;
    conn.close().map_err(|(_, error)| writing(DOING)(error))
}
