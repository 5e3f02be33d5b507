//! Where forwarding runs: the caller's thread and some more, each with its own single-threaded runtime.
//!
//! A connection and its back end stay on one thread, so that no byte crosses threads and pooled
//! connections need no shared queue; a work-stealing runtime costs more here than it evens out.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// The most threads that forward.
pub(crate) const MOST_WORKERS: usize = 16;

/// The number of the thread that this runs on, below [`MOST_WORKERS`].
pub(crate) fn worker_index() -> usize {
    INDEX.get()
}

/// Every task that the holder starts is of one of these kinds, and ends as its kind says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskKind {
    /// Ends when its listener closes.
    Listener,
    /// Ends with its connection, a grace after its listener closed, or with the process.
    Connection,
    /// Ends with its target or its listener.
    Follower,
    /// Ends with its client or with the process.
    Control,
}

/// The threads.
#[derive(Debug)]
pub(crate) struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    _stop: watch::Sender<()>,
}

impl Workers {
    /// The current runtime and `count - 1` threads more.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let (stop, _) = watch::channel(());
        let mut handles = vec![Handle::current()];
        for index in 1..count.clamp(1, MOST_WORKERS) {
            let runtime = Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .build()?;
            handles.push(runtime.handle().clone());
            let mut stopped = stop.subscribe();
            std::thread::Builder::new()
                .name(format!("forward-{index}"))
                .spawn(move || {
                    INDEX.set(index);
                    // Ends when the sender is dropped with the workers.
                    runtime.block_on(async move { while stopped.changed().await.is_ok() {} });
                    runtime.shutdown_background();
                })?;
        }
        Ok(Self {
            handles,
            next: AtomicUsize::new(0),
            _stop: stop,
        })
    }

    /// Starts a task on the next thread in turn.
    pub(crate) fn spread<F>(&self, _: TaskKind, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        self.handles[turn].spawn(task);
    }
}

/// Starts a task on this thread.
pub(crate) fn start<F>(_: TaskKind, task: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::task::spawn(task)
}

/// Waits until the flag is true, or nobody can set it any more. Cancel-safe.
pub(crate) async fn becomes_true(flag: &mut watch::Receiver<bool>) {
    // The guard in the result must not live over an await of the caller.
    let _ = flag.wait_for(|flag| *flag).await;
}
