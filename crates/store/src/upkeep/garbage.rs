//! Garbage collection of blobs.
//!
//! Marking reads a snapshot of the file and follows every digest that anything names, also through
//! blobs. From before that snapshot is taken until the end, the writer notes what new batches name,
//! so that a blob that was found unnamed and is named just now is kept too.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use consort_journal::StoreError;
use consort_model::Digest;
use rusqlite::{Connection, OptionalExtension};

use super::names;
use crate::error::{reading, writing};
use crate::sqlite::Upkeep;
use crate::writer::Session;
use crate::{blobs, home};

/// Blobs in one slice.
const SLICE: usize = 200;
/// Larger blobs are taken for programs and not searched for digests.
const MAX_SEARCHED: i64 = 64 << 20;

/// Every text that may name a blob.
const TEXTS: [&str; 8] = [
    "SELECT body FROM record WHERE run IN (SELECT number FROM run)",
    "SELECT state FROM snapshot",
    "SELECT body FROM state",
    "SELECT body FROM revision",
    "SELECT filter FROM subscription",
    "SELECT body FROM inbox",
    "SELECT body FROM outbox",
    "SELECT value FROM runtime",
];

/// Deletes blobs that nothing names and that are older than their grace; answers how many.
pub(super) fn collect(store: &Upkeep) -> Result<usize, StoreError> {
    store.write(|session| {
        session.note_names(true);
        Ok(())
    })?;
    let collected = unnamed(store).and_then(|unnamed| sweep(store, unnamed));
    store.write(|session| {
        session.note_names(false);
        Ok(())
    })?;
    remove_orphans(store)?;
    collected
}

fn unnamed(store: &Upkeep) -> Result<Vec<Digest>, StoreError> {
    let doing = "look for blobs that nothing names";
    let conn = store.reader()?;
    let snapshot = conn.unchecked_transaction().map_err(reading(doing))?;
    let marked = mark(&snapshot, store)?;
    let cutoff = store.blob_cutoff();
    let mut statement = snapshot
        .prepare("SELECT digest FROM blob WHERE at < ?1")
        .map_err(reading(doing))?;
    let old = statement
        .query_map([cutoff], |row| row.get(0).map(Digest::from_bytes))
        .map_err(reading(doing))?;
    let mut unnamed = Vec::new();
    for digest in old {
        let digest = digest.map_err(reading(doing))?;
        if !marked.contains(&digest) {
            unnamed.push(digest);
        }
    }
    Ok(unnamed)
}

/// What is named, directly or through blobs.
fn mark(conn: &Connection, store: &Upkeep) -> Result<BTreeSet<Digest>, StoreError> {
    let doing = "look for what is named";
    let mut open = BTreeSet::new();
    for sql in TEXTS {
        let mut statement = conn.prepare(sql).map_err(reading(doing))?;
        let mut rows = statement.query([]).map_err(reading(doing))?;
        while let Some(row) = rows.next().map_err(reading(doing))? {
            let text = row.get_ref(0).map_err(reading(doing))?;
            names::collect(text.as_bytes().unwrap_or_default(), &mut open);
        }
    }
    let mut statement = conn
        .prepare("SELECT definition FROM run")
        .map_err(reading(doing))?;
    let definitions = statement
        .query_map([], |row| row.get(0).map(Digest::from_bytes))
        .map_err(reading(doing))?;
    for definition in definitions {
        open.insert(definition.map_err(reading(doing))?);
    }
    let mut marked = BTreeSet::new();
    while let Some(digest) = open.pop_first() {
        if marked.insert(digest) && is_searched(conn, &digest)? {
            let bytes = blobs::get(conn, store.dir(), &digest)?.unwrap_or_default();
            let mut inside = BTreeSet::new();
            names::collect(&bytes, &mut inside);
            open.extend(inside.difference(&marked));
        }
    }
    Ok(marked)
}

fn is_searched(conn: &Connection, digest: &Digest) -> Result<bool, StoreError> {
    let sql = "SELECT size FROM blob WHERE digest = ?1";
    let size: Option<i64> = conn
        .prepare_cached(sql)
        .and_then(|mut found| {
            found
                .query_row([digest.as_bytes()], |row| row.get(0))
                .optional()
        })
        .map_err(reading("look at a blob"))?;
    Ok(size.is_some_and(|size| size <= MAX_SEARCHED))
}

fn sweep(store: &Upkeep, unnamed: Vec<Digest>) -> Result<usize, StoreError> {
    let cutoff = store.blob_cutoff();
    let mut gone = 0;
    for slice in unnamed.chunks(SLICE) {
        let slice = slice.to_vec();
        gone += store.write(move |session| delete(session, &slice, cutoff))?;
    }
    Ok(gone)
}

fn delete(session: &mut Session<'_>, slice: &[Digest], cutoff: i64) -> Result<usize, StoreError> {
    let sql = "DELETE FROM blob WHERE digest = ?1 AND at < ?2";
    let mut gone = 0;
    for digest in slice {
        if !session.was_named(digest) {
            gone += session.execute("delete a blob", sql, (digest.as_bytes(), cutoff))?;
        }
    }
    Ok(gone)
}

/// Removes files that no row names: of blobs that were just deleted, and of writes that were cut
/// off. By the writer's thread, between two of its pieces of work: see `blobs`.
fn remove_orphans(store: &Upkeep) -> Result<(), StoreError> {
    let grace = store.blob_grace();
    for slice in blobs::files(store.dir())?.chunks(SLICE) {
        let slice = slice.to_vec();
        store.write(move |session| {
            let sql = "SELECT 1 FROM blob WHERE digest = ?1";
            for (digest, path) in &slice {
                let named = session
                    .statement("look for a blob", sql)?
                    .exists([digest.as_bytes()])
                    .map_err(writing("look for a blob"))?;
                if !named && is_older(path, grace) {
                    home::remove_if_there(path)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn is_older(path: &std::path::Path, grace: Duration) -> bool {
    let written = path.metadata().and_then(|file| file.modified());
    written.is_ok_and(|written| {
        SystemTime::now()
            .duration_since(written)
            .is_ok_and(|age| age >= grace)
    })
}
