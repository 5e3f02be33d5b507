//! The schema and how older files come up to it: numbered, forward only, one transaction each.
//!
//! A migration that was released is never edited: its checksum is in the files that it made.

use std::path::Path;

use consort_journal::StoreError;
use consort_model::Digest;
use rusqlite::{Connection, OptionalExtension};

use crate::connection::APPLICATION_ID;
use crate::error::{corrupt, reading, writing};
use crate::home;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// Counts from 1 without gaps; SQLite's `user_version` after it.
    pub(crate) number: u32,
    /// Of its file.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) sql: &'static str,
}

/// All of them, in order.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "0001_first",
    sql: include_str!("../migrations/0001_first.sql"),
}];

const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    number   INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied  INTEGER NOT NULL
) STRICT";

/// The schema of a file; 0 for an empty one.
pub(crate) fn version(conn: &Connection) -> Result<u32, StoreError> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(reading("read the schema's version"))
}

/// Refuses a file that a newer version wrote.
pub(crate) fn refuse_newer(found: u32, list: &[Migration]) -> Result<(), StoreError> {
    let known = list.last().map_or(0, |last| last.number);
    match found > known {
        true => Err(StoreError::Newer { found, known }),
        false => Ok(()),
    }
}

/// Brings a file up to the schema of this version. Before an older one is changed, a copy is made
/// beside it: `state.db.before-2`.
pub(crate) fn migrate(
    conn: &Connection,
    path: &Path,
    list: &[Migration],
    now: i64,
) -> Result<(), StoreError> {
    let found = version(conn)?;
    refuse_newer(found, list)?;
    if found > 0 {
        check_history(conn, list, found)?;
    }
    for migration in list.iter().filter(|migration| migration.number > found) {
        if migration.number > 1 {
            keep_copy(conn, path, migration.number)?;
        }
        apply(conn, migration, now)?;
    }
    Ok(())
}

fn apply(conn: &Connection, migration: &Migration, now: i64) -> Result<(), StoreError> {
    let doing = "bring the schema up to date";
    let Migration { number, name, sql } = migration;
    let transaction = conn.unchecked_transaction().map_err(writing(doing))?;
    transaction.execute_batch(HISTORY).map_err(writing(doing))?;
    transaction.execute_batch(sql).map_err(writing(doing))?;
    let row = (number, name, checksum(sql), now);
    let history = "INSERT INTO schema_migration VALUES (?1, ?2, ?3, ?4)";
    transaction.execute(history, row).map_err(writing(doing))?;
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .and_then(|()| transaction.pragma_update(None, "user_version", number))
        .and_then(|()| transaction.commit())
        .map_err(writing(doing))
}

fn checksum(sql: &str) -> String {
    Digest::of(sql.as_bytes()).to_string()
}

fn check_history(conn: &Connection, list: &[Migration], found: u32) -> Result<(), StoreError> {
    let sql = "SELECT checksum FROM schema_migration WHERE number = ?1";
    for migration in list.iter().filter(|migration| migration.number <= found) {
        let recorded: Option<String> = conn
            .query_row(sql, [migration.number], |row| row.get(0))
            .optional()
            .map_err(reading("read the schema's history"))?;
        if recorded.as_deref() != Some(checksum(migration.sql).as_str()) {
            let name = migration.name;
            return Err(corrupt(format!(
                "its schema `{name}` is not the one of this version"
            )));
        }
    }
    Ok(())
}

fn keep_copy(conn: &Connection, path: &Path, number: u32) -> Result<(), StoreError> {
    let mut copy = path.as_os_str().to_owned();
    copy.push(format!(".before-{number}"));
    let copy = Path::new(&copy);
    // A copy that is there comes from an attempt that was cut off: the file is still the old one.
    home::remove_if_there(copy)?;
    let name = copy.to_str().ok_or_else(|| StoreError::Failed {
        doing: "copy the database",
        problem: format!("{} is not UTF-8", copy.display()),
    })?;
    conn.execute("VACUUM INTO ?1", [name])
        .map_err(writing("copy the database"))?;
    home::make_private(copy).map(drop)
}

#[cfg(test)]
mod tests;
