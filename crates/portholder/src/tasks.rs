//! Where forwarding runs: the caller's thread and some more, each with its own single-threaded runtime.
//!
//! A connection and its back end stay on one thread, so that no byte crosses threads and pooled
//! connections need no shared queue; a work-stealing runtime costs more here than it evens out.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// The most threads that forward.
pub(crate) const MOST_WORKERS: usize = 16;

/// A thread is kept busy by this many more tasks than another before work moves away from it.
const SLACK: usize = 2;

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
    workers: Vec<Worker>,
    _stop: watch::Sender<()>,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Tasks that were spread to it and have not ended.
    load: Arc<AtomicUsize>,
}

impl Worker {
    fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            load: Arc::default(),
        }
    }
}

impl Workers {
    /// The current runtime and `count - 1` threads more.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let (stop, _) = watch::channel(());
        let mut workers = vec![Worker::new(Handle::current())];
        for index in 1..count.clamp(1, MOST_WORKERS) {
            let runtime = Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .build()?;
            workers.push(Worker::new(runtime.handle().clone()));
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
            workers,
            _stop: stop,
        })
    }

    /// Starts a task on the least loaded thread; on this one unless another has clearly less to do, as
    /// waking another thread costs more than a short connection.
    pub(crate) fn spread<F>(&self, _: TaskKind, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let load = |index: usize| self.workers[index].load.load(Relaxed);
        let here = worker_index().min(self.workers.len() - 1);
        let least = (0..self.workers.len())
            .min_by_key(|index| load(*index))
            .unwrap_or(here);
        let chosen = if load(here) > load(least) + SLACK {
            least
        } else {
            here
        };
        let worker = &self.workers[chosen];
        worker.load.fetch_add(1, Relaxed);
        let counted = Counted(Arc::clone(&worker.load));
        worker.runtime.spawn(async move {
            let _counted = counted;
            task.await;
        });
    }
}

/// Counts for its thread until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
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
