//! One back end and the work that it carries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

use tokio::sync::watch;

use super::TargetSet;
use crate::clock::now_ms;
use crate::http::Pool;

/// A target that refused a connection is asked last for this long, so that a dead one does not delay
/// every request until its shim tells.
const SUSPECT_MS: u64 = 1_000;

/// What the shim of a target says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Observed {
    /// There is no shim to watch, or it has not been heard: the server's word counts.
    Nothing,
    /// A restarted holder does not know yet; for a moment it waits for the shim's word.
    Pending,
    /// The shim's last word.
    Ready(bool),
}

/// One back end.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    /// Idle connections, for HTTP.
    pub(crate) pool: Pool,
    open: AtomicUsize,
    total: AtomicU64,
    failures: AtomicU64,
    suspect_until: AtomicU64,
    draining: AtomicBool,
    drain_told: AtomicBool,
    gone: watch::Sender<bool>,
}

impl Target {
    pub(super) fn new(id: String, address: SocketAddr) -> Self {
        Self {
            id,
            address,
            pool: Pool::default(),
            open: AtomicUsize::new(0),
            total: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            suspect_until: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            drain_told: AtomicBool::new(false),
            gone: watch::Sender::new(false),
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    pub(crate) fn total(&self) -> u64 {
        self.total.load(SeqCst)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(SeqCst)
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, SeqCst);
    }

    /// Notes that it could not be reached.
    pub(crate) fn unreachable(&self) {
        self.failed();
        self.suspect_until.store(now_ms() + SUSPECT_MS, SeqCst);
    }

    pub(crate) fn reachable(&self) {
        if self.suspect_until.load(SeqCst) != 0 {
            self.suspect_until.store(0, SeqCst);
        }
    }

    pub(super) fn is_suspect(&self) -> bool {
        let until = self.suspect_until.load(SeqCst);
        until != 0 && until > now_ms()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(SeqCst)
    }

    pub(super) fn set_draining(&self, draining: bool) {
        if !draining {
            self.drain_told.store(false, SeqCst);
        }
        self.draining.store(draining, SeqCst);
        self.pool.set_open(!draining);
    }

    /// Whether it is empty and draining, said once per drain.
    pub(super) fn newly_drained(&self) -> bool {
        self.is_drained() && !self.drain_told.swap(true, SeqCst)
    }

    pub(super) fn is_drained(&self) -> bool {
        self.is_draining() && self.open() == 0
    }

    /// The target was taken out of the set.
    pub(super) fn forget(&self) {
        self.set_draining(true);
        self.gone.send_replace(true);
    }

    /// Becomes true when the target was taken out of the set.
    pub(crate) fn gone(&self) -> watch::Receiver<bool> {
        self.gone.subscribe()
    }

    fn take(&self) {
        self.open.fetch_add(1, SeqCst);
        self.total.fetch_add(1, SeqCst);
    }
}

/// One piece of work on a target: a connection, a request, a session. It counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    set: Arc<TargetSet>,
    target: Arc<Target>,
}

impl Lease {
    /// Only under the lock of the set: a drain must either see this lease or prevent it.
    pub(super) fn new(set: Arc<TargetSet>, target: Arc<Target>) -> Self {
        target.take();
        Self { set, target }
    }

    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.target.open.fetch_sub(1, SeqCst);
        if self.target.is_draining() && self.target.newly_drained() {
            self.set.tell_drained(&self.target);
        }
    }
}
