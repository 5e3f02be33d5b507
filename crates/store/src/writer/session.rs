//! What a piece of work sees of the writer.

use std::collections::{BTreeSet, HashMap};

use consort_journal::{Change, StoreError};
use consort_model::Digest;
use consort_model::id::RunId;
use rusqlite::{CachedStatement, Connection, Params};

use crate::error::writing;

/// Runs that are remembered, so that an append needs no look-up.
const REMEMBERED: usize = 8192;

/// What the writer knows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CachedRun {
    pub(crate) number: i64,
    pub(crate) epoch: i64,
    pub(crate) last: i64,
}

/// Things of the writer that outlive a transaction.
#[derive(Default)]
pub(super) struct Memory {
    runs: HashMap<RunId, CachedRun>,
    /// Digests that were named since the garbage collection began that is under way, if one is.
    named: Option<BTreeSet<Digest>>,
}

impl Memory {
    /// Forgets what may not be in the file.
    pub(super) fn forget_runs(&mut self) {
        self.runs.clear();
    }
}

/// One piece of work in its savepoint.
pub(crate) struct Session<'a> {
    pub(crate) conn: &'a Connection,
    memory: &'a mut Memory,
    touched: BTreeSet<RunId>,
    changes: Vec<Change>,
}

impl<'a> Session<'a> {
    pub(super) fn new(conn: &'a Connection, memory: &'a mut Memory) -> Self {
        Self {
            conn,
            memory,
            touched: BTreeSet::new(),
            changes: Vec::new(),
        }
    }

    /// What there is to tell after the commit.
    pub(super) fn kept(self) -> Vec<Change> {
        self.changes
    }

    /// Forgets what the savepoint took back.
    pub(super) fn taken_back(self) {
        for run in self.touched {
            self.memory.runs.remove(&run);
        }
    }

    /// A statement, prepared at its first use.
    pub(crate) fn statement(
        &self,
        doing: &'static str,
        sql: &str,
    ) -> Result<CachedStatement<'a>, StoreError> {
        self.conn.prepare_cached(sql).map_err(writing(doing))
    }

    /// Executes a statement; answers how many rows it changed.
    pub(crate) fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<usize, StoreError> {
        self.statement(doing, sql)?
            .execute(params)
            .map_err(writing(doing))
    }

    /// What is remembered of a run.
    pub(crate) fn run(&self, run: &RunId) -> Option<CachedRun> {
        self.memory.runs.get(run).copied()
    }

    /// Remembers a run as it is now.
    pub(crate) fn remember(&mut self, run: RunId, cached: CachedRun) {
        if self.memory.runs.len() >= REMEMBERED {
            self.memory.runs.clear();
        }
        self.memory.runs.insert(run, cached);
        self.touched.insert(run);
    }

    /// Forgets all runs: some were deleted.
    pub(crate) fn forget_runs(&mut self) {
        self.memory.runs.clear();
    }

    /// To be told to watchers after the commit.
    pub(crate) fn tell(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Notes the digests of all blobs that are named from now on, or stops.
    pub(crate) fn note_names(&mut self, on: bool) {
        self.memory.named = on.then(BTreeSet::new);
    }

    /// Notes what a text names, if a garbage collection is under way.
    pub(crate) fn note(&mut self, find: impl FnOnce(&mut BTreeSet<Digest>)) {
        if let Some(named) = &mut self.memory.named {
            find(named);
        }
    }

    /// Was it named since the garbage collection began?
    pub(crate) fn was_named(&self, digest: &Digest) -> bool {
        self.memory
            .named
            .as_ref()
            .is_some_and(|named| named.contains(digest))
    }
}
