//! A plan carried out: the pure machine, what it records, and what people see of it.

mod executor;
mod machine;
mod record;
mod state;
mod view;

pub use executor::Command;
pub(crate) use executor::Executor;
pub use machine::{Effect, Event, PlanMachine, step_key};
pub use record::{Answer, PlanRecord, StepOutcome};
pub use state::{RunState, StepState};
pub(crate) use view::step_of;
pub use view::{describe, steps};
