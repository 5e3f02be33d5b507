//! What can be asked of the file.

pub(crate) mod deployments;
pub(crate) mod messages;
pub(crate) mod runs;
pub(crate) mod words;

use consort_journal::StoreError;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::error::reading;

/// Every row of a question, in its order.
pub(crate) fn all<T>(
    conn: &Connection,
    doing: &'static str,
    sql: &str,
    params: impl Params,
    each: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql).map_err(reading(doing))?;
    let rows = statement.query_map(params, each).map_err(reading(doing))?;
    rows.collect::<Result<_, _>>().map_err(reading(doing))
}

/// The one row of a question, if there is one.
pub(crate) fn one<T>(
    conn: &Connection,
    doing: &'static str,
    sql: &str,
    params: impl Params,
    each: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(params, each).optional())
        .map_err(reading(doing))
}
