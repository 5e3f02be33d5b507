//! Workloads and jobs.

mod machine;
mod reading;
mod running;
mod support;
mod times;
