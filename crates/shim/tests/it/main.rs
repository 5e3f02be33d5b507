//! Real shims, real processes. Every wait is for an event; the times are only limits.

mod cgroups;
mod faults;
mod lifecycle;
mod logs;
mod probes;
mod protocol;
mod rescue;
mod secrets;
mod spec;
mod support;
mod views;
