//! Compiled programs by text and scope, the least recently used forgotten first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::CompileError;
use crate::program::{Program, compile};
use crate::scope::Scope;

/// A bounded cache of programs for many threads.
#[derive(Debug)]
pub struct ProgramCache {
    capacity: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By text; the few scopes of one text are told apart one by one.
    programs: HashMap<String, Vec<Entry>>,
    count: usize,
    /// Raised by every use.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    program: Arc<Program>,
    used: u64,
}

impl Default for ProgramCache {
    fn default() -> Self {
        Self::new(1_024)
    }
}

impl ProgramCache {
    /// A cache of at most `capacity` programs, at least one.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            held: Mutex::default(),
        }
    }

    /// The compiled program, from the cache or new. Failures are not kept.
    ///
    /// # Errors
    /// See [`compile`].
    pub fn get(&self, text: &str, scope: &Scope) -> Result<Arc<Program>, CompileError> {
        if let Some(program) = self.lock().find(text, scope) {
            return Ok(program);
        }
        // Not under the lock: others need not wait. Two threads may compile the same text; one is kept.
        let program = Arc::new(compile(text, scope)?);
        let mut held = self.lock();
        if let Some(program) = held.find(text, scope) {
            return Ok(program);
        }
        held.insert(text, Arc::clone(&program));
        if held.count > self.capacity {
            held.forget_oldest(self.capacity);
        }
        Ok(program)
    }

    /// How many programs are held.
    pub fn len(&self) -> usize {
        self.lock().count
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        // A panic elsewhere leaves the map whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn find(&mut self, text: &str, scope: &Scope) -> Option<Arc<Program>> {
        self.clock += 1;
        let entry = self
            .programs
            .get_mut(text)?
            .iter_mut()
            .find(|entry| entry.program.scope() == scope)?;
        entry.used = self.clock;
        Some(Arc::clone(&entry.program))
    }

    fn insert(&mut self, text: &str, program: Arc<Program>) {
        let entry = Entry {
            program,
            used: self.clock,
        };
        self.programs
            .entry(text.to_owned())
            .or_default()
            .push(entry);
        self.count += 1;
    }

    /// Forgets the oldest eighth at once, so that a full cache does not search at every miss.
    fn forget_oldest(&mut self, capacity: usize) {
        let mut uses: Vec<u64> = self
            .programs
            .values()
            .flatten()
            .map(|entry| entry.used)
            .collect();
        uses.sort_unstable();
        let keep = capacity - capacity / 8;
        let Some(oldest) = uses
            .len()
            .checked_sub(keep)
            .and_then(|at| uses.get(at))
            .copied()
        else {
            return;
        };
        self.programs.retain(|_, entries| {
            entries.retain(|entry| entry.used >= oldest);
            !entries.is_empty()
        });
        self.count = self.programs.values().map(Vec::len).sum();
    }
}
