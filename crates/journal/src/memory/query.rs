//! What can be asked of the store in memory.

use consort_model::id::RunId;
use consort_model::revision::Revision;
use consort_model::{StateEntry, Timestamp, Value};

use super::tables::{Data, Run, Tables};
use crate::{Envelope, InboxEvent, OutboxRow, RunFilter, RunRow, Seq, StoreError, Timer};

/// As many runs as one list shows at most, and without a wish.
const MOST: usize = 1000;
const USUAL: u32 = 100;

impl Tables {
    pub(super) fn run_by_key(&self, key: &str) -> Option<&Run> {
        self.keys.get(key).and_then(|id| self.runs.get(id))
    }

    pub(super) fn run_list(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        let before = match filter.before {
            None => u64::MAX,
            Some(id) => {
                self.runs
                    .get(&id)
                    .map(|run| run.number)
                    .ok_or_else(|| StoreError::Missing {
                        what: "run",
                        name: id.to_string(),
                    })?
            }
        };
        let mut found: Vec<&Run> = self
            .runs
            .values()
            .filter(|run| run.number < before && fits(filter, &run.row))
            .collect();
        found.sort_by_key(|run| std::cmp::Reverse(run.number));
        found.truncate((filter.limit.unwrap_or(USUAL) as usize).min(MOST));
        Ok(found.into_iter().map(|run| run.row.clone()).collect())
    }

    pub(super) fn run_open(&self) -> Vec<RunRow> {
        let mut open: Vec<&Run> = self
            .runs
            .values()
            .filter(|run| !run.row.summary.status.is_ended())
            .collect();
        open.sort_by_key(|run| run.number);
        open.into_iter().map(|run| run.row.clone()).collect()
    }

    pub(super) fn timer_due(&self, now: Timestamp, limit: u32) -> Vec<Timer> {
        let mut due: Vec<Timer> = self
            .timers
            .iter()
            .filter(|(_, due)| **due <= now)
            .map(|((run, timer), due)| Timer {
                run: *run,
                timer: *timer,
                due: *due,
            })
            .collect();
        due.sort_by_key(|timer| (timer.due, timer.run, timer.timer));
        due.truncate(limit as usize);
        due
    }

    pub(super) fn state_list(&self, deployment: &str) -> Vec<StateEntry> {
        let kept = self.deployments.get(deployment);
        kept.map(|kept| kept.state.values().cloned().collect())
            .unwrap_or_default()
    }

    pub(super) fn revision_list(&self, deployment: &str) -> Vec<Revision> {
        let kept = self.deployments.get(deployment);
        kept.map(|kept| kept.revisions.values().rev().cloned().collect())
            .unwrap_or_default()
    }

    pub(super) fn secret_version(&self, deployment: &str, name: &str) -> u32 {
        let of_name = |key: &&(String, _)| -> bool {
            let (of, handle): &(String, consort_model::SecretHandle) = key;
            of == deployment && handle.name == name
        };
        let versions = self.secrets.keys().filter(of_name);
        versions
            .map(|(_, handle)| handle.version)
            .max()
            .unwrap_or(0)
    }

    pub(super) fn outbox_list(&self, limit: u32) -> Vec<OutboxRow> {
        self.outbox.values().take(limit as usize).cloned().collect()
    }

    pub(super) fn runtime_list(&self, scope: &str) -> Vec<(String, Value)> {
        self.runtime
            .iter()
            .filter(|((of, _), _)| of == scope)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }
}

fn fits(filter: &RunFilter, row: &RunRow) -> bool {
    let RunFilter {
        deployment,
        kind,
        subject,
        status,
        parent,
        before: _,
        limit: _,
    } = filter;
    let summary = &row.summary;
    deployment
        .as_ref()
        .is_none_or(|name| *name == summary.deployment)
        && kind.is_none_or(|kind| kind == summary.kind)
        && (subject.is_none() || *subject == summary.subject)
        && status.is_none_or(|status| status == summary.status)
        && (parent.is_none() || *parent == summary.parent)
}

impl Data {
    pub(super) fn run_records(&self, run: RunId, after: Seq, limit: u32) -> Vec<(Seq, Envelope)> {
        let records = self.records.get(&run).map_or(&[][..], Vec::as_slice);
        (1..)
            .map(Seq)
            .zip(records)
            .skip(usize::try_from(after.0).unwrap_or(usize::MAX))
            .take(limit as usize)
            .map(|(seq, record)| (seq, record.clone()))
            .collect()
    }

    pub(super) fn inbox_read(&self, after: u64, limit: u32) -> Vec<InboxEvent> {
        let later = self.inbox.range(after.saturating_add(1)..);
        later
            .take(limit as usize)
            .map(|(_, event)| event.clone())
            .collect()
    }
}
