//! Threads that read, so that no read holds up the runtime of its caller.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use consort_journal::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::connection;
use crate::error::{closed, failed};

/// Reads that may wait; more are refused.
const WAITING: usize = 8192;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A pool of readers, each with a connection of its own that cannot write.
pub(crate) struct Readers {
    queue: Option<SyncSender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(crate) fn start(path: &Path, count: usize) -> Result<Self, StoreError> {
        let (queue, reads) = sync_channel(WAITING);
        let reads = Arc::new(Mutex::new(reads));
        let threads = (0..count.clamp(1, 16))
            .map(|_| {
                let conn = connection::reader(path)?;
                let reads = Arc::clone(&reads);
                thread::Builder::new()
                    .name("store-reader".into())
                    .spawn(move || serve(&conn, &reads))
                    .map_err(|error| failed("start a reader", error))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            queue: Some(queue),
            threads,
        })
    }

    /// Reads something.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let job: Read = Box::new(move |conn| {
            // Who asked may have gone; then nobody needs the answer.
            let _ = done.send(read(conn));
        });
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::QueueFull,
            TrySendError::Disconnected(_) => closed(),
        })?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Ends all readers.
    pub(crate) fn stop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // The last owner of a store may be one of its own threads.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a reader of the store ended badly");
            }
        }
    }
}

fn serve(conn: &Connection, reads: &Mutex<Receiver<Read>>) {
    loop {
        let next = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { return };
        if catch_unwind(AssertUnwindSafe(|| read(conn))).is_err() {
            tracing::error!("a read of the store ended badly");
        }
    }
}
