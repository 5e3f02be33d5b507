//! Background tasks. The policy belongs to the kind of task, not to the place that starts it.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// Drives one run.
    Run,
    /// Fires timers, takes events to those who listen, starts what is scheduled.
    Dispatcher,
    /// Sends what is in the outbox.
    Sender,
    /// Keeps instances as they shall be.
    Reconciler,
    /// Passes a stream on to one client.
    Feed,
}

/// What happens to a task when the server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStop {
    /// It is told, and finishes what it has begun.
    Finish,
    /// It is dropped: all that it did is durable already.
    Drop,
}

impl TaskKind {
    /// What happens when the server stops.
    pub const fn on_stop(self) -> OnStop {
        match self {
            Self::Run | Self::Dispatcher | Self::Sender | Self::Reconciler => OnStop::Finish,
            Self::Feed => OnStop::Drop,
        }
    }
    const fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Dispatcher => "dispatcher",
            Self::Sender => "sender",
            Self::Reconciler => "reconciler",
            Self::Feed => "feed",
        }
    }
}

/// All tasks of an engine.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Told when the server stops.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task. A panic in it is logged and ends only it.
    pub fn start<F>(&self, kind: TaskKind, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        let task = self.tracker.track_future(async move {
            match kind.on_stop() {
                OnStop::Finish => future.await,
                // Cancel-safe: what is dropped has told nobody that it is done.
                OnStop::Drop => tokio::select! { () = future => {}, () = stop.cancelled() => {} },
            }
        });
        let joined = tokio::spawn(task);
        tokio::spawn(async move {
            if let Err(error) = joined.await
                && error.is_panic()
            {
                tracing::error!(kind = kind.word(), "a background task panicked");
            }
        });
    }

    /// Tells every task and waits for those that finish, at most so long; how many are left.
    pub async fn stop(&self, limit: Duration) -> usize {
        self.stop.cancel();
        self.tracker.close();
        let _ = tokio::time::timeout(limit, self.tracker.wait()).await;
        self.tracker.len()
    }
}
