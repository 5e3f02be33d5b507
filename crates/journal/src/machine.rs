//! The shape of a run's machine. No async, no clock, no randomness, no I/O: everything that it needs
//! comes in an event.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Record;

/// What follows from an event: records first, then effects, which start only once the records are
/// durable.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<R, E> {
    /// Appended in one batch.
    pub records: Vec<R>,
    /// Begun when the batch is durable. Without a record there is no effect.
    pub effects: Vec<E>,
}

impl<R, E> Default for Decision<R, E> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            effects: Vec::new(),
        }
    }
}

/// A pure machine. The shell around it does: event → `decide` → append (wait for the commit) →
/// `apply` each record → begin the effects, whose results come back as events.
pub trait Machine {
    /// What was decided so far: the fold of all records.
    type State: Clone + Serialize + DeserializeOwned;
    /// All that can come from outside.
    type Event;
    /// What is recorded.
    type Record: Record;
    /// What is to be done in the world.
    type Effect;

    /// What follows from this event? The state is not changed. Reads time and random values from
    /// the event only.
    fn decide(
        &self,
        state: &Self::State,
        event: &Self::Event,
    ) -> Decision<Self::Record, Self::Effect>;

    /// Folds one record in. Total: never fails, never evaluates an expression.
    fn apply(&self, state: &mut Self::State, record: &Self::Record);

    /// The effects that are open in this state: after a restart they are begun again from here (a
    /// step with an intent and no outcome is in doubt and is resolved first).
    fn open_effects(&self, state: &Self::State) -> Vec<Self::Effect>;
}
