//! Runs and their records: who may write, and in which order.

use consort_journal::{Epoch, NewRun, StatusChange, StoreError};
use consort_model::Digest;
use consort_model::id::RunId;
use consort_model::run::RunStatus;
use rusqlite::OptionalExtension;

use crate::encode::count;
use crate::error::{failed, missing, writing};
use crate::prepared::{PreparedBatch, PreparedRun, PreparedSnapshot, seq};
use crate::writer::{CachedRun, Session};

const DOING: &str = "append to a run";

/// The run that the first key of the batch has begun before.
pub(super) fn begun_before(
    session: &Session<'_>,
    batch: &PreparedBatch,
) -> Result<Option<RunId>, StoreError> {
    let first = batch.runs.first().and_then(|part| part.create.as_ref());
    let Some(new) = first else { return Ok(None) };
    match key_owner(session, new)? {
        None => Ok(None),
        Some((run, digest)) => match new.key.as_ref() {
            Some(key) if key.digest == digest => Ok(Some(run)),
            _ => Err(conflict(new, digest)),
        },
    }
}

fn key_owner(session: &Session<'_>, new: &NewRun) -> Result<Option<(RunId, Digest)>, StoreError> {
    let Some(key) = &new.key else { return Ok(None) };
    session
        .statement(DOING, "SELECT id, key_digest FROM run WHERE key = ?1")?
        .query_row([&key.key], |row| {
            Ok((
                RunId::from_bytes(row.get(0)?),
                Digest::from_bytes(row.get(1)?),
            ))
        })
        .optional()
        .map_err(writing(DOING))
}

fn conflict(new: &NewRun, existing: Digest) -> StoreError {
    match &new.key {
        Some(key) => StoreError::KeyConflict {
            key: key.key.clone(),
            existing,
            given: key.digest,
        },
        None => failed("begin a run", "it has no key"),
    }
}

/// Appends a part; answers the last record of the run.
pub(super) fn append(
    session: &mut Session<'_>,
    part: &PreparedRun,
    batch: &PreparedBatch,
) -> Result<i64, StoreError> {
    let mut run = match (&part.create, find(session, &part.run)?) {
        (Some(new), None) => create(session, part, new, batch)?,
        (None, None) => return Err(missing("run", part.run)),
        (_, Some(run)) => {
            fence(part, run)?;
            run
        }
    };
    if part.epoch > run.epoch {
        let sql = "UPDATE run SET epoch = ?2 WHERE number = ?1";
        session.execute(DOING, sql, (run.number, part.epoch))?;
        run.epoch = part.epoch;
    }
    records(session, &mut run, part, &batch.principal)?;
    if let Some(change) = &part.status {
        status(session, run.number, change, batch.at)?;
    }
    if let Some(taken) = &part.snapshot {
        snapshot(session, run, taken)?;
    }
    session.remember(part.run, run);
    Ok(run.last)
}

fn find(session: &Session<'_>, run: &RunId) -> Result<Option<CachedRun>, StoreError> {
    if let Some(cached) = session.run(run) {
        return Ok(Some(cached));
    }
    let sql = "SELECT number, epoch,
        (SELECT coalesce(max(seq), 0) FROM record WHERE run = number)
        FROM run WHERE id = ?1";
    session
        .statement(DOING, sql)?
        .query_row([run.as_bytes()], |row| {
            Ok(CachedRun {
                number: row.get(0)?,
                epoch: row.get(1)?,
                last: row.get(2)?,
            })
        })
        .optional()
        .map_err(writing(DOING))
}

/// Refuses a run that is not there.
pub(super) fn known(session: &Session<'_>, run: &RunId) -> Result<(), StoreError> {
    match find(session, run)? {
        Some(_) => Ok(()),
        None => Err(missing("run", run)),
    }
}

fn fence(part: &PreparedRun, run: CachedRun) -> Result<(), StoreError> {
    if part.epoch < run.epoch {
        return Err(StoreError::Fenced {
            run: part.run,
            current: Epoch(count(run.epoch)),
            given: Epoch(count(part.epoch)),
        });
    }
    if part.expected != run.last {
        return Err(out_of_order(part, run.last));
    }
    match part.create {
        Some(_) => Err(failed(
            "begin a run",
            format!("{} is there already", part.run),
        )),
        None => Ok(()),
    }
}

fn out_of_order(part: &PreparedRun, current: i64) -> StoreError {
    StoreError::OutOfOrder {
        run: part.run,
        current: seq(current),
        expected: seq(part.expected),
    }
}

fn create(
    session: &Session<'_>,
    part: &PreparedRun,
    new: &NewRun,
    batch: &PreparedBatch,
) -> Result<CachedRun, StoreError> {
    if new.id != part.run {
        return Err(failed(
            "begin a run",
            format!("{} is named {}", part.run, new.id),
        ));
    }
    if part.expected != 0 {
        return Err(out_of_order(part, 0));
    }
    if let Some((_, existing)) = key_owner(session, new)? {
        return Err(conflict(new, existing));
    }
    let sql = "INSERT INTO run (id, kind, deployment, subject, definition, principal, parent, key,
        key_digest, epoch, status, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let key = new.key.as_ref();
    let row = rusqlite::params![
        new.id.as_bytes(),
        new.kind.word(),
        new.deployment,
        new.subject.as_ref().map(ToString::to_string),
        new.definition.as_bytes(),
        batch.principal,
        new.parent.as_ref().map(RunId::as_bytes),
        key.map(|key| &key.key),
        key.map(|key| key.digest.as_bytes()),
        part.epoch,
        RunStatus::Pending.word(),
        new.created.millis(),
    ];
    session.execute("begin a run", sql, row)?;
    Ok(CachedRun {
        number: session.conn.last_insert_rowid(),
        epoch: part.epoch,
        last: 0,
    })
}

fn records(
    session: &Session<'_>,
    run: &mut CachedRun,
    part: &PreparedRun,
    principal: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO record (run, seq, v, kind, at, epoch, principal, body, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut insert = session.statement(DOING, sql)?;
    for record in &part.records {
        run.last += 1;
        let row = rusqlite::params![
            run.number,
            run.last,
            record.v,
            record.kind,
            record.at,
            part.epoch,
            principal,
            record.body,
            record.sum,
        ];
        insert.execute(row).map_err(writing(DOING))?;
    }
    Ok(())
}

fn status(
    session: &Session<'_>,
    number: i64,
    change: &StatusChange,
    at: i64,
) -> Result<(), StoreError> {
    let ended = change.status.is_ended().then_some(at);
    // A run that ended keeps the time at which it first did, unless it was resumed.
    let sql = "UPDATE run SET status = ?2, error = ?3,
        ended = CASE WHEN ?4 IS NULL THEN NULL ELSE coalesce(ended, ?4) END WHERE number = ?1";
    let row = (number, change.status.word(), &change.error, ended);
    session.execute(DOING, sql, row).map(drop)
}

/// Keeps the newest snapshot and the one before it: a newest one that cannot be read is not the
/// end.
fn snapshot(
    session: &Session<'_>,
    run: CachedRun,
    taken: &PreparedSnapshot,
) -> Result<(), StoreError> {
    let doing = "keep a snapshot";
    let sql = "INSERT OR REPLACE INTO snapshot (run, upto, format, state, sum)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = (run.number, run.last, taken.format, &taken.state, taken.sum);
    session.execute(doing, sql, row)?;
    let sql = "DELETE FROM snapshot WHERE run = ?1 AND upto <
        (SELECT min(upto) FROM (SELECT upto FROM snapshot WHERE run = ?1 ORDER BY upto DESC LIMIT 2))";
    session.execute(doing, sql, [run.number]).map(drop)
}

/// A run that has ended waits for nothing and holds nothing.
pub(super) fn end(session: &Session<'_>, batch: &PreparedBatch) -> Result<(), StoreError> {
    let ended = |part: &&PreparedRun| part.status.as_ref().is_some_and(|to| to.status.is_ended());
    for part in batch.runs.iter().filter(ended) {
        for sql in [
            "DELETE FROM timer WHERE run = ?1",
            "DELETE FROM subscription WHERE run = ?1",
            "UPDATE deployment SET changing = NULL WHERE changing = ?1",
        ] {
            session.execute("end a run", sql, [part.run.as_bytes()])?;
        }
    }
    Ok(())
}
