//! The set, its generations, and the choice.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use super::{Lease, Observed, Target};
use crate::balance::choose;
use crate::protocol::{Event, ListenerKey, TargetCounts, TargetSpec, TargetState};

/// Why targets were not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A later generation is in force.
    Older { current: u64 },
    /// This generation is in force with other targets.
    Differs { current: u64 },
}

/// What is recorded of a set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Restore {
    pub(crate) generation: Option<u64>,
    pub(crate) targets: Vec<TargetSpec>,
}

/// The targets of one listener.
#[derive(Debug)]
pub(crate) struct TargetSet {
    key: ListenerKey,
    inner: Mutex<Inner>,
    any_ready: watch::Sender<bool>,
    events: broadcast::Sender<Event>,
}

#[derive(Debug, Default)]
struct Inner {
    generation: Option<u64>,
    /// As the last request said it, to tell a repeated request from a different one.
    requested: Vec<TargetSpec>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    spec: TargetSpec,
    target: Arc<Target>,
    observed: Observed,
    /// The shim said that its instance is about to stop.
    shim_drains: bool,
}

impl Entry {
    fn is_ready(&self) -> bool {
        !self.shim_drains
            && match (self.spec.state, self.observed) {
                (TargetState::Draining, _) | (_, Observed::Pending | Observed::Ready(false)) => {
                    false
                }
                (TargetState::Ready, Observed::Nothing | Observed::Ready(true)) => true,
                (TargetState::Waiting, Observed::Nothing) => false,
                (TargetState::Waiting, Observed::Ready(true)) => true,
            }
    }
}

impl TargetSet {
    pub(crate) fn new(key: ListenerKey, events: broadcast::Sender<Event>) -> Arc<Self> {
        Arc::new(Self {
            key,
            inner: Mutex::default(),
            any_ready: watch::Sender::new(false),
            events,
        })
    }

    /// A panic elsewhere cannot leave the fields half changed, as no call in between panics.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was recorded. Watched targets wait for their shims' first word.
    pub(crate) fn restore(&self, restore: Restore) {
        let mut inner = self.lock();
        inner.generation = restore.generation;
        inner.requested.clone_from(&restore.targets);
        inner.entries = restore
            .targets
            .into_iter()
            .map(|spec| Entry::new(spec, true))
            .collect();
        self.settle(&inner);
    }

    /// Replaces the targets.
    ///
    /// A target keeps its connections and numbers if its id and address stay.
    pub(crate) fn replace(&self, generation: u64, targets: Vec<TargetSpec>) -> Result<(), Refused> {
        let mut inner = self.lock();
        match inner.generation {
            Some(current) if generation < current => return Err(Refused::Older { current }),
            Some(current) if generation == current && targets != inner.requested => {
                return Err(Refused::Differs { current });
            }
            Some(current) if generation == current => return Ok(()),
            _ => {}
        }
        let mut old = std::mem::take(&mut inner.entries);
        inner.generation = Some(generation);
        inner.requested.clone_from(&targets);
        for spec in targets {
            let kept = old.iter().position(|entry| {
                entry.spec.id == spec.id && entry.target.address == address(&spec)
            });
            let entry = match kept {
                Some(index) => old.swap_remove(index).with(spec),
                None => Entry::new(spec, false),
            };
            inner.entries.push(entry);
        }
        for entry in old {
            entry.target.forget();
        }
        self.settle(&inner);
        Ok(())
    }

    /// Gives a target no new work; answers what it still carries.
    pub(crate) fn drain(&self, id: &str) -> Option<usize> {
        let mut inner = self.lock();
        let entry = inner.entries.iter_mut().find(|entry| entry.spec.id == id)?;
        entry.spec.state = TargetState::Draining;
        let target = Arc::clone(&entry.target);
        self.settle(&inner);
        Some(target.open())
    }

    /// Takes the word of a target's shim. A part that it did not say stays.
    pub(crate) fn observe(&self, id: &str, ready: Option<bool>, draining: Option<bool>) {
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.iter_mut().find(|entry| entry.spec.id == id) {
            entry.observed = ready.map_or(entry.observed, Observed::Ready);
            entry.shim_drains = draining.unwrap_or(entry.shim_drains);
        }
        self.settle(&inner);
    }

    /// The shim cannot be heard: a target that still waits for its first word goes by the server's.
    pub(crate) fn unheard(&self, id: &str) {
        let mut inner = self.lock();
        if let Some(entry) = inner
            .entries
            .iter_mut()
            .find(|entry| entry.spec.id == id && entry.observed == Observed::Pending)
        {
            entry.observed = Observed::Nothing;
        }
        self.settle(&inner);
    }

    /// The choice among the ready targets, without those in `tried`; suspects come last.
    pub(crate) fn pick(self: &Arc<Self>, tried: &[Arc<Target>]) -> Option<Lease> {
        let inner = self.lock();
        let untried = || {
            inner.entries.iter().filter(|entry| {
                entry.is_ready() && !tried.iter().any(|t| Arc::ptr_eq(t, &entry.target))
            })
        };
        let choice = pick_of(untried().filter(|entry| !entry.target.is_suspect()))
            .or_else(|| pick_of(untried()))?;
        Some(Lease::new(Arc::clone(self), Arc::clone(&choice.target)))
    }

    /// Waits until some target is ready. Cancel-safe.
    pub(crate) async fn wait_ready(&self) {
        let mut ready = self.any_ready.subscribe();
        // The sender lives as long as `self`, so this ends only with a ready target.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    pub(crate) fn has_ready(&self) -> bool {
        *self.any_ready.borrow()
    }

    pub(crate) fn counts(&self) -> Vec<TargetCounts> {
        let count = |entry: &Entry| TargetCounts {
            id: entry.spec.id.clone(),
            ready: entry.is_ready(),
            draining: entry.target.is_draining(),
            open: entry.target.open() as u64,
            total: entry.target.total(),
            failures: entry.target.failures(),
        };
        self.lock().entries.iter().map(count).collect()
    }

    /// What is to be recorded, with drains applied.
    pub(crate) fn record(&self) -> Restore {
        let inner = self.lock();
        Restore {
            generation: inner.generation,
            targets: inner
                .entries
                .iter()
                .map(|entry| entry.spec.clone())
                .collect(),
        }
    }

    /// The current state in the words of events.
    pub(crate) fn current_events(&self) -> Vec<Event> {
        let inner = self.lock();
        let mut events = vec![self.readiness(inner.entries.iter().any(Entry::is_ready))];
        let drained = inner
            .entries
            .iter()
            .filter(|entry| entry.target.is_drained());
        events.extend(drained.map(|entry| Event::Drained {
            key: self.key.clone(),
            target: entry.spec.id.clone(),
        }));
        events
    }

    pub(super) fn tell_drained(&self, target: &Target) {
        // Without a watcher nobody needs to be told.
        let _ = self.events.send(Event::Drained {
            key: self.key.clone(),
            target: target.id.clone(),
        });
    }

    /// All that is no longer needed: idle connections and the marks of waiters.
    pub(crate) fn close(&self) {
        for entry in &self.lock().entries {
            entry.target.forget();
        }
    }

    pub(crate) fn purge_idle(&self) {
        for entry in &self.lock().entries {
            entry.target.pool.purge();
        }
    }

    /// Draws the consequences of a change, under the lock.
    fn settle(&self, inner: &Inner) {
        for entry in &inner.entries {
            let draining = entry.spec.state == TargetState::Draining || entry.shim_drains;
            if draining != entry.target.is_draining() {
                entry.target.set_draining(draining);
            }
            if entry.target.newly_drained() {
                self.tell_drained(&entry.target);
            }
        }
        let ready = inner.entries.iter().any(Entry::is_ready);
        let changed = self
            .any_ready
            .send_if_modified(|was| std::mem::replace(was, ready) != ready);
        if changed {
            let _ = self.events.send(self.readiness(ready));
        }
    }

    fn readiness(&self, ready: bool) -> Event {
        let key = self.key.clone();
        if ready {
            Event::FirstReady { key }
        } else {
            Event::NoneReady { key }
        }
    }
}

impl Entry {
    fn new(spec: TargetSpec, restored: bool) -> Self {
        let target = Arc::new(Target::new(spec.id.clone(), address(&spec)));
        let observed = if restored && spec.watch.is_some() {
            Observed::Pending
        } else {
            Observed::Nothing
        };
        Self {
            spec,
            target,
            observed,
            shim_drains: false,
        }
    }

    fn with(mut self, spec: TargetSpec) -> Self {
        if self.spec.watch != spec.watch {
            self.observed = Observed::Nothing;
            self.shim_drains = false;
        }
        self.spec = spec;
        self
    }
}

fn address(spec: &TargetSpec) -> SocketAddr {
    SocketAddr::new(spec.address, spec.port)
}

fn pick_of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<&'a Entry> {
    let entries: Vec<_> = entries.collect();
    let loads: Vec<_> = entries.iter().map(|entry| entry.target.open()).collect();
    choose(&loads).map(|index| entries[index])
}
