//! Deployments, their state and their revisions, and secrets.

use consort_journal::{Sensitive, StoreError};
use consort_model::id::{DeploymentId, RunId};
use consort_model::revision::{Deployment, Revision, RevisionNumber};
use consort_model::{SecretHandle, StateEntry, Timestamp};
use rusqlite::{Connection, Row};

use super::{all, one, words};
use crate::encode::{parse, sum};
use crate::error::corrupt;
use crate::vault::Vault;

const DOING: &str = "read deployments";

const COLUMNS: &str = "SELECT id, name, target, revision, changing, created FROM deployment";

type Raw = ([u8; 16], String, String, Option<u32>, Option<[u8; 16]>, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
    ))
}

fn typed(raw: Raw) -> Result<Deployment, StoreError> {
    let (id, name, target, revision, changing, created) = raw;
    Ok(Deployment {
        id: DeploymentId::from_bytes(id),
        name,
        target: words::to_target(&target)?,
        revision: revision.map(RevisionNumber),
        changing: changing.map(RunId::from_bytes),
        created: Timestamp::from_millis(created),
    })
}

/// All deployments, by name.
pub(crate) fn list(conn: &Connection) -> Result<Vec<Deployment>, StoreError> {
    let sql = format!("{COLUMNS} ORDER BY name");
    all(conn, DOING, &sql, [], raw)?
        .into_iter()
        .map(typed)
        .collect()
}

/// One deployment.
pub(crate) fn get(conn: &Connection, name: &str) -> Result<Option<Deployment>, StoreError> {
    let sql = format!("{COLUMNS} WHERE name = ?1");
    one(conn, DOING, &sql, [name], raw)?.map(typed).transpose()
}

/// A text and its sum, proved.
fn proved(what: &str, text: String, expected: i64) -> Result<String, StoreError> {
    match sum(&[text.as_bytes()]) == expected {
        true => Ok(text),
        false => Err(corrupt(format!("{what} has a wrong sum"))),
    }
}

/// The recorded state, by address.
pub(crate) fn state(conn: &Connection, deployment: &str) -> Result<Vec<StateEntry>, StoreError> {
    let sql = "SELECT address, body, state.sum FROM state
        JOIN deployment ON deployment.number = state.deployment WHERE name = ?1";
    let rows = all(conn, "read state", sql, [deployment], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let each = |(address, body, sum): (String, String, i64)| {
        let what = format!("the state of {address} in `{deployment}`");
        parse::<StateEntry>(&what, &proved(&what, body, sum)?)
    };
    let mut entries: Vec<_> = rows.into_iter().map(each).collect::<Result<_, _>>()?;
    entries.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(entries)
}

fn revision((number, body, sum): (u32, String, i64)) -> Result<Revision, StoreError> {
    let what = format!("revision r{number}");
    parse(&what, &proved(&what, body, sum)?)
}

/// The revisions, newest first.
pub(crate) fn revisions(conn: &Connection, deployment: &str) -> Result<Vec<Revision>, StoreError> {
    let sql = "SELECT revision.number, body, sum FROM revision
        JOIN deployment ON deployment.number = revision.deployment
        WHERE name = ?1 ORDER BY revision.number DESC";
    let rows = all(conn, "read revisions", sql, [deployment], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    rows.into_iter().map(revision).collect()
}

/// One revision.
pub(crate) fn revision_get(
    conn: &Connection,
    deployment: &str,
    number: RevisionNumber,
) -> Result<Option<Revision>, StoreError> {
    let sql = "SELECT revision.number, body, sum FROM revision
        JOIN deployment ON deployment.number = revision.deployment
        WHERE name = ?1 AND revision.number = ?2";
    one(
        conn,
        "read a revision",
        sql,
        (deployment, number.0),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?
    .map(revision)
    .transpose()
}

/// The value of a secret.
pub(crate) fn secret(
    conn: &Connection,
    vault: &Vault,
    deployment: &str,
    handle: &SecretHandle,
) -> Result<Option<Sensitive>, StoreError> {
    let sql = "SELECT sealed FROM secret WHERE deployment = ?1 AND name = ?2 AND version = ?3";
    let row = (deployment, &handle.name, handle.version);
    let sealed: Option<Vec<u8>> = one(conn, "read a secret", sql, row, |row| row.get(0))?;
    sealed
        .map(|sealed| vault.unseal(deployment, handle, &sealed))
        .transpose()
}

/// The newest version of a secret; 0 if there is none.
pub(crate) fn secret_version(
    conn: &Connection,
    deployment: &str,
    name: &str,
) -> Result<u32, StoreError> {
    let sql = "SELECT coalesce(max(version), 0) FROM secret WHERE deployment = ?1 AND name = ?2";
    let version = one(conn, "read a secret", sql, (deployment, name), |row| {
        row.get(0)
    })?;
    Ok(version.unwrap_or(0))
}
