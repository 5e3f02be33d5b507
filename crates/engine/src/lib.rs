//! Carries plans out as durable runs; roll-outs, workloads, workflows, events and schedules.

mod clock;
mod context;
pub mod control;
mod engine;
mod evaluate;
mod exec;
mod helper;
mod inputs;
mod operations;
mod perform;
pub mod plan_run;
mod planning;
mod queries;
mod reconcile;
pub mod rollout;
mod runs;
mod service;
mod tasks;
mod workflow;
mod workload;
mod writer;

pub use context::Home;
pub use engine::{Engine, Options};
pub use tasks::{OnStop, TaskKind, Tasks};
pub use writer::RunWriter;
