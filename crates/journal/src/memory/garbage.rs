//! What retention deletes, and what it keeps; and the check from end to end.

use std::collections::BTreeSet;

use consort_model::id::RunId;
use consort_model::revision::Completeness;
use consort_model::{Digest, Timestamp};
use serde::Serialize;

use super::tables::{Data, Kept, Tables};

impl Data {
    pub(super) fn retain(&mut self, before: Timestamp) -> u64 {
        let mut gone = self.tables.revisions_retain(before);
        for run in self.tables.runs_to_go(before) {
            self.tables.forget(run);
            gone += 1 + self
                .records
                .remove(&run)
                .map_or(0, |records| records.len() as u64);
        }
        gone + self.inbox_retain(before) + self.blobs_retain()
    }

    fn inbox_retain(&mut self, before: Timestamp) -> u64 {
        let Some(read) = self.tables.marks.values().min().copied() else {
            return 0;
        };
        let old: Vec<u64> = self
            .inbox
            .range(..=read)
            .filter(|(_, event)| event.at < before)
            .map(|(offset, _)| *offset)
            .collect();
        old.iter().for_each(|offset| self.forget_event(*offset));
        old.len() as u64
    }

    fn blobs_retain(&mut self) -> u64 {
        let mut marked = BTreeSet::new();
        let mut open: Vec<Digest> = self.roots().into_iter().collect();
        while let Some(digest) = open.pop() {
            if let Some(bytes) = self.blobs.get(&digest)
                && marked.insert(digest)
            {
                open.extend(digests_in(&String::from_utf8_lossy(bytes)));
            }
        }
        let before = self.blobs.len();
        self.blobs.retain(|digest, _| marked.contains(digest));
        (before - self.blobs.len()) as u64
    }

    /// Every digest that anything names. What only looks like one keeps a blob in vain; that is
    /// better than the other way round.
    fn roots(&self) -> BTreeSet<Digest> {
        let tables = &self.tables;
        let mut found = BTreeSet::new();
        found.extend(tables.runs.values().map(|run| run.row.summary.definition));
        let mut read = |text: String| found.extend(digests_in(&text));
        for kept in tables.deployments.values() {
            kept.state.values().for_each(|entry| read(text(entry)));
            kept.revisions
                .values()
                .for_each(|revision| read(text(revision)));
        }
        self.records
            .values()
            .for_each(|records| read(text(records)));
        self.inbox
            .values()
            .for_each(|event| read(text(&event.event.body)));
        tables
            .snapshots
            .values()
            .for_each(|snapshot| read(text(&snapshot.state)));
        tables.outbox.values().for_each(|row| read(text(&row.body)));
        tables.runtime.values().for_each(|value| read(text(value)));
        tables
            .subscriptions
            .values()
            .for_each(|row| read(text(&row.filter)));
        found
    }

    pub(super) fn verify(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (id, run) in &self.tables.runs {
            let there = self.records.get(id).map_or(0, Vec::len) as u64;
            if there != run.row.last.0 {
                found.push(format!(
                    "{id} has {there} records and counts {}",
                    run.row.last
                ));
            }
        }
        for (digest, bytes) in &self.blobs {
            if Digest::of(bytes) != *digest {
                found.push(format!(
                    "blob {digest} has other bytes than its digest says"
                ));
            }
        }
        found
    }
}

impl Tables {
    /// Keeps of each deployment the newest revision, the newest complete one, and the later ones.
    fn revisions_retain(&mut self, before: Timestamp) -> u64 {
        self.deployments
            .values_mut()
            .map(|kept| revisions_retain(kept, before))
            .sum()
    }

    fn runs_to_go(&self, before: Timestamp) -> Vec<RunId> {
        let named: BTreeSet<RunId> = self
            .deployments
            .values()
            .flat_map(|kept| kept.revisions.values().map(|revision| revision.run))
            .collect();
        let parent_is_open = |parent: RunId| {
            self.runs
                .get(&parent)
                .is_some_and(|run| !run.row.summary.status.is_ended())
        };
        self.runs
            .iter()
            .filter(|(id, run)| {
                let summary = &run.row.summary;
                summary.ended.is_some_and(|ended| ended < before)
                    && !named.contains(id)
                    && !summary.parent.is_some_and(parent_is_open)
            })
            .map(|(id, _)| *id)
            .collect()
    }

    fn forget(&mut self, run: RunId) {
        if let Some(key) = self.runs.remove(&run).and_then(|run| run.key) {
            self.keys.remove(&key.key);
        }
        self.snapshots.remove(&run);
        self.outbox.retain(|_, row| row.run != run);
    }
}

fn revisions_retain(kept: &mut Kept, before: Timestamp) -> u64 {
    let newest = kept.revisions.keys().next_back().copied();
    let complete = |revision: &&consort_model::revision::Revision| {
        revision.completeness == Completeness::Complete
    };
    let good = kept
        .revisions
        .values()
        .rev()
        .find(complete)
        .map(|revision| revision.number.0);
    let there = kept.revisions.len();
    kept.revisions.retain(|number, revision| {
        revision.at >= before || Some(*number) == newest || Some(*number) == good
    });
    (there - kept.revisions.len()) as u64
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn digests_in(text: &str) -> Vec<Digest> {
    text.split(|c: char| !c.is_ascii_hexdigit())
        .filter_map(|word| word.parse().ok())
        .collect()
}
