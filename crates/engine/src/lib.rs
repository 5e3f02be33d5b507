//! Carries plans out as durable runs; roll-outs, workloads, workflows, events and schedules.

mod clock;
mod context;
pub mod control;
pub mod plan_run;
pub mod rollout;
mod tasks;
mod writer;

pub use context::Home;
pub use tasks::{OnStop, TaskKind, Tasks};
pub use writer::RunWriter;
