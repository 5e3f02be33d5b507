//! The way to the writer: bounded, so that too much work waits or is refused and does not pile up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use consort_journal::StoreError;
use tokio::sync::{Semaphore, oneshot};

use super::session::Session;
use super::thread::Message;
use super::work::Task;
use crate::error::closed;

/// Places in the queue. A batch takes one, and another for each 16 KiB: at most about 64 MiB wait.
const PLACES: u32 = 4096;
const BYTES_PER_PLACE: usize = 16 << 10;
/// Callers that may wait for a place; more are refused.
const WAITING: usize = 16_384;

/// Hands work to the writer.
pub(crate) struct Queue {
    sender: Sender<Message>,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Queue {
    pub(super) fn new(sender: Sender<Message>) -> Self {
        Self {
            sender,
            places: Arc::new(Semaphore::new(PLACES as usize)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Has something done, and waits until it is durable.
    pub(crate) async fn submit<T: Send + 'static>(
        &self,
        size: usize,
        begins: bool,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let waiting = Waiting::new(&self.waiting)?;
        let extra = u32::try_from(size / BYTES_PER_PLACE).unwrap_or(PLACES);
        let places = extra.saturating_add(1).min(PLACES);
        let place = Arc::clone(&self.places).acquire_many_owned(places).await;
        drop(waiting);
        let (done, answer) = oneshot::channel();
        self.send(Box::new(Task {
            size,
            begins,
            work: Some(work),
            result: None,
            done,
            _place: Some(place.map_err(|_| closed())?),
        }))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// The same for a thread that may block: upkeep, of which only one is under way at a time.
    pub(crate) fn submit_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        self.send(Box::new(Task {
            size: 0,
            begins: false,
            work: Some(work),
            result: None,
            done,
            _place: None,
        }))?;
        answer.blocking_recv().unwrap_or_else(|_| Err(closed()))
    }

    fn send(&self, work: Box<dyn super::work::Work>) -> Result<(), StoreError> {
        self.sender.send(Message::Work(work)).map_err(|_| closed())
    }

    /// Ends the writer after what waits.
    pub(crate) fn stop(&self) {
        // If it has ended already, there is nothing to stop.
        let _ = self.sender.send(Message::Stop);
    }
}

/// Counts a caller as long as it waits for a place, also if it is dropped meanwhile.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Result<Self, StoreError> {
        let waiting = Self(count);
        match count.fetch_add(1, Ordering::Relaxed) {
            0..WAITING => Ok(waiting),
            _ => Err(StoreError::QueueFull),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
