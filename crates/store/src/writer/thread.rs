//! Group commit: what waits is written together, each piece in a savepoint of its own, and the one
//! sync of the commit serves all of them. While it syncs, the next group fills up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use consort_journal::{Change, StoreError};
use rusqlite::Connection;

use super::queue::Queue;
use super::session::{Memory, Session};
use super::work::Work;
use super::{Condition, SharedCondition};
use crate::error::{failed, writing};
use crate::home::Reserve;
use crate::options::FatalHook;

/// Pieces of work in one commit, and about how many bytes: bounds on how long the last one waits.
const MAX_BATCH: usize = 512;
const MAX_BYTES: usize = 4 << 20;
/// With nothing to do for so long, the WAL is brought into the database.
const IDLE: Duration = Duration::from_millis(250);
/// Pages (4 KiB) of WAL after which a checkpoint is made even under load: 16 MiB.
const MAX_WAL: u32 = 4096;

/// Called after commits.
pub(crate) type Watchers = Arc<RwLock<Vec<consort_journal::store::Watcher>>>;

pub(super) enum Message {
    Work(Box<dyn Work>),
    Stop,
}

/// What the writer is made of.
pub(crate) struct Setup {
    pub(crate) conn: Connection,
    pub(crate) reserve: Reserve,
    pub(crate) watchers: Watchers,
    pub(crate) condition: Arc<SharedCondition>,
    pub(crate) on_fatal: FatalHook,
}

/// Starts the thread.
pub(crate) fn start(setup: Setup) -> Result<(Queue, JoinHandle<()>), StoreError> {
    let (sender, receiver) = channel();
    let mut writer = Writer::new(setup)?;
    let work = move || {
        let condition = Arc::clone(&writer.condition);
        let on_fatal = Arc::clone(&writer.on_fatal);
        if catch_unwind(AssertUnwindSafe(|| writer.run(&receiver))).is_err() {
            condition.set(Condition::Failed);
            on_fatal(&StoreError::Fatal {
                problem: "the writer ended badly".into(),
            });
        }
    };
    let thread = thread::Builder::new()
        .name("store-writer".into())
        .spawn(work)
        .map_err(|error| failed("start the writer", error))?;
    Ok((Queue::new(sender), thread))
}

struct Writer {
    conn: Option<Connection>,
    memory: Memory,
    reserve: Reserve,
    watchers: Watchers,
    condition: Arc<SharedCondition>,
    on_fatal: FatalHook,
    wal: Wal,
}

/// How long the WAL is.
struct Wal {
    pages: Arc<AtomicU32>,
    /// The length after which the next checkpoint is due.
    limit: u32,
}

impl Writer {
    fn new(setup: Setup) -> Result<Self, StoreError> {
        let Setup {
            mut conn,
            reserve,
            watchers,
            condition,
            on_fatal,
        } = setup;
        let pages = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&pages);
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            count.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))
        .map_err(writing("watch the WAL"))?;
        if reserve.is_low() {
            condition.set(Condition::SpaceLow);
        }
        Ok(Self {
            conn: Some(conn),
            memory: Memory::default(),
            reserve,
            watchers,
            condition,
            on_fatal,
            wal: Wal {
                pages,
                limit: MAX_WAL,
            },
        })
    }

    fn run(&mut self, receiver: &Receiver<Message>) {
        while let Some(first) = self.next(receiver) {
            let mut bytes = first.size();
            let mut group = vec![first];
            let mut stop = false;
            while group.len() < MAX_BATCH && bytes < MAX_BYTES {
                match receiver.try_recv() {
                    Ok(Message::Work(work)) => {
                        bytes += work.size();
                        group.push(work);
                    }
                    Ok(Message::Stop) => {
                        stop = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
            self.commit(group);
            if stop {
                break;
            }
        }
        self.close();
    }

    /// The next piece of work; upkeep while there is none.
    fn next(&mut self, receiver: &Receiver<Message>) -> Option<Box<dyn Work>> {
        loop {
            let upkeep = self.wal.pages.load(Ordering::Relaxed) > 0 || self.reserve.is_low();
            let message = match upkeep && self.conn.is_some() {
                true => receiver.recv_timeout(IDLE),
                false => receiver.recv().map_err(RecvTimeoutError::from),
            };
            match message {
                Ok(Message::Work(work)) => return Some(work),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    self.find_space();
                    self.checkpoint("PASSIVE");
                    self.wal.pages.store(0, Ordering::Relaxed);
                }
            }
        }
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Work>>) {
        let outcome = match self.conn.take() {
            None => Err(stopped()),
            Some(conn) => {
                let outcome = self.transact(&conn, &mut group);
                self.conn = Some(conn);
                outcome
            }
        };
        let answer = match outcome {
            Ok(changes) => {
                self.tell(&changes);
                Ok(())
            }
            Err(error) => Err(self.not_written(error)),
        };
        for work in group {
            work.answer(answer.clone());
        }
        self.checkpoint_under_load();
    }

    fn transact(
        &mut self,
        conn: &Connection,
        group: &mut [Box<dyn Work>],
    ) -> Result<Vec<Change>, StoreError> {
        if group.iter().any(|work| work.begins()) {
            self.find_space();
        }
        // Someone else writes if this is busy for long: the lock file was broken.
        control(conn, "BEGIN IMMEDIATE").map_err(|error| match error {
            StoreError::Full => StoreError::Full,
            error => StoreError::Fatal {
                problem: error.to_string(),
            },
        })?;
        let mut changes = Vec::new();
        for work in group {
            if !(self.reserve.is_low() && work.begins()) {
                changes.extend(self.one(conn, work.as_mut())?);
            }
        }
        control(conn, "COMMIT")?;
        Ok(changes)
    }

    /// Does one piece of work. An error is one of the whole transaction; that of the piece alone
    /// stays with it.
    fn one(&mut self, conn: &Connection, work: &mut dyn Work) -> Result<Vec<Change>, StoreError> {
        control(conn, "SAVEPOINT piece")?;
        let mut session = Session::new(conn, &mut self.memory);
        match work.run(&mut session) {
            Ok(()) => {
                let changes = session.kept();
                control(conn, "RELEASE piece")?;
                Ok(changes)
            }
            Err(error) if conn.is_autocommit() || is_of_all(&error) => Err(error),
            Err(_) => {
                session.taken_back();
                control(conn, "ROLLBACK TO piece")?;
                control(conn, "RELEASE piece")?;
                Ok(Vec::new())
            }
        }
    }

    /// Nothing of a group was written: what follows, and what the callers are told.
    fn not_written(&mut self, error: StoreError) -> StoreError {
        self.memory.forget_runs();
        let rolled_back = match &self.conn {
            Some(conn) if !conn.is_autocommit() => control(conn, "ROLLBACK"),
            Some(_) => Ok(()),
            None => return error,
        };
        match (error, rolled_back) {
            (StoreError::Full, Ok(())) => {
                self.reserve.release();
                self.condition.set(Condition::SpaceLow);
                StoreError::Full
            }
            (error @ (StoreError::Fatal { .. } | StoreError::Corrupt { .. }), _) => {
                self.fail(error)
            }
            (error, Ok(())) => error,
            (_, Err(error)) => self.fail(error),
        }
    }

    /// The end: nothing that the connection says can be trusted any more.
    fn fail(&mut self, error: StoreError) -> StoreError {
        self.condition.set(Condition::Failed);
        if let Some(conn) = self.conn.take() {
            // Closing it would make a checkpoint, and sync again what could not be synced.
            std::mem::forget(conn);
        }
        (self.on_fatal)(&error);
        error
    }

    fn find_space(&mut self) {
        if self.reserve.is_low() {
            self.reserve.refresh();
            if !self.reserve.is_low() && self.condition.get() == Condition::SpaceLow {
                self.condition.set(Condition::Good);
            }
        }
    }

    fn tell(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let watchers = self.watchers.read().unwrap_or_else(PoisonError::into_inner);
        for watcher in watchers.iter() {
            let told = catch_unwind(AssertUnwindSafe(|| changes.iter().for_each(watcher)));
            if told.is_err() {
                tracing::error!("a watcher of the store ended badly");
            }
        }
    }

    fn checkpoint_under_load(&mut self) {
        let pages = self.wal.pages.load(Ordering::Relaxed);
        if pages + MAX_WAL < self.wal.limit {
            self.wal.limit = MAX_WAL; // the WAL has begun anew
        }
        if pages >= self.wal.limit {
            self.checkpoint("PASSIVE");
            // A long reader may hold it up: then it is tried again after as much again.
            self.wal.limit = pages.saturating_add(MAX_WAL);
        }
    }

    fn checkpoint(&mut self, mode: &str) {
        let Some(conn) = &self.conn else { return };
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let done = conn
            .query_row(&sql, [], |_| Ok(()))
            .map_err(writing("make a checkpoint"));
        match done {
            Ok(()) => {}
            Err(error @ (StoreError::Fatal { .. } | StoreError::Corrupt { .. })) => {
                self.fail(error);
            }
            // The WAL keeps everything; a full disk or a busy reader only delays it.
            Err(error) => tracing::warn!(%error, "the WAL of the store stays as it is"),
        }
    }

    fn close(&mut self) {
        self.checkpoint("TRUNCATE");
        if let Some(Err((_, error))) = self.conn.take().map(Connection::close) {
            tracing::warn!(%error, "the store was not closed cleanly");
        }
    }
}

/// Is the transaction as a whole lost with this error?
fn is_of_all(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Full | StoreError::Fatal { .. } | StoreError::Corrupt { .. }
    )
}

fn stopped() -> StoreError {
    StoreError::Fatal {
        problem: "an earlier commit failed".into(),
    }
}

fn control(conn: &Connection, sql: &'static str) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(sql).map_err(writing(sql))?;
    statement.execute([]).map(drop).map_err(writing(sql))
}
