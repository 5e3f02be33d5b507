//! What a batch changes, and why it may be refused.

use std::collections::{BTreeMap, BTreeSet};

use consort_model::id::RunId;
use consort_model::revision::{Deployment, Principal, RevisionNumber};
use consort_model::run::{RunStatus, RunSummary};
use consort_model::{StateEntry, Timestamp};

use super::tables::{Kept, Run, Tables};
use crate::{
    Batch, Change, DeploymentChange, NewRun, NewSecret, OutboxEntry, RunPart, RunRow, Seq,
    Snapshot, StateChange, StatusChange, StoreError, Subscription, SubscriptionChange, TimerChange,
};

fn missing(what: &'static str, name: impl ToString) -> StoreError {
    StoreError::Missing {
        what,
        name: name.to_string(),
    }
}

fn failed(doing: &'static str, problem: String) -> StoreError {
    StoreError::Failed { doing, problem }
}

impl Tables {
    /// The run that the first key of the batch has begun before.
    pub(super) fn begun_before(&self, batch: &Batch) -> Result<Option<RunId>, StoreError> {
        let first = batch.runs.first().and_then(|part| part.create.as_ref());
        let Some(key) = first.and_then(|new| new.key.as_ref()) else {
            return Ok(None);
        };
        let Some(run) = self.run_by_key(&key.key) else {
            return Ok(None);
        };
        match &run.key {
            Some(existing) if existing.digest != key.digest => Err(StoreError::KeyConflict {
                key: key.key.clone(),
                existing: existing.digest,
                given: key.digest,
            }),
            _ => Ok(Some(run.row.summary.id)),
        }
    }

    /// Carries a batch out, on a copy: after an error the copy is of no use.
    pub(super) fn apply(&mut self, batch: &Batch) -> Result<(Seq, Vec<Change>), StoreError> {
        let mut changes = Vec::new();
        for part in &batch.runs {
            let last = self.run_part(part, &batch.principal, batch.at)?;
            changes.push(Change::Run(part.run, last));
        }
        let mut touched = BTreeSet::new();
        for change in &batch.deployments {
            touched.insert(self.deployment(change)?.to_owned());
        }
        for (name, change) in &batch.state {
            self.state(name, change)?;
            touched.insert(name.clone());
        }
        batch
            .secrets
            .iter()
            .try_for_each(|secret| self.secret(secret))?;
        batch
            .timers
            .iter()
            .try_for_each(|change| self.timer(change))?;
        batch
            .subscriptions
            .iter()
            .try_for_each(|change| self.subscription(change))?;
        self.messages(batch)?;
        for change in &batch.deployments {
            if let DeploymentChange::Remove { name } = change {
                self.deployment_remove(name, batch)?;
            }
        }
        self.end(batch);
        changes.extend(touched.into_iter().map(Change::State));
        changes.extend(first_timer(batch).map(Change::Timer));
        let first = batch.runs.first().and_then(|part| self.runs.get(&part.run));
        Ok((first.map(|run| run.row.last).unwrap_or_default(), changes))
    }

    fn run_part(
        &mut self,
        part: &RunPart,
        principal: &Principal,
        at: Timestamp,
    ) -> Result<Seq, StoreError> {
        let existing = self.runs.get(&part.run);
        match (&part.create, existing) {
            (Some(new), None) => self.run_create(part, new, principal)?,
            (None, None) => return Err(missing("run", part.run)),
            (_, Some(run)) => fence(part, run)?,
        }
        let run = self
            .runs
            .get_mut(&part.run)
            .ok_or_else(|| missing("run", part.run))?;
        run.row.epoch = run.row.epoch.max(part.epoch);
        run.row.last = Seq(run.row.last.0 + part.records.len() as u64);
        if let Some(StatusChange { status, error }) = &part.status {
            let summary = &mut run.row.summary;
            summary.status = *status;
            summary.error.clone_from(error);
            summary.ended = status.is_ended().then(|| summary.ended.unwrap_or(at));
        }
        let last = run.row.last;
        if let Some(snapshot) = &part.snapshot {
            self.snapshots.insert(
                part.run,
                Snapshot {
                    upto: last,
                    format: snapshot.format,
                    state: snapshot.state.clone(),
                },
            );
        }
        Ok(last)
    }

    fn run_create(
        &mut self,
        part: &RunPart,
        new: &NewRun,
        principal: &Principal,
    ) -> Result<(), StoreError> {
        if new.id != part.run {
            return Err(failed(
                "begin a run",
                format!("{} is named {}", part.run, new.id),
            ));
        }
        if part.expected != Seq(0) {
            return Err(StoreError::OutOfOrder {
                run: part.run,
                current: Seq(0),
                expected: part.expected,
            });
        }
        if let Some(key) = &new.key {
            if let Some(existing) = self.run_by_key(&key.key).and_then(|run| run.key.as_ref()) {
                return Err(StoreError::KeyConflict {
                    key: key.key.clone(),
                    existing: existing.digest,
                    given: key.digest,
                });
            }
            self.keys.insert(key.key.clone(), new.id);
        }
        self.recorded += 1;
        let run = Run {
            number: self.recorded,
            row: RunRow {
                summary: summary(new, principal),
                last: Seq(0),
                epoch: part.epoch,
            },
            key: new.key.clone(),
        };
        self.runs.insert(new.id, run);
        Ok(())
    }

    fn run_known(&self, run: &RunId) -> Result<(), StoreError> {
        match self.runs.contains_key(run) {
            true => Ok(()),
            false => Err(missing("run", run)),
        }
    }

    fn kept(&mut self, name: &str) -> Result<&mut Kept, StoreError> {
        self.deployments
            .get_mut(name)
            .ok_or_else(|| missing("deployment", name))
    }

    /// The run that holds a deployment, if it has not ended.
    fn holder(&self, name: &str) -> Option<RunId> {
        let holder = self.deployments.get(name)?.row.changing?;
        let run = self.runs.get(&holder)?;
        (!run.row.summary.status.is_ended()).then_some(holder)
    }

    fn deployment<'a>(&mut self, change: &'a DeploymentChange) -> Result<&'a str, StoreError> {
        match change {
            DeploymentChange::Create {
                id,
                name,
                target,
                created,
            } => {
                self.deployments
                    .entry(name.clone())
                    .or_insert_with(|| Kept {
                        row: Deployment {
                            id: *id,
                            name: name.clone(),
                            target: *target,
                            revision: None,
                            changing: None,
                            created: *created,
                        },
                        state: BTreeMap::new(),
                        revisions: BTreeMap::new(),
                    });
                Ok(name)
            }
            DeploymentChange::Lock { name, run } => {
                self.run_known(run)?;
                if let Some(holder) = self.holder(name).filter(|holder| holder != run) {
                    return Err(busy(name, holder));
                }
                self.kept(name)?.row.changing = Some(*run);
                Ok(name)
            }
            DeploymentChange::Unlock { name, run } => {
                if let Some(kept) = self.deployments.get_mut(name) {
                    kept.row.changing = kept.row.changing.filter(|holder| holder != run);
                }
                Ok(name)
            }
            DeploymentChange::Revise { name, revision } => {
                let kept = self.kept(name)?;
                let next = kept.row.revision.map_or(1, |newest| newest.0 + 1);
                if revision.number.0 != next {
                    let problem =
                        format!("`{name}` is due for r{next}, not for {}", revision.number);
                    return Err(failed("record a revision", problem));
                }
                kept.row.revision = Some(RevisionNumber(next));
                kept.revisions.insert(next, (**revision).clone());
                Ok(name)
            }
            DeploymentChange::Remove { name } => Ok(name),
        }
    }

    fn deployment_remove(&mut self, name: &str, batch: &Batch) -> Result<(), StoreError> {
        let own = |holder: &RunId| batch.runs.iter().any(|part| part.run == *holder);
        if let Some(holder) = self.holder(name).filter(|holder| !own(holder)) {
            return Err(busy(name, holder));
        }
        let recorded = self
            .deployments
            .get(name)
            .map_or(0, |kept| kept.state.len());
        if recorded > 0 {
            let problem = format!("state of {recorded} nodes of `{name}` is recorded");
            return Err(failed("remove a deployment", problem));
        }
        self.deployments.remove(name);
        self.secrets.retain(|(of, _), _| of != name);
        Ok(())
    }

    fn state(&mut self, name: &str, change: &StateChange) -> Result<(), StoreError> {
        let state = &mut self.kept(name)?.state;
        match change {
            StateChange::Put(entry) => {
                let recorded = state.get(&entry.address);
                check_generation(entry, recorded)?;
                state.insert(entry.address.clone(), (**entry).clone());
            }
            StateChange::Remove(address) => {
                state.remove(address);
            }
        }
        Ok(())
    }

    fn secret(&mut self, secret: &NewSecret) -> Result<(), StoreError> {
        let NewSecret {
            deployment,
            handle,
            value,
        } = secret;
        let key = (deployment.clone(), handle.clone());
        if handle.version == 0 || self.secrets.contains_key(&key) {
            let problem = format!("version {handle} is there already, or is 0");
            return Err(failed("keep a secret", problem));
        }
        self.secrets.insert(key, value.clone());
        Ok(())
    }

    fn timer(&mut self, change: &TimerChange) -> Result<(), StoreError> {
        match change {
            TimerChange::Set { run, timer, due } => {
                self.run_known(run)?;
                self.timers.insert((*run, *timer), *due);
            }
            TimerChange::Clear { run, timer } => {
                self.timers.remove(&(*run, *timer));
            }
        }
        Ok(())
    }

    fn subscription(&mut self, change: &SubscriptionChange) -> Result<(), StoreError> {
        match change {
            SubscriptionChange::Open {
                id,
                run,
                deployment,
                event_type,
                filter,
                from,
            } => {
                self.run_known(run)?;
                let subscription = Subscription {
                    id: *id,
                    run: *run,
                    deployment: deployment.clone(),
                    event_type: event_type.clone(),
                    filter: filter.clone(),
                    from: *from,
                };
                self.subscriptions.insert(*id, subscription);
            }
            SubscriptionChange::Close { id } => {
                self.subscriptions.remove(id);
            }
        }
        Ok(())
    }

    fn messages(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for mark in &batch.inbox {
            let upto = self.marks.entry(mark.consumer.clone()).or_default();
            *upto = mark.upto.max(*upto);
        }
        for OutboxEntry {
            id,
            run,
            sink,
            body,
        } in &batch.outbox
        {
            self.run_known(run)?;
            if self.outbox.values().any(|row| row.id == *id) {
                continue;
            }
            self.sent_out += 1;
            let row = crate::OutboxRow {
                id: id.clone(),
                run: *run,
                sink: sink.clone(),
                body: body.clone(),
            };
            self.outbox.insert(self.sent_out, row);
        }
        self.outbox.retain(|_, row| !batch.sent.contains(&row.id));
        for fact in &batch.runtime {
            let key = (fact.scope.clone(), fact.key.clone());
            match &fact.value {
                Some(value) => self.runtime.insert(key, value.clone()),
                None => self.runtime.remove(&key),
            };
        }
        Ok(())
    }

    /// A run that has ended waits for nothing and holds nothing.
    fn end(&mut self, batch: &Batch) {
        let ended: BTreeSet<RunId> = batch
            .runs
            .iter()
            .filter(|part| part.status.as_ref().is_some_and(|to| to.status.is_ended()))
            .map(|part| part.run)
            .collect();
        if ended.is_empty() {
            return;
        }
        self.timers.retain(|(run, _), _| !ended.contains(run));
        self.subscriptions
            .retain(|_, subscription| !ended.contains(&subscription.run));
        for kept in self.deployments.values_mut() {
            kept.row.changing = kept.row.changing.filter(|run| !ended.contains(run));
        }
    }
}

fn busy(name: &str, run: RunId) -> StoreError {
    StoreError::Busy {
        deployment: name.to_owned(),
        run,
    }
}

fn fence(part: &RunPart, run: &Run) -> Result<(), StoreError> {
    if part.epoch < run.row.epoch {
        return Err(StoreError::Fenced {
            run: part.run,
            current: run.row.epoch,
            given: part.epoch,
        });
    }
    if part.expected != run.row.last {
        return Err(StoreError::OutOfOrder {
            run: part.run,
            current: run.row.last,
            expected: part.expected,
        });
    }
    match part.create {
        Some(_) => Err(failed(
            "begin a run",
            format!("{} is there already", part.run),
        )),
        None => Ok(()),
    }
}

fn check_generation(entry: &StateEntry, recorded: Option<&StateEntry>) -> Result<(), StoreError> {
    let given = entry.generation;
    let right = match recorded {
        Some(recorded) => given == recorded.generation.next(),
        None => given.0 >= 1,
    };
    if right {
        return Ok(());
    }
    let recorded = recorded.map_or_else(
        || "nothing".to_owned(),
        |entry| entry.generation.to_string(),
    );
    let problem = format!(
        "{} is recorded with {recorded}; {given} does not follow",
        entry.address
    );
    Err(failed("record the state of a node", problem))
}

fn summary(new: &NewRun, principal: &Principal) -> RunSummary {
    RunSummary {
        id: new.id,
        kind: new.kind,
        deployment: new.deployment.clone(),
        subject: new.subject.clone(),
        status: RunStatus::Pending,
        definition: new.definition,
        principal: principal.clone(),
        parent: new.parent,
        created: new.created,
        ended: None,
        error: None,
    }
}

fn first_timer(batch: &Batch) -> Option<Timestamp> {
    let set = batch.timers.iter().filter_map(|change| match change {
        TimerChange::Set { due, .. } => Some(*due),
        TimerChange::Clear { .. } => None,
    });
    set.min()
}
