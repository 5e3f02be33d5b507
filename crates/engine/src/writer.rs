//! The shell around a pure machine: decide, append, wait for the commit, apply. Nothing else writes
//! to a run.

use std::sync::Arc;

use consort_journal::{
    Appended, Batch, Envelope, Epoch, Machine, RunPart, Seq, SnapshotPart, Store, StoreError,
};
use consort_model::Timestamp;
use consort_model::id::RunId;
use consort_model::revision::Principal;

/// A snapshot is written after so many records.
const SNAPSHOT_EVERY: u64 = 200;
/// Records are read in pages of this size.
const PAGE: u32 = 1_000;
/// The form of snapshots that this version writes and reads.
const SNAPSHOT_FORMAT: u16 = 1;

/// The one writer of a run.
pub struct RunWriter<M: Machine> {
    store: Arc<dyn Store>,
    run: RunId,
    principal: Principal,
    epoch: Epoch,
    last: Seq,
    snapshot: Seq,
    last_at: Timestamp,
    machine: M,
    state: M::State,
}

impl<M: Machine> RunWriter<M> {
    /// Takes a run up where its records end: newest readable snapshot and later records.
    ///
    /// # Errors
    /// When the store cannot be read, or holds a record that this version does not know.
    pub async fn load(
        store: Arc<dyn Store>,
        run: RunId,
        principal: Principal,
        machine: M,
        initial: M::State,
    ) -> Result<Self, StoreError> {
        let epoch = store.epoch();
        let found = store
            .run_snapshot(run)
            .await?
            .filter(|snapshot| snapshot.format == SNAPSHOT_FORMAT);
        let restored = found.and_then(|snapshot| {
            serde_json::from_value(snapshot.state)
                .ok()
                .map(|state: M::State| (snapshot.upto, state))
        });
        let (snapshot, mut state) = restored.unwrap_or((Seq(0), initial));
        let (mut last, mut last_at) = (snapshot, Timestamp::default());
        loop {
            let page = store.run_records(run, last, PAGE).await?;
            let full = page.len() == PAGE as usize;
            for (seq, envelope) in page {
                machine.apply(&mut state, &envelope.unwrap()?);
                (last, last_at) = (seq, envelope.at);
            }
            if !full {
                break;
            }
        }
        Ok(Self {
            store,
            run,
            principal,
            epoch,
            last,
            snapshot,
            last_at,
            machine,
            state,
        })
    }

    /// Where the run is.
    pub const fn state(&self) -> &M::State {
        &self.state
    }
    /// What decides.
    pub const fn machine(&self) -> &M {
        &self.machine
    }
    /// Which run.
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// Decides upon an event and makes the records durable, with what `enrich` adds to the batch; the
    /// effects may start when this returns.
    ///
    /// # Errors
    /// When the batch was not written: nothing happened, and no effect may start.
    pub async fn feed(
        &mut self,
        event: &M::Event,
        at: Timestamp,
        enrich: impl FnOnce(&[M::Record], &M::State, &mut Batch),
    ) -> Result<Vec<M::Effect>, StoreError> {
        let decision = self.machine.decide(&self.state, event);
        if decision.records.is_empty() {
            return Ok(decision.effects);
        }
        let at = at.max(self.last_at);
        let mut next = self.state.clone();
        decision
            .records
            .iter()
            .for_each(|record| self.machine.apply(&mut next, record));
        let batch = self.batch(&decision.records, &next, at, enrich)?;
        match self.store.append(batch).await? {
            Appended::Written(seq) => self.last = seq,
            Appended::Existing(run) => {
                return Err(StoreError::Corrupt {
                    what: format!("an append to {} found {run} instead", self.run),
                });
            }
        }
        self.last_at = at;
        if self.last.0 - self.snapshot.0 >= SNAPSHOT_EVERY {
            self.snapshot = self.last;
        }
        self.state = next;
        Ok(decision.effects)
    }

    fn batch(
        &self,
        records: &[M::Record],
        next: &M::State,
        at: Timestamp,
        enrich: impl FnOnce(&[M::Record], &M::State, &mut Batch),
    ) -> Result<Batch, StoreError> {
        let envelopes: Vec<Envelope> = records
            .iter()
            .map(|record| Envelope::wrap(record, at))
            .collect::<Result<_, _>>()?;
        let due = self.last.0 + envelopes.len() as u64 - self.snapshot.0 >= SNAPSHOT_EVERY;
        let snapshot = due
            .then(|| {
                serde_json::to_value(next).map(|state| SnapshotPart {
                    format: SNAPSHOT_FORMAT,
                    state,
                })
            })
            .transpose()
            .map_err(|error| StoreError::Encoding {
                problem: error.to_string(),
            })?;
        let mut batch = Batch::new(self.principal.clone(), at);
        batch.runs.push(RunPart {
            run: self.run,
            create: None,
            epoch: self.epoch,
            expected: self.last,
            records: envelopes,
            status: None,
            snapshot,
        });
        enrich(records, next, &mut batch);
        Ok(batch)
    }
}
