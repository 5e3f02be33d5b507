//! Connections and their settings.

use std::path::Path;
use std::time::Duration;

use consort_journal::StoreError;
use rusqlite::{Connection, OpenFlags};

use crate::error::{corrupt, reading, writing};
use crate::migration::{MIGRATIONS, refuse_newer, version};

/// "CNST": what kind of file this is.
pub(crate) const APPLICATION_ID: i32 = 0x434E_5354;
/// For the short moments of a checkpoint or of a tool that reads.
const BUSY: Duration = Duration::from_secs(5);
/// Statements that each connection keeps prepared.
const STATEMENTS: usize = 128;

/// Settings of the writer. `FULL`: in WAL mode `NORMAL` does not sync on commit, so a power cut
/// would take back what was acknowledged. No automatic checkpoints: the thread makes them when it
/// is idle. No memory map: I/O errors shall come back as errors, not as signals.
const WRITER: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -8000;
    PRAGMA mmap_size = 0;
";

const READER: &str = "
    PRAGMA query_only = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -2000;
    PRAGMA mmap_size = 0;
";

/// The one connection that writes. The file must be there; one that is not ours to write is refused
/// before anything is written to it.
pub(crate) fn writer(path: &Path) -> Result<Connection, StoreError> {
    let doing = "open the database";
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check_kind(&conn)?;
    refuse_newer(version(&conn)?, MIGRATIONS)?;
    conn.execute_batch(WRITER).map_err(writing(doing))?;
    let mode: String = conn
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(reading(doing))?;
    if mode != "wal" {
        return Err(StoreError::Failed {
            doing,
            problem: format!("the file system does not allow WAL (it is `{mode}`); use another"),
        });
    }
    Ok(conn)
}

/// A connection that reads.
pub(crate) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.execute_batch(READER)
        .map_err(reading("open the database"))?;
    Ok(conn)
}

pub(crate) fn open(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    let doing = "open the database";
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(reading(doing))?;
    conn.busy_timeout(BUSY).map_err(reading(doing))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// Refuses a file of something else, before anything is written to it.
pub(crate) fn check_kind(conn: &Connection) -> Result<(), StoreError> {
    let number = |name: &str| -> Result<i64, StoreError> {
        conn.pragma_query_value(None, name, |row| row.get(0))
            .map_err(reading("read what the file is"))
    };
    let (kind, pages) = (number("application_id")?, number("page_count")?);
    if pages > 0 && kind != i64::from(APPLICATION_ID) && number("schema_version")? > 0 {
        return Err(corrupt("the file is a database of something else"));
    }
    Ok(())
}
