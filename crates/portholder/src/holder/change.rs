//! Bind, unbind, targets, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::check::{bind_failure, check_spec, check_targets};
use super::{Bound, Followers, Holder, Inner, unknown};
use crate::listener::{Listener, Shared};
use crate::notice::{chain, notice};
use crate::protocol::{Failure, FailureCode, ListenerKey, ListenerSpec, TargetsRequest};
use crate::socket::Socket;
use crate::state::SavedListener;
use crate::targets::{Refused, Restore, TargetSet};
use crate::tasks::{TaskKind, start};

/// How often an address that could not be opened again is tried.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

impl Holder {
    /// Opens a listener, or finds that it is open already.
    pub(crate) async fn bind(&self, spec: ListenerSpec) -> Result<SocketAddr, Failure> {
        check_spec(&spec)?;
        let _changing = self.changing.lock().await;
        self.bind_alone(spec).await
    }

    /// Only under `changing`.
    async fn bind_alone(&self, spec: ListenerSpec) -> Result<SocketAddr, Failure> {
        let key = spec.key.clone();
        let (address, kept) = self.ensure_bound(spec)?;
        if !kept {
            self.keep(&key).await?;
        }
        Ok(address)
    }

    /// The address, and whether the descriptor store already has it.
    fn ensure_bound(&self, spec: ListenerSpec) -> Result<(SocketAddr, bool), Failure> {
        let mut inner = self.lock();
        let key = spec.key.clone();
        match inner.listeners.get_mut(&key) {
            None => {
                if inner.listeners.len() >= self.limits.listeners {
                    let text = format!(
                        "listener {key}: this home has {} listeners, the most; unbind some",
                        self.limits.listeners
                    );
                    return Err(Failure::new(FailureCode::LimitReached, text));
                }
                let shared = Shared::new(spec, TargetSet::new(key.clone(), self.events.clone()));
                let listener = self.open(&mut inner, &shared, shared.spec.port)?;
                let address = listener.local;
                let bound = Bound {
                    shared,
                    port: address.port(),
                    listener: Ok(listener),
                    kept: false,
                    followers: Followers::default(),
                };
                inner.listeners.insert(key, bound);
                Ok((address, false))
            }
            Some(bound) if bound.shared.spec != spec => self.respecify(bound, spec),
            Some(bound) => {
                if let Some(address) = bound.address() {
                    return Ok((address, bound.kept));
                }
                let (shared, port) = (Arc::clone(&bound.shared), bound.port);
                let listener = self.open(&mut inner, &shared, port)?;
                let address = listener.local;
                if let Some(bound) = inner.listeners.get_mut(&key) {
                    bound.listener = Ok(listener);
                }
                Ok((address, false))
            }
        }
    }

    /// Another mode or other limits on the same socket: no client is refused meanwhile.
    fn respecify(
        &self,
        bound: &mut Bound,
        spec: ListenerSpec,
    ) -> Result<(SocketAddr, bool), Failure> {
        let old = &bound.shared.spec;
        let same_socket =
            (old.protocol, old.address, old.port) == (spec.protocol, spec.address, spec.port);
        let Some(listener) = bound.listener.as_ref().ok().filter(|_| same_socket) else {
            let text = format!(
                "listener {} is bound to {}:{} {:?}; unbind it before it is bound elsewhere",
                spec.key, old.address, old.port, old.protocol
            );
            return Err(Failure::new(FailureCode::ListenerDiffers, text));
        };
        let key = spec.key.clone();
        let shared = Shared::new(spec, Arc::clone(&bound.shared.targets));
        let started = Listener::start(
            listener.socket().clone(),
            Arc::clone(&shared),
            Arc::clone(&self.workers),
        );
        let started = started.map_err(|error| bind_failure(&key, listener.local, &error))?;
        let address = started.local;
        listener.retire();
        bound.shared = shared;
        bound.listener = Ok(started);
        Ok((address, bound.kept))
    }

    fn open(
        &self,
        inner: &mut Inner,
        shared: &Arc<Shared>,
        port: u16,
    ) -> Result<Listener, Failure> {
        let spec = &shared.spec;
        let address = SocketAddr::new(spec.address, port);
        let orphans = inner.orphans.take(spec.key.as_str());
        let adopted = orphans
            .into_iter()
            .find_map(|orphan| Socket::adopt(spec.protocol, address, orphan));
        let socket = adopted.map_or_else(|| Socket::open(spec.protocol, address), Ok);
        socket
            .and_then(|socket| {
                Listener::start(socket, Arc::clone(shared), Arc::clone(&self.workers))
            })
            .map_err(|error| bind_failure(&spec.key, address, &error))
    }

    /// Gives the listener's descriptor to the store.
    async fn keep(&self, key: &ListenerKey) -> Result<(), Failure> {
        let Some(socket) = self
            .lock()
            .get(key)?
            .listener
            .as_ref()
            .ok()
            .map(|listener| listener.socket().clone())
        else {
            return Ok(());
        };
        let name = key.to_string();
        self.with_store(move |store| store.store(&name, std::os::fd::AsFd::as_fd(&socket))).await.map_err(|error| {
            Failure::new(FailureCode::NotRecorded, format!("listener {key} is open, but would refuse clients while this process restarts ({error}); repeat the request"))
        })?;
        if let Some(bound) = self.lock().listeners.get_mut(key) {
            bound.kept = true;
        }
        Ok(())
    }

    /// Calls the descriptor store, which may block; an error is a sentence part.
    pub(super) async fn with_store<F>(&self, call: F) -> Result<(), String>
    where
        F: FnOnce(&dyn crate::fdstore::FdStore) -> Result<(), crate::fdstore::FdStoreError>
            + Send
            + 'static,
    {
        let store = Arc::clone(&self.fd_store);
        match tokio::task::spawn_blocking(move || call(store.as_ref())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_ended) => Err("the process is ending".to_owned()),
        }
    }

    /// Closes a listener for good. True if there was one.
    pub(crate) async fn unbind(&self, key: &ListenerKey) -> bool {
        let _changing = self.changing.lock().await;
        let Some(bound) = self.lock().listeners.remove(key) else {
            return false;
        };
        if let Ok(listener) = &bound.listener {
            listener.close();
        }
        drop(bound);
        self.forget(key.to_string()).await;
        true
    }

    /// The socket is shut already, so a store that fails to forget it costs a descriptor, not a port.
    pub(super) async fn forget(&self, name: String) {
        let said = name.clone();
        if let Err(error) = self.with_store(move |store| store.forget(&name)).await {
            notice(&format!(
                "the descriptor {said} stays in the store: {error}"
            ));
        }
    }

    pub(crate) async fn targets(&self, request: TargetsRequest) -> Result<(), Failure> {
        check_targets(&request, self.limits.targets)?;
        let _changing = self.changing.lock().await;
        let mut inner = self.lock();
        let TargetsRequest {
            key,
            generation,
            targets,
        } = request;
        let bound = inner.listeners.get_mut(&key).ok_or_else(|| unknown(&key))?;
        bound
            .shared
            .targets
            .replace(generation, targets.clone())
            .map_err(|refused| stale(&key, generation, &refused))?;
        bound.followers.follow(&bound.shared, &targets);
        Ok(())
    }

    pub(crate) async fn drain(&self, key: &ListenerKey, target: &str) -> Result<u64, Failure> {
        let _changing = self.changing.lock().await;
        let open = self.lock().get(key)?.shared.targets.drain(target);
        open.map(|open| open as u64).ok_or_else(|| {
            Failure::new(
                FailureCode::UnknownTarget,
                format!("listener {key} has no target {target:?}"),
            )
        })
    }

    pub(crate) fn event_address(&self, key: &ListenerKey) -> Result<String, Failure> {
        let inner = self.lock();
        let bound = inner.get(key)?;
        if !matches!(bound.shared.spec.mode, crate::protocol::Mode::UnixHttp(_)) {
            return Err(Failure::new(
                FailureCode::BadRequest,
                format!("listener {key} is not of mode unix_http"),
            ));
        }
        let address = bound.address();
        address
            .map(|address| format!("http://{address}"))
            .ok_or_else(|| {
                Failure::new(
                    FailureCode::Internal,
                    format!("listener {key} is not open yet"),
                )
            })
    }

    /// Takes what a former life recorded; what cannot be opened yet is tried again.
    pub(crate) fn restore(self: &Arc<Self>, saved: SavedListener) {
        let SavedListener {
            spec,
            port,
            generation,
            targets,
        } = saved;
        let key = spec.key.clone();
        let set = TargetSet::new(key.clone(), self.events.clone());
        set.restore(Restore {
            generation,
            targets: targets.clone(),
        });
        let shared = Shared::new(spec, set);
        let mut inner = self.lock();
        let came_back = inner.orphans.has(key.as_str());
        let mut followers = Followers::default();
        followers.follow(&shared, &targets);
        let listener = self
            .open(&mut inner, &shared, port)
            .map_err(|failure| failure.message);
        if let Err(error) = &listener {
            notice(error);
        }
        let kept = came_back && listener.is_ok();
        inner.listeners.insert(
            key.clone(),
            Bound {
                shared,
                port,
                listener,
                kept,
                followers,
            },
        );
        drop(inner);
        if !kept {
            let holder = Arc::clone(self);
            start(TaskKind::Listener, async move { holder.reopen(&key).await });
        }
    }

    /// Until the listener is open and kept, or unbound.
    async fn reopen(self: Arc<Self>, key: &ListenerKey) {
        loop {
            // Read and used under one lock: its owner may bind it with another mode at any time.
            let changing = self.changing.lock().await;
            let spec = self
                .lock()
                .listeners
                .get(key)
                .map(|bound| bound.shared.spec.clone());
            let Some(spec) = spec else { return };
            if self.bind_alone(spec).await.is_ok() {
                return;
            }
            drop(changing);
            sleep(REOPEN_EVERY).await;
        }
    }
}

fn stale(key: &ListenerKey, generation: u64, refused: &Refused) -> Failure {
    let text = match refused {
        Refused::Older { current } => format!(
            "listener {key}: generation {generation} is older than {current}, which is in force"
        ),
        Refused::Differs { current } => format!(
            "listener {key}: generation {current} is in force with other targets; use a higher one"
        ),
    };
    Failure::new(FailureCode::StaleGeneration, text)
}
