//! The check of a store from end to end. What is found is told in sentences; nothing is mended.

use consort_journal::StoreError;
use consort_model::id::RunId;
use consort_model::{Digest, SecretHandle};
use rusqlite::Connection;

use crate::blobs;
use crate::error::reading;
use crate::read::{all, deployments, runs};
use crate::sqlite::Upkeep;

const DOING: &str = "check the store";
/// More findings are not told: the store is beyond reading them.
const MOST: usize = 1000;
/// Records that are read at once.
const PAGE: u32 = 1000;

/// Checks everything. Blocks.
pub(crate) fn verify(store: &Upkeep) -> Result<Vec<String>, StoreError> {
    let conn = store.reader()?;
    let snapshot = conn.unchecked_transaction().map_err(reading(DOING))?;
    let mut found = structure(&snapshot)?;
    found.extend(records(&snapshot)?);
    found.extend(states(&snapshot)?);
    found.extend(waiting(&snapshot)?);
    found.extend(secrets(&snapshot, store)?);
    found.extend(bytes(&snapshot, store)?);
    found.truncate(MOST);
    Ok(found)
}

/// SQLite's own checks.
pub(super) fn structure(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let text = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let said = all(conn, DOING, "PRAGMA integrity_check", [], text)?;
    let mut found: Vec<String> = said
        .into_iter()
        .filter(|line| line != "ok")
        .map(|line| format!("SQLite says: {line}"))
        .collect();
    let lost = all(conn, DOING, "PRAGMA foreign_key_check", [], text)?;
    found.extend(
        lost.into_iter()
            .map(|table| format!("a row of `{table}` belongs to nothing")),
    );
    Ok(found)
}

/// Says what an error says, and goes on.
fn told<T>(result: Result<T, StoreError>, found: &mut Vec<String>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(StoreError::Corrupt { what }) => {
            found.push(what);
            None
        }
        Err(error) => {
            found.push(error.to_string());
            None
        }
    }
}

fn records(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let ids = all(
        conn,
        DOING,
        "SELECT id FROM run ORDER BY number",
        [],
        |row| row.get(0).map(RunId::from_bytes),
    )?;
    for run in ids {
        told(runs::get(conn, &run), &mut found);
        told(runs::snapshot(conn, &run), &mut found);
        let gaps = told(follow(conn, &run), &mut found).unwrap_or_default();
        found.extend(gaps);
    }
    let sql = "SELECT count(*) FROM snapshot WHERE upto >
        (SELECT coalesce(max(seq), 0) FROM record WHERE record.run = snapshot.run)";
    if number(conn, sql)? > 0 {
        found.push("a snapshot is of more records than its run has".into());
    }
    let sql = "SELECT count(DISTINCT run) FROM record
        WHERE run NOT IN (SELECT number FROM run) AND run NOT IN (SELECT run FROM dropped)";
    if number(conn, sql)? > 0 {
        found.push("records belong to no run".into());
    }
    Ok(found)
}

fn number(conn: &Connection, sql: &str) -> Result<i64, StoreError> {
    conn.query_row(sql, [], |row| row.get(0))
        .map_err(reading(DOING))
}

/// Reads all records of a run, and sees that none is missing.
fn follow(conn: &Connection, run: &RunId) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut last = consort_journal::Seq(0);
    loop {
        let page = runs::records(conn, run, last, PAGE)?;
        for (seq, _) in &page {
            if *seq != last.next() {
                found.push(format!("{run} has no record {}", last.next()));
            }
            last = *seq;
        }
        if page.len() < PAGE as usize || found.len() > MOST {
            return Ok(found);
        }
    }
}

fn states(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for deployment in deployments::list(conn)? {
        let name = &deployment.name;
        let revisions = told(deployments::revisions(conn, name), &mut found).unwrap_or_default();
        let newest = revisions.first().map(|revision| revision.number);
        if newest != deployment.revision {
            found.push(format!(
                "`{name}` does not have the revision that is its newest"
            ));
        }
        told(deployments::state(conn, name), &mut found);
    }
    let sql = "SELECT address, generation, body FROM state";
    let rows = all(conn, DOING, sql, [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    for (address, generation, body) in rows {
        let (address, generation, body): (String, i64, String) = (address, generation, body);
        let said = serde_json::from_str::<consort_model::StateEntry>(&body);
        let same = said.is_ok_and(|entry| {
            i64::try_from(entry.generation.0) == Ok(generation)
                && entry.address.to_string() == address
        });
        if !same || generation == 0 {
            found.push(format!(
                "the state of {address} does not say what its row says"
            ));
        }
    }
    Ok(found)
}

fn waiting(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for table in ["timer", "subscription", "outbox"] {
        let ended = if table == "outbox" {
            ""
        } else {
            "AND ended IS NULL"
        };
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE NOT EXISTS
            (SELECT 1 FROM run WHERE run.id = {table}.run {ended})"
        );
        let lost = number(conn, &sql)?;
        if lost > 0 {
            found.push(format!(
                "{lost} rows of `{table}` belong to no run that could need them"
            ));
        }
    }
    Ok(found)
}

fn secrets(conn: &Connection, store: &Upkeep) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let sql = "SELECT deployment, name, version FROM secret";
    let rows = all(conn, DOING, sql, [], |row| {
        let handle = SecretHandle {
            name: row.get(1)?,
            version: row.get(2)?,
        };
        Ok((row.get::<_, String>(0)?, handle))
    })?;
    for (deployment, handle) in rows {
        told(
            deployments::secret(conn, store.vault(), &deployment, &handle),
            &mut found,
        );
    }
    Ok(found)
}

fn bytes(conn: &Connection, store: &Upkeep) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let digests = all(
        conn,
        DOING,
        "SELECT digest FROM blob ORDER BY number",
        [],
        |row| row.get(0).map(Digest::from_bytes),
    )?;
    for digest in digests {
        told(blobs::get(conn, store.dir(), &digest), &mut found);
    }
    Ok(found)
}
