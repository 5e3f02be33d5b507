//! The engine's public behaviour.

mod plan_machine;
mod rollout_machine;
