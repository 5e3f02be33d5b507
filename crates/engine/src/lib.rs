//! Carries plans out as durable runs; roll-outs, workloads, workflows, events and schedules.

pub mod control;
pub mod plan_run;
pub mod rollout;
