//! Timers, the inbox, subscriptions, the outbox and runtime facts.

use consort_journal::{Event, InboxEvent, OutboxRow, StoreError, Subscription, Timer};
use consort_model::id::{RunId, SubscriptionId, TimerId};
use consort_model::{Timestamp, Value};
use rusqlite::Connection;

use super::{all, one};
use crate::encode::{count, int, parse};

/// Timers that are due, in the order of `(due, run, timer)`.
pub(crate) fn timer_due(
    conn: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Timer>, StoreError> {
    let sql = "SELECT run, timer, due FROM timer WHERE due <= ?1
        ORDER BY due, run, timer LIMIT ?2";
    all(conn, "read timers", sql, (now.millis(), limit), |row| {
        Ok(Timer {
            run: RunId::from_bytes(row.get(0)?),
            timer: TimerId::from_bytes(row.get(1)?),
            due: Timestamp::from_millis(row.get(2)?),
        })
    })
}

/// When the next timer is due.
pub(crate) fn timer_next(conn: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<Option<i64>> = one(
        conn,
        "read timers",
        "SELECT min(due) FROM timer",
        [],
        |row| row.get(0),
    )?;
    Ok(next.flatten().map(Timestamp::from_millis))
}

/// Events after a place, in order.
pub(crate) fn inbox(
    conn: &Connection,
    after: u64,
    limit: u32,
) -> Result<Vec<InboxEvent>, StoreError> {
    let sql = "SELECT place, at, deployment, source, id, event_type, body FROM inbox
        WHERE place > ?1 ORDER BY place LIMIT ?2";
    let after = int("a place in the inbox", after)?;
    let rows = all(conn, "read the inbox", sql, (after, limit), |row| {
        let event = Event {
            deployment: row.get(2)?,
            source: row.get(3)?,
            id: row.get(4)?,
            event_type: row.get(5)?,
            body: Value::Null,
        };
        Ok((row.get(0)?, row.get(1)?, event, row.get(6)?))
    })?;
    let each = |(place, at, event, body): (i64, i64, Event, String)| {
        let body = parse("an event", &body)?;
        Ok(InboxEvent {
            offset: count(place),
            at: Timestamp::from_millis(at),
            event: Event { body, ..event },
        })
    };
    rows.into_iter().map(each).collect()
}

/// How far a consumer has read; 0 at first.
pub(crate) fn mark(conn: &Connection, consumer: &str) -> Result<u64, StoreError> {
    let sql = "SELECT upto FROM inbox_mark WHERE consumer = ?1";
    let upto = one(conn, "read a mark", sql, [consumer], |row| row.get(0))?;
    Ok(upto.map_or(0, count))
}

/// Open subscriptions, by id.
pub(crate) fn subscriptions(conn: &Connection) -> Result<Vec<Subscription>, StoreError> {
    let sql = "SELECT id, run, deployment, event_type, since, filter FROM subscription ORDER BY id";
    let rows = all(conn, "read subscriptions", sql, [], |row| {
        let subscription = Subscription {
            id: SubscriptionId::from_bytes(row.get(0)?),
            run: RunId::from_bytes(row.get(1)?),
            deployment: row.get(2)?,
            event_type: row.get(3)?,
            filter: Value::Null,
            from: count(row.get(4)?),
        };
        Ok((subscription, row.get(5)?))
    })?;
    let each = |(subscription, filter): (Subscription, String)| {
        let filter = parse("a filter", &filter)?;
        Ok(Subscription {
            filter,
            ..subscription
        })
    };
    rows.into_iter().map(each).collect()
}

/// Entries that were not sent yet, oldest first.
pub(crate) fn outbox(conn: &Connection, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = "SELECT id, run, sink, body FROM outbox ORDER BY number LIMIT ?1";
    let rows = all(conn, "read the outbox", sql, [limit], |row| {
        let entry = OutboxRow {
            id: row.get(0)?,
            run: RunId::from_bytes(row.get(1)?),
            sink: row.get(2)?,
            body: Value::Null,
        };
        Ok((entry, row.get(3)?))
    })?;
    let each = |(entry, body): (OutboxRow, String)| {
        let body = parse("an entry of the outbox", &body)?;
        Ok(OutboxRow { body, ..entry })
    };
    rows.into_iter().map(each).collect()
}

/// One runtime fact.
pub(crate) fn runtime_get(
    conn: &Connection,
    scope: &str,
    key: &str,
) -> Result<Option<Value>, StoreError> {
    let sql = "SELECT value FROM runtime WHERE scope = ?1 AND key = ?2";
    let text: Option<String> = one(conn, "read a runtime fact", sql, (scope, key), |row| {
        row.get(0)
    })?;
    text.map(|text| parse("a runtime fact", &text)).transpose()
}

/// All runtime facts of a scope, by key.
pub(crate) fn runtime_list(
    conn: &Connection,
    scope: &str,
) -> Result<Vec<(String, Value)>, StoreError> {
    let sql = "SELECT key, value FROM runtime WHERE scope = ?1 ORDER BY key";
    let rows = all(conn, "read runtime facts", sql, [scope], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let each = |(key, text): (String, String)| Ok((key, parse("a runtime fact", &text)?));
    rows.into_iter().map(each).collect()
}
