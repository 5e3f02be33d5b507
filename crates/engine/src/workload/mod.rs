//! Workloads and jobs as durable runs: the plan is recorded first, then slots are leased and tasks
//! started in its order; it is made anew when a task is late or fails.
//!
//! | module | what |
//! | --- | --- |
//! | `read` | a registered workload, pool or job, read into a question and tasks |
//! | `definition` | what one run carries out, with its plan |
//! | `record`, `state`, `machine` | the pure machine |
//! | `perform`, `runtime`, `runner` | the shell that carries it out over the tasks of a target |
//! | `start` | starts, takes up, reports and ends runs |
//! | `report`, `view` | plan and actual side by side; steps |
//! | `estimate` | what workloads would take, for plans |
//! | `cron`, `schedule` | starts at set times |

mod cron;
mod definition;
mod estimate;
mod machine;
mod perform;
mod read;
mod record;
mod report;
mod runner;
mod runtime;
mod schedule;
mod start;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use schedule::run_schedules;
pub(crate) use view::steps;
