//! Runs, their records and their snapshots.

use consort_journal::{Envelope, Epoch, RunFilter, RunRow, Seq, Snapshot, StoreError};
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::run::RunSummary;
use consort_model::{Digest, Timestamp};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row};

use super::{all, one, words};
use crate::encode::{count, int, parse};
use crate::error::{corrupt, missing};
use crate::prepared::{record_sum, seq, snapshot_sum};

const DOING: &str = "read runs";
/// As many runs as one list shows at most, and without a wish.
const MOST: u32 = 1000;
const USUAL: u32 = 100;
/// Records that one question answers at most.
const MOST_RECORDS: u32 = 100_000;

const COLUMNS: &str = "SELECT id, kind, deployment, subject, status, definition, principal, parent,
    created, ended, error, epoch,
    (SELECT coalesce(max(seq), 0) FROM record WHERE run = number) FROM run";

/// A row as it is in the file.
struct Raw {
    id: [u8; 16],
    kind: String,
    deployment: String,
    subject: Option<String>,
    status: String,
    definition: [u8; 32],
    principal: String,
    parent: Option<[u8; 16]>,
    created: i64,
    ended: Option<i64>,
    error: Option<String>,
    epoch: i64,
    last: i64,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        id: row.get(0)?,
        kind: row.get(1)?,
        deployment: row.get(2)?,
        subject: row.get(3)?,
        status: row.get(4)?,
        definition: row.get(5)?,
        principal: row.get(6)?,
        parent: row.get(7)?,
        created: row.get(8)?,
        ended: row.get(9)?,
        error: row.get(10)?,
        epoch: row.get(11)?,
        last: row.get(12)?,
    })
}

fn typed(raw: Raw) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        summary: RunSummary {
            id: RunId::from_bytes(raw.id),
            kind: words::to_kind(&raw.kind)?,
            deployment: raw.deployment,
            subject: raw.subject.as_deref().map(words::to_address).transpose()?,
            status: words::to_status(&raw.status)?,
            definition: Digest::from_bytes(raw.definition),
            principal: Principal(raw.principal),
            parent: raw.parent.map(RunId::from_bytes),
            created: Timestamp::from_millis(raw.created),
            ended: raw.ended.map(Timestamp::from_millis),
            error: raw.error,
        },
        last: seq(raw.last),
        epoch: Epoch(count(raw.epoch)),
    })
}

/// One run.
pub(crate) fn get(conn: &Connection, run: &RunId) -> Result<Option<RunRow>, StoreError> {
    let sql = format!("{COLUMNS} WHERE id = ?1");
    one(conn, DOING, &sql, [run.as_bytes()], raw)?
        .map(typed)
        .transpose()
}

/// The run that was begun under a key.
pub(crate) fn by_key(conn: &Connection, key: &str) -> Result<Option<RunRow>, StoreError> {
    let sql = format!("{COLUMNS} WHERE key = ?1");
    one(conn, DOING, &sql, [key], raw)?.map(typed).transpose()
}

/// All runs that have not ended, oldest first.
pub(crate) fn open(conn: &Connection) -> Result<Vec<RunRow>, StoreError> {
    let sql = format!("{COLUMNS} WHERE ended IS NULL ORDER BY number");
    all(conn, DOING, &sql, [], raw)?
        .into_iter()
        .map(typed)
        .collect()
}

/// Runs, newest first.
pub(crate) fn list(conn: &Connection, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
    let RunFilter {
        deployment,
        kind,
        subject,
        status,
        parent,
        before,
        limit,
    } = filter;
    let mut conditions: Vec<(&str, Sql)> = Vec::new();
    if let Some(name) = deployment {
        conditions.push(("deployment =", Sql::Text(name.clone())));
    }
    if let Some(kind) = kind {
        conditions.push(("kind =", Sql::Text(kind.word().to_owned())));
    }
    if let Some(subject) = subject {
        conditions.push(("subject =", Sql::Text(subject.to_string())));
    }
    if let Some(status) = status {
        conditions.push(("status =", Sql::Text(status.word().to_owned())));
    }
    if let Some(parent) = parent {
        conditions.push(("parent =", Sql::Blob(parent.as_bytes().to_vec())));
    }
    if let Some(before) = before {
        conditions.push(("number <", Sql::Integer(number(conn, before)?)));
    }
    let mut sql = COLUMNS.to_owned();
    for (index, (condition, _)) in conditions.iter().enumerate() {
        let joint = if index == 0 { "WHERE" } else { "AND" };
        sql.push_str(&format!(" {joint} {condition} ?{}", index + 1));
    }
    let limit = limit.unwrap_or(USUAL).min(MOST);
    sql.push_str(&format!(" ORDER BY number DESC LIMIT {limit}"));
    let params = rusqlite::params_from_iter(conditions.into_iter().map(|(_, value)| value));
    all(conn, DOING, &sql, params, raw)?
        .into_iter()
        .map(typed)
        .collect()
}

fn number(conn: &Connection, run: &RunId) -> Result<i64, StoreError> {
    let sql = "SELECT number FROM run WHERE id = ?1";
    one(conn, DOING, sql, [run.as_bytes()], |row| row.get(0))?.ok_or_else(|| missing("run", run))
}

/// Records after a place, in order. Each is proved by its sum.
pub(crate) fn records(
    conn: &Connection,
    run: &RunId,
    after: Seq,
    limit: u32,
) -> Result<Vec<(Seq, Envelope)>, StoreError> {
    let sql = "SELECT seq, v, kind, at, body, sum FROM record
        WHERE run = (SELECT number FROM run WHERE id = ?1) AND seq > ?2 ORDER BY seq LIMIT ?3";
    let after = int("a place", after.0)?;
    let rows = all(
        conn,
        "read records",
        sql,
        (run.as_bytes(), after, limit.min(MOST_RECORDS)),
        |row| {
            Ok(RawRecord {
                seq: row.get(0)?,
                v: row.get(1)?,
                kind: row.get(2)?,
                at: row.get(3)?,
                body: row.get(4)?,
                sum: row.get(5)?,
            })
        },
    )?;
    rows.into_iter().map(|row| row.typed(run)).collect()
}

struct RawRecord {
    seq: i64,
    v: u16,
    kind: String,
    at: i64,
    body: String,
    sum: i64,
}

impl RawRecord {
    fn typed(self, run: &RunId) -> Result<(Seq, Envelope), StoreError> {
        let Self {
            seq: place,
            v,
            kind,
            at,
            body,
            sum,
        } = self;
        if record_sum(run, place, v, &kind, at, &body) != sum {
            return Err(corrupt(format!("record {place} of {run} has a wrong sum")));
        }
        let body = parse("a record", &body)?;
        let at = Timestamp::from_millis(at);
        Ok((seq(place), Envelope { v, kind, at, body }))
    }
}

/// The newest snapshot that can be trusted.
pub(crate) fn snapshot(conn: &Connection, run: &RunId) -> Result<Option<Snapshot>, StoreError> {
    let sql = "SELECT upto, format, state, sum FROM snapshot
        WHERE run = (SELECT number FROM run WHERE id = ?1) ORDER BY upto DESC";
    let rows = all(conn, "read a snapshot", sql, [run.as_bytes()], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    for row in rows {
        let (upto, format, state, sum): (i64, u16, String, i64) = row;
        if snapshot_sum(run, upto, format, &state) == sum {
            let state = parse("a snapshot", &state)?;
            return Ok(Some(Snapshot {
                upto: seq(upto),
                format,
                state,
            }));
        }
        tracing::error!(%run, upto, "a snapshot has a wrong sum; an older one or the records serve");
    }
    Ok(None)
}
