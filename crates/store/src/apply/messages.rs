//! What runs wait for and what they send.

use consort_journal::{Accepted, Change, StoreError, TimerChange};
use rusqlite::OptionalExtension;

use super::runs::known;
use crate::encode::{count, int};
use crate::error::writing;
use crate::prepared::{PreparedBatch, PreparedSubscription};
use crate::writer::Session;

/// Timers, subscriptions, marks, outbox and runtime facts of a batch.
pub(super) fn write(session: &Session<'_>, batch: &PreparedBatch) -> Result<(), StoreError> {
    batch
        .timers
        .iter()
        .try_for_each(|change| timer(session, change))?;
    batch
        .subscriptions
        .iter()
        .try_for_each(|change| subscription(session, change))?;
    for mark in &batch.inbox {
        let sql = "INSERT INTO inbox_mark (consumer, upto) VALUES (?1, ?2)
            ON CONFLICT (consumer) DO UPDATE SET upto = max(upto, excluded.upto)";
        let upto = int("a place in the inbox", mark.upto)?;
        session.execute("move a mark", sql, (&mark.consumer, upto))?;
    }
    outbox(session, batch)?;
    for (fact, text) in &batch.runtime {
        let doing = "keep a runtime fact";
        match fact.value {
            Some(_) => {
                let sql = "INSERT INTO runtime (scope, key, value) VALUES (?1, ?2, ?3)
                    ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value";
                session.execute(doing, sql, (&fact.scope, &fact.key, text))?;
            }
            None => {
                let sql = "DELETE FROM runtime WHERE scope = ?1 AND key = ?2";
                session.execute(doing, sql, (&fact.scope, &fact.key))?;
            }
        }
    }
    Ok(())
}

fn timer(session: &Session<'_>, change: &TimerChange) -> Result<(), StoreError> {
    let doing = "set a timer";
    match change {
        TimerChange::Set { run, timer, due } => {
            known(session, run)?;
            let sql = "INSERT INTO timer (run, timer, due) VALUES (?1, ?2, ?3)
                ON CONFLICT (run, timer) DO UPDATE SET due = excluded.due";
            let row = (run.as_bytes(), timer.as_bytes(), due.millis());
            session.execute(doing, sql, row)?;
        }
        TimerChange::Clear { run, timer } => {
            let sql = "DELETE FROM timer WHERE run = ?1 AND timer = ?2";
            session.execute(doing, sql, (run.as_bytes(), timer.as_bytes()))?;
        }
    }
    Ok(())
}

fn subscription(session: &Session<'_>, change: &PreparedSubscription) -> Result<(), StoreError> {
    let doing = "change a subscription";
    match change {
        PreparedSubscription::Open {
            id,
            run,
            deployment,
            event_type,
            filter,
            from,
        } => {
            known(session, run)?;
            let sql = "INSERT OR REPLACE INTO subscription
                (id, run, deployment, event_type, filter, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let row = (
                id.as_bytes(),
                run.as_bytes(),
                deployment,
                event_type,
                filter,
                from,
            );
            session.execute(doing, sql, row)?;
        }
        PreparedSubscription::Close(id) => {
            session.execute(
                doing,
                "DELETE FROM subscription WHERE id = ?1",
                [id.as_bytes()],
            )?;
        }
    }
    Ok(())
}

fn outbox(session: &Session<'_>, batch: &PreparedBatch) -> Result<(), StoreError> {
    for (entry, text) in &batch.outbox {
        known(session, &entry.run)?;
        let sql = "INSERT INTO outbox (id, run, sink, body) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (id) DO NOTHING";
        let row = (&entry.id, entry.run.as_bytes(), &entry.sink, text);
        session.execute("keep what is to be sent", sql, row)?;
    }
    for id in &batch.sent {
        session.execute(
            "note what was sent",
            "DELETE FROM outbox WHERE id = ?1",
            [id],
        )?;
    }
    Ok(())
}

/// An event on its way into the inbox.
pub(crate) struct PreparedEvent {
    pub(crate) deployment: String,
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) event_type: String,
    pub(crate) at: i64,
    pub(crate) body: String,
}

/// Takes an event in, unless it is there.
pub(crate) fn inbox_put(
    session: &mut Session<'_>,
    event: &PreparedEvent,
) -> Result<Accepted, StoreError> {
    let doing = "take an event in";
    let sql = "SELECT place FROM inbox WHERE deployment = ?1 AND source = ?2 AND id = ?3";
    let there: Option<i64> = session
        .statement(doing, sql)?
        .query_row((&event.deployment, &event.source, &event.id), |row| {
            row.get(0)
        })
        .optional()
        .map_err(writing(doing))?;
    if let Some(place) = there {
        return Ok(Accepted::Duplicate(count(place)));
    }
    let sql = "INSERT INTO inbox (deployment, source, id, event_type, at, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let PreparedEvent {
        deployment,
        source,
        id,
        event_type,
        at,
        body,
    } = event;
    session.execute(doing, sql, (deployment, source, id, event_type, at, body))?;
    let place = count(session.conn.last_insert_rowid());
    session.note(|named| crate::upkeep::names::collect(event.body.as_bytes(), named));
    session.tell(Change::Inbox(place));
    Ok(Accepted::New(place))
}
