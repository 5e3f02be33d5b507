//! A piece of work for the writer, and who waits for it.

use consort_journal::StoreError;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::session::Session;

/// Done inside a savepoint; answered after the commit.
pub(super) trait Work: Send {
    /// About how many bytes it writes.
    fn size(&self) -> usize;
    /// Does it begin something? Then it is refused while the disk is full.
    fn begins(&self) -> bool;
    /// Does it, once.
    fn run(&mut self, session: &mut Session<'_>) -> Result<(), StoreError>;
    /// Tells who waits: the result, or why the commit failed.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

pub(super) struct Task<T, F> {
    pub(super) size: usize,
    pub(super) begins: bool,
    pub(super) work: Option<F>,
    pub(super) result: Option<Result<T, StoreError>>,
    pub(super) done: oneshot::Sender<Result<T, StoreError>>,
    /// Its place in the queue, given back with the answer.
    pub(super) _place: Option<OwnedSemaphorePermit>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Session<'_>) -> Result<T, StoreError> + Send,
{
    fn size(&self) -> usize {
        self.size
    }

    fn begins(&self) -> bool {
        self.begins
    }

    fn run(&mut self, session: &mut Session<'_>) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let result = work(session);
        let outcome = result.as_ref().map(drop).map_err(StoreError::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, commit: Result<(), StoreError>) {
        let answer = match (commit, self.result) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(result)) => result,
            // It was not done: the disk is full.
            (Ok(()), None) => Err(StoreError::Full),
        };
        // Who asked may have gone; what was written stays.
        let _ = self.done.send(answer);
    }
}
