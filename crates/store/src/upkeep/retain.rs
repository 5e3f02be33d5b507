//! Retention: what is old and ended goes, in slices, so that no append waits for long. A kill
//! between two slices leaves a store that is in order: a run goes at once, and the records that it
//! leaves behind are noted, belong to nobody, and go with the next call.

use consort_journal::StoreError;
use rusqlite::params;

use super::garbage;
use crate::error::writing;
use crate::sqlite::Upkeep;
use crate::writer::Session;

/// Rows in one slice.
const SLICE: u32 = 500;
/// Pages given back to the file system in one slice.
const PAGES: u32 = 256;

/// Deletes what ended before a time; answers how many rows went. Blocks.
pub(crate) fn retain(store: &Upkeep, before: i64) -> Result<u64, StoreError> {
    let mut gone = store.write(move |session| revisions(session, before))?;
    gone += slices(store, move |session| runs(session, before))?;
    gone += slices(store, records)?;
    gone += slices(store, move |session| inbox(session, before))?;
    gone += garbage::collect(store)?;
    give_back(store)?;
    Ok(gone as u64)
}

/// Works until a slice finds nothing.
fn slices(
    store: &Upkeep,
    slice: impl Fn(&mut Session<'_>) -> Result<usize, StoreError> + Copy + Send + 'static,
) -> Result<usize, StoreError> {
    let mut gone = 0;
    loop {
        match store.write(slice)? {
            0 => return Ok(gone),
            rows => gone += rows,
        }
    }
}

/// Of each deployment the newest revision and the newest complete one stay, and the later ones.
fn revisions(session: &mut Session<'_>, before: i64) -> Result<usize, StoreError> {
    let sql = "DELETE FROM revision WHERE at < ?1
        AND number < (SELECT max(number) FROM revision AS other
            WHERE other.deployment = revision.deployment)
        AND number <> coalesce((SELECT max(number) FROM revision AS other
            WHERE other.deployment = revision.deployment AND other.complete), 0)";
    session.execute("delete old revisions", sql, [before])
}

/// Ended runs go, but those that a kept revision names and the parts of runs that are open.
fn runs(session: &mut Session<'_>, before: i64) -> Result<usize, StoreError> {
    let doing = "delete old runs";
    let sql = "SELECT number, id FROM run WHERE ended < ?1
        AND NOT EXISTS (SELECT 1 FROM revision WHERE revision.run = run.id)
        AND NOT EXISTS (SELECT 1 FROM run AS parent
            WHERE parent.id = run.parent AND parent.ended IS NULL)
        LIMIT ?2";
    let found: Vec<(i64, [u8; 16])> = session
        .statement(doing, sql)?
        .query_map(params![before, SLICE], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(writing(doing))?;
    for (number, id) in &found {
        session.execute(doing, "INSERT INTO dropped (run) VALUES (?1)", [number])?;
        for sql in [
            "DELETE FROM timer WHERE run = ?1",
            "DELETE FROM subscription WHERE run = ?1",
            "DELETE FROM outbox WHERE run = ?1",
        ] {
            session.execute(doing, sql, [id])?;
        }
        session.execute(doing, "DELETE FROM run WHERE number = ?1", [number])?;
    }
    session.forget_runs();
    Ok(found.len())
}

/// Records of runs that have gone. `CROSS JOIN` keeps SQLite from looking through all records.
fn records(session: &mut Session<'_>) -> Result<usize, StoreError> {
    let doing = "delete old records";
    let sql = "DELETE FROM record WHERE (run, seq) IN
        (SELECT record.run, seq FROM dropped CROSS JOIN record ON record.run = dropped.run LIMIT ?1)";
    let gone = session.execute(doing, sql, [SLICE])?;
    if gone == 0 {
        session.execute(doing, "DELETE FROM dropped", [])?;
    }
    Ok(gone)
}

/// Old events that every consumer has read.
fn inbox(session: &mut Session<'_>, before: i64) -> Result<usize, StoreError> {
    let sql = "DELETE FROM inbox WHERE place IN (SELECT place FROM inbox WHERE at < ?1
        AND place <= (SELECT coalesce(min(upto), 0) FROM inbox_mark) LIMIT ?2)";
    session.execute("delete old events", sql, params![before, SLICE])
}

/// Gives free pages back to the file system.
fn give_back(store: &Upkeep) -> Result<(), StoreError> {
    let doing = "give space back";
    loop {
        let left: u32 = store.write(move |session| {
            let conn = session.conn;
            conn.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))
                .and_then(|()| conn.pragma_query_value(None, "freelist_count", |row| row.get(0)))
                .map_err(writing(doing))
        })?;
        if left < PAGES {
            return Ok(());
        }
    }
}
