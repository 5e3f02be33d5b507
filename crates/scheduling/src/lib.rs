//! Pure: which node type runs which task when, for a deadline at least cost or for a budget at
//! least makespan.
//!
//! A [`Spec`] is the question. [`Problem::new`] checks it, [`plan`] answers it, [`validate`] checks
//! the answer without any code of the planners. [`replan`] goes on from what has happened,
//! [`frontier`] shows what each deadline costs, [`lower_bound`] what no plan can beat.
//!
//! Time is in whole microseconds and money in whole millionths of a dollar. There is no clock and no
//! randomness but that of a seed; searches are limited by counted work, so that an answer does not
//! depend on the machine.

mod billing;
mod bound;
mod builder;
mod catalogue;
mod graph;
pub mod load;
mod plan;
pub mod planners;
mod problem;
mod progress;
mod random;
mod rank;
mod refusal;
mod replan;
mod schedule;
mod spec;
mod validate;
mod work;

pub use billing::{Billing, LeaseSpan};
pub use bound::{LowerBound, lower_bound};
pub use catalogue::{literature, wu9};
pub use graph::{Arc, Graph};
pub use plan::{frontier, plan, plan_from, sweep};
pub use planners::Planner;
pub use problem::Problem;
pub use progress::{Begun, LiveLease, Progress};
pub use refusal::{Infeasible, ProblemError};
pub use replan::{Replan, replan};
pub use schedule::{Lease, Placement, Schedule};
pub use spec::{Edge, Micros, NodeType, Objective, RunTime, Spec, Task};
pub use validate::{Violation, validate, validate_resumed};
pub use work::{Limits, Work};
