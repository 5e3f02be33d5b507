//! What a batch changes, and why it may be refused. Runs inside a savepoint: an error takes back
//! everything that was done before it.

mod deployments;
mod messages;
mod runs;
mod state;

use std::collections::BTreeSet;

use consort_journal::{Appended, Change, DeploymentChange, StoreError, TimerChange};
use consort_model::Timestamp;

use crate::blobs;
use crate::prepared::{PreparedBatch, seq};
use crate::upkeep::names;
use crate::writer::Session;

pub(crate) use messages::{PreparedEvent, inbox_put};

/// Writes a batch. `now` is the clock of the store, for the grace of blobs.
pub(crate) fn batch(
    session: &mut Session<'_>,
    batch: &PreparedBatch,
    now: i64,
) -> Result<Appended, StoreError> {
    if let Some(run) = runs::begun_before(session, batch)? {
        return Ok(Appended::Existing(run));
    }
    note_names(session, batch);
    let mut first = None;
    for part in &batch.runs {
        let last = runs::append(session, part, batch)?;
        session.tell(Change::Run(part.run, seq(last)));
        first.get_or_insert(part.run);
    }
    let mut touched = BTreeSet::new();
    for (change, text, sum) in &batch.deployments {
        touched.insert(deployments::change(session, change, text, *sum)?);
    }
    for (name, change) in &batch.state {
        state::change(session, name, change, &batch.principal)?;
        touched.insert(name);
    }
    for secret in &batch.secrets {
        state::secret(session, secret, batch)?;
    }
    for blob in &batch.blobs {
        blobs::insert(session, &blob.digest, &blob.bytes, now)?;
    }
    messages::write(session, batch)?;
    for (change, _, _) in &batch.deployments {
        if let DeploymentChange::Remove { name } = change {
            deployments::remove(session, name, batch)?;
        }
    }
    runs::end(session, batch)?;
    for name in touched {
        session.tell(Change::State(name.to_owned()));
    }
    if let Some(due) = first_timer(batch) {
        session.tell(Change::Timer(due));
    }
    let last = first
        .and_then(|run| session.run(&run))
        .map_or(0, |run| run.last);
    Ok(Appended::Written(seq(last)))
}

fn note_names(session: &mut Session<'_>, batch: &PreparedBatch) {
    session.note(|named| {
        batch
            .texts()
            .for_each(|text| names::collect(text.as_bytes(), named));
        let created = batch.runs.iter().filter_map(|part| part.create.as_ref());
        named.extend(created.map(|new| new.definition));
    });
}

fn first_timer(batch: &PreparedBatch) -> Option<Timestamp> {
    let set = batch.timers.iter().filter_map(|change| match change {
        TimerChange::Set { due, .. } => Some(*due),
        TimerChange::Clear { .. } => None,
    });
    set.min()
}
