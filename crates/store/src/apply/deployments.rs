//! Deployments: which run may change one, and its revisions.

use consort_journal::{DeploymentChange, StoreError};
use consort_model::id::RunId;
use consort_model::revision::{Completeness, Revision};
use rusqlite::OptionalExtension;

use super::runs;
use crate::error::{failed, missing, writing};
use crate::prepared::PreparedBatch;
use crate::read::words;
use crate::writer::Session;

const DOING: &str = "change a deployment";

/// Carries a change out, but a removal: that comes last. Answers the deployment's name.
pub(super) fn change<'a>(
    session: &Session<'_>,
    change: &'a DeploymentChange,
    text: &str,
    sum: i64,
) -> Result<&'a String, StoreError> {
    match change {
        DeploymentChange::Create {
            id,
            name,
            target,
            created,
        } => {
            let sql = "INSERT INTO deployment (id, name, target, created) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (name) DO NOTHING";
            let row = (
                id.as_bytes(),
                name,
                words::target(*target),
                created.millis(),
            );
            session.execute(DOING, sql, row)?;
            Ok(name)
        }
        DeploymentChange::Lock { name, run } => {
            lock(session, name, run)?;
            Ok(name)
        }
        DeploymentChange::Unlock { name, run } => {
            let sql = "UPDATE deployment SET changing = NULL WHERE name = ?1 AND changing = ?2";
            session.execute(DOING, sql, (name, run.as_bytes()))?;
            Ok(name)
        }
        DeploymentChange::Revise { name, revision } => {
            revise(session, name, revision, text, sum)?;
            Ok(name)
        }
        DeploymentChange::Remove { name } => Ok(name),
    }
}

/// The number of a deployment in other tables.
pub(super) fn number(session: &Session<'_>, name: &str) -> Result<i64, StoreError> {
    session
        .statement(DOING, "SELECT number FROM deployment WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
        .map_err(writing(DOING))?
        .ok_or_else(|| missing("deployment", name))
}

/// The run that holds a deployment, if it has not ended.
fn holder(session: &Session<'_>, name: &str) -> Result<Option<RunId>, StoreError> {
    let sql = "SELECT run.id FROM deployment JOIN run ON run.id = deployment.changing
        WHERE deployment.name = ?1 AND run.ended IS NULL";
    session
        .statement(DOING, sql)?
        .query_row([name], |row| row.get(0).map(RunId::from_bytes))
        .optional()
        .map_err(writing(DOING))
}

fn busy(name: &str, run: RunId) -> StoreError {
    StoreError::Busy {
        deployment: name.to_owned(),
        run,
    }
}

fn lock(session: &Session<'_>, name: &str, run: &RunId) -> Result<(), StoreError> {
    runs::known(session, run)?;
    if let Some(holder) = holder(session, name)?.filter(|holder| holder != run) {
        return Err(busy(name, holder));
    }
    let sql = "UPDATE deployment SET changing = ?2 WHERE name = ?1";
    match session.execute(DOING, sql, (name, run.as_bytes()))? {
        0 => Err(missing("deployment", name)),
        _ => Ok(()),
    }
}

/// The new revision becomes current only if the one that it follows is: the statement compares and
/// sets at once.
pub(crate) const REVISE: &str = "UPDATE deployment SET revision = ?2
    WHERE number = ?1 AND coalesce(revision, 0) = ?2 - 1";

fn revise(
    session: &Session<'_>,
    name: &str,
    revision: &Revision,
    text: &str,
    sum: i64,
) -> Result<(), StoreError> {
    let doing = "record a revision";
    let deployment = number(session, name)?;
    let next = revision.number.0;
    if session.execute(doing, REVISE, (deployment, next))? == 0 {
        return Err(failed(
            doing,
            format!(
                "`{name}` has another newest revision than the one before {}",
                revision.number
            ),
        ));
    }
    let sql = "INSERT INTO revision (deployment, number, run, complete, at, body, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let complete = revision.completeness == Completeness::Complete;
    let run = revision.run.as_bytes();
    let row = (
        deployment,
        next,
        run,
        complete,
        revision.at.millis(),
        text,
        sum,
    );
    session.execute(doing, sql, row).map(drop)
}

/// Removes a deployment with its revisions and secrets.
pub(super) fn remove(
    session: &Session<'_>,
    name: &str,
    batch: &PreparedBatch,
) -> Result<(), StoreError> {
    let doing = "remove a deployment";
    let own = |holder: &RunId| batch.runs.iter().any(|part| part.run == *holder);
    if let Some(holder) = holder(session, name)?.filter(|holder| !own(holder)) {
        return Err(busy(name, holder));
    }
    let sql = "SELECT count(*) FROM state JOIN deployment ON state.deployment = deployment.number
        WHERE deployment.name = ?1";
    let recorded: i64 = session
        .statement(doing, sql)?
        .query_row([name], |row| row.get(0))
        .map_err(writing(doing))?;
    if recorded > 0 {
        return Err(failed(
            doing,
            format!("state of {recorded} nodes of `{name}` is recorded"),
        ));
    }
    session.execute(doing, "DELETE FROM deployment WHERE name = ?1", [name])?;
    session.execute(doing, "DELETE FROM secret WHERE deployment = ?1", [name])?;
    Ok(())
}
