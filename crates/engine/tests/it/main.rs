//! The engine's public behaviour.

mod plan_machine;
mod rollout_machine;
mod workflow_runs;
mod workflow_world;
