//! Replacing the instances of a service: the pure machine, and the shell that carries it out over an
//! instance runtime.

mod machine;
mod record;
mod runner;
mod state;

pub use machine::{Effect, Event, Input, RolloutMachine};
pub use record::{Definition, Direction, RolloutRecord, Seen, SeenPhase, Version};
pub use runner::{Ended, Runner};
pub use state::State;
