//! The recorded state of nodes, and secrets.

use consort_journal::StoreError;
use consort_model::Generation;
use rusqlite::OptionalExtension;

use super::deployments;
use crate::encode::count;
use crate::error::{failed, writing};
use crate::prepared::{PreparedBatch, PreparedState, SealedSecret};
use crate::writer::Session;

const DOING: &str = "record the state of a node";

pub(super) fn change(
    session: &Session<'_>,
    name: &str,
    change: &PreparedState,
    principal: &str,
) -> Result<(), StoreError> {
    let deployment = deployments::number(session, name)?;
    match change {
        PreparedState::Remove(address) => {
            let sql = "DELETE FROM state WHERE deployment = ?1 AND address = ?2";
            session.execute(DOING, sql, (deployment, address)).map(drop)
        }
        PreparedState::Put {
            address,
            generation,
            body,
            sum,
        } => {
            check_generation(session, deployment, address, *generation)?;
            let sql = "INSERT INTO state (deployment, address, generation, principal, body, sum)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                ON CONFLICT (deployment, address) DO UPDATE SET generation = excluded.generation,
                principal = excluded.principal, body = excluded.body, sum = excluded.sum";
            let row = (deployment, address, generation, principal, body, sum);
            session.execute(DOING, sql, row).map(drop)
        }
    }
}

fn check_generation(
    session: &Session<'_>,
    deployment: i64,
    address: &str,
    given: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT generation FROM state WHERE deployment = ?1 AND address = ?2";
    let recorded: Option<i64> = session
        .statement(DOING, sql)?
        .query_row((deployment, address), |row| row.get(0))
        .optional()
        .map_err(writing(DOING))?;
    let right = match recorded {
        Some(recorded) => given == recorded + 1,
        None => given >= 1,
    };
    if right {
        return Ok(());
    }
    let shown = |generation| Generation(count(generation)).to_string();
    let recorded = recorded.map_or_else(|| "nothing".to_owned(), shown);
    let given = shown(given);
    Err(failed(
        DOING,
        format!("{address} is recorded with {recorded}; {given} does not follow"),
    ))
}

pub(super) fn secret(
    session: &Session<'_>,
    secret: &SealedSecret,
    batch: &PreparedBatch,
) -> Result<(), StoreError> {
    let doing = "keep a secret";
    let SealedSecret {
        deployment,
        name,
        version,
        sealed,
    } = secret;
    let sql = "INSERT INTO secret (deployment, name, version, sealed, at, principal)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let row = (
        deployment,
        name,
        version,
        sealed,
        batch.at,
        &batch.principal,
    );
    if *version == 0 || session.execute(doing, sql, row)? == 0 {
        let problem = format!("version {name}@{version} is there already, or is 0");
        return Err(failed(doing, problem));
    }
    Ok(())
}
