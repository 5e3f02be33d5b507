//! The planner: a pure machine that is fed a blueprint, what is recorded and what drivers say, and
//! in the end yields a plan with a verdict and a reason for every node.
//!
//! [`Planner::needs`] says what it must know, in a stable order; [`Planner::feed`] takes the answers
//! in any order and goes on with what each of them unblocks; [`Planner::finish`] yields the plan, the
//! same for every order of the answers. Nothing here does I/O, knows the time or draws a number.
//!
//! - [`graph`]: what depends on what, and why.
//! - [`evaluate`]: templates to values, of which parts may be unknown.
//! - [`inputs`]: the typed check of inputs.
//! - [`lint`]: the independent check of every plan.
//! - [`present`]: the plan for people.

#![allow(
    clippy::result_large_err,
    reason = "problems are rare, and one type of them is shared by the whole house"
)]

pub mod contract;
pub mod diff;
pub mod evaluate;
pub mod graph;
pub mod ignore;
pub mod input;
pub mod inputs;
pub mod lint;
pub mod path;
mod planner;
pub mod present;

pub use contract::{Answer, FeedError, Need, NeedId, Observed, PlannedChange};
pub use contract::{AttributeSchema, TypeSchema};
pub use input::{Options, PlanInput, Schemas};
pub use planner::{Planner, Unplannable};
