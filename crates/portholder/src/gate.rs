//! When the next client is accepted: once a slot is free and a target ready.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::acceptor::Acceptor;
use crate::listener::Shared;
use crate::protocol::Mode;

/// A client that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) client: OwnedFd,
    pub(crate) permit: OwnedSemaphorePermit,
    /// How long it may (still) wait for a ready target.
    pub(crate) patience: Duration,
}

/// While no target is ready clients stay in the kernel's queue, where they also survive a restart of
/// this process. The queue does not tell how long each has waited; so after half of the wait all are
/// accepted, and each is given the other half. Every client waits between half and the whole.
#[derive(Debug)]
pub(crate) struct Gate {
    acceptor: Acceptor,
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
    /// Those who wait have waited for half of the time.
    overdue: bool,
}

impl Gate {
    pub(crate) fn new(acceptor: Acceptor, shared: Arc<Shared>) -> Self {
        let slots = usize::try_from(shared.spec.max_connections).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            acceptor,
            shared,
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            overdue: false,
        }
    }

    /// The next client. Cancel-safe.
    pub(crate) async fn next(&mut self) -> io::Result<Admitted> {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let whole = self.shared.wait_timeout();
        if self.overdue {
            match self.acceptor.try_accept() {
                Ok(Some(client)) => {
                    return Ok(Admitted {
                        client,
                        permit,
                        patience: whole / 2,
                    });
                }
                Ok(None) | Err(_) => self.overdue = false,
            }
        }
        self.acceptor.client_waits().await?;
        self.overdue = self.must_wait()
            && timeout(whole / 2, self.shared.targets.wait_ready())
                .await
                .is_err();
        let patience = if self.overdue { whole / 2 } else { whole };
        let client = self.acceptor.accept().await?;
        Ok(Admitted {
            client,
            permit,
            patience,
        })
    }

    fn must_wait(&self) -> bool {
        // A server behind a Unix socket is no target; its requests wait one by one.
        !matches!(self.shared.spec.mode, Mode::UnixHttp(_)) && !self.shared.targets.has_ready()
    }
}
