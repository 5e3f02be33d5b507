//! All listeners of a home, and the changes to them.

mod blocks;
mod change;
mod check;
mod record;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;

use crate::addresses::BlockClaim;
use crate::config::Limits;
use crate::environment::Inherited;
use crate::fdstore::FdStore;
use crate::listener::{Listener, Shared};
use crate::protocol::{
    Event, Failure, FailureCode, ListenerCounts, ListenerInfo, ListenerKey, Reply, TargetSpec,
};
use crate::shim_watch::follow;
use crate::tasks::{TaskKind, Workers, start};

use record::Recorder;

/// Events that a slow watcher may lag behind.
const EVENTS_KEPT: usize = 1024;

/// The port holder's whole state.
#[derive(Debug)]
pub(crate) struct Holder {
    home: String,
    state_dir: PathBuf,
    limits: Limits,
    workers: Arc<Workers>,
    fd_store: Arc<dyn FdStore>,
    events: broadcast::Sender<Event>,
    inner: Mutex<Inner>,
    /// Held by whoever changes listeners or blocks, over its calls to the descriptor store.
    changing: tokio::sync::Mutex<()>,
    recorder: Recorder,
    stop: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    listeners: BTreeMap<ListenerKey, Bound>,
    blocks: Vec<BlockClaim>,
    /// Descriptors that no record explains, kept for the one who binds them again.
    orphans: Inherited,
}

/// A listener that was asked for, open or not.
#[derive(Debug)]
struct Bound {
    shared: Arc<Shared>,
    port: u16,
    /// The open listener, or why it is not open.
    listener: Result<Listener, String>,
    /// Whether the descriptor store has it.
    kept: bool,
    followers: Followers,
}

/// The tasks that follow shims, by target and socket; they end with this.
#[derive(Debug, Default)]
struct Followers(BTreeMap<(String, PathBuf), AbortHandle>);

impl Followers {
    /// Follows exactly the shims of these targets.
    fn follow(&mut self, shared: &Shared, targets: &[TargetSpec]) {
        let mut old = std::mem::take(&mut self.0);
        for (id, shim) in targets
            .iter()
            .filter_map(|target| Some((&target.id, target.watch.as_ref()?)))
        {
            let name = (id.clone(), shim.clone());
            let task = old.remove(&name).unwrap_or_else(|| {
                let following = follow(
                    Arc::clone(&shared.targets),
                    id.clone(),
                    Arc::from(shim.as_path()),
                );
                start(TaskKind::Follower, following).abort_handle()
            });
            self.0.insert(name, task);
        }
        for task in old.into_values() {
            task.abort();
        }
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        for task in self.0.values() {
            task.abort();
        }
    }
}

impl Bound {
    fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().ok().map(|listener| listener.local)
    }
}

impl Holder {
    pub(crate) fn new(
        home: String,
        state_dir: PathBuf,
        limits: Limits,
        workers: Arc<Workers>,
        fd_store: Arc<dyn FdStore>,
    ) -> Arc<Self> {
        Arc::new(Self {
            home,
            state_dir,
            limits,
            workers,
            fd_store,
            events: broadcast::Sender::new(EVENTS_KEPT),
            inner: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            recorder: Recorder::default(),
            stop: watch::Sender::new(false),
        })
    }

    /// No call under this lock panics half way, so its content is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Becomes true when the process is asked to end.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Future events, and the current state in the words of events. Subscribes first, so that no
    /// change falls between the two.
    pub(crate) fn watch(&self) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let future = self.events.subscribe();
        let current = self
            .lock()
            .listeners
            .values()
            .flat_map(|bound| bound.shared.targets.current_events())
            .collect();
        (current, future)
    }

    pub(crate) fn counts(&self, key: Option<&ListenerKey>) -> Result<Vec<ListenerCounts>, Failure> {
        let inner = self.lock();
        match key {
            Some(key) => Ok(vec![inner.get(key)?.shared.counts()]),
            None => Ok(inner
                .listeners
                .values()
                .map(|bound| bound.shared.counts())
                .collect()),
        }
    }

    pub(crate) fn list(&self) -> Reply {
        let inner = self.lock();
        let info = |bound: &Bound| {
            let record = bound.shared.targets.record();
            ListenerInfo {
                spec: bound.shared.spec.clone(),
                address: bound.address(),
                error: bound.listener.as_ref().err().cloned(),
                generation: record.generation,
                targets: record.targets,
            }
        };
        Reply::List {
            listeners: inner.listeners.values().map(info).collect(),
            blocks: inner.block_names(),
        }
    }
}

impl Inner {
    fn get(&self, key: &ListenerKey) -> Result<&Bound, Failure> {
        self.listeners.get(key).ok_or_else(|| unknown(key))
    }

    fn block_names(&self) -> Vec<String> {
        self.blocks
            .iter()
            .map(|claim| claim.block().to_string())
            .collect()
    }
}

fn unknown(key: &ListenerKey) -> Failure {
    Failure::new(
        FailureCode::UnknownListener,
        format!("there is no listener {key}; `bind` it first"),
    )
}
