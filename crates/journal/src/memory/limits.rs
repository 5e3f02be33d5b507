//! What a store refuses to keep, because it could not be read back.

use consort_model::Value;

use crate::{Batch, StoreError};

/// Deeper JSON is refused: readers of JSON stop at 128 levels.
pub(super) const MAX_DEPTH: usize = 100;

pub(super) fn check(batch: &Batch) -> Result<(), StoreError> {
    let records = batch.runs.iter().flat_map(|part| &part.records);
    records
        .map(|record| &record.body)
        .try_for_each(check_depth)?;
    let states = batch.runs.iter().filter_map(|part| part.snapshot.as_ref());
    states
        .map(|snapshot| &snapshot.state)
        .try_for_each(check_depth)?;
    let facts = batch.runtime.iter().filter_map(|fact| fact.value.as_ref());
    facts
        .chain(batch.outbox.iter().map(|entry| &entry.body))
        .try_for_each(check_depth)
}

pub(super) fn check_depth(value: &Value) -> Result<(), StoreError> {
    if fits(value, MAX_DEPTH) {
        return Ok(());
    }
    Err(StoreError::Encoding {
        problem: format!("a value is nested deeper than {MAX_DEPTH} levels"),
    })
}

fn fits(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left > 0 && items.iter().all(|item| fits(item, left - 1)),
        Value::Object(object) => left > 0 && object.values().all(|item| fits(item, left - 1)),
        _ => true,
    }
}
