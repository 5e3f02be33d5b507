//! The targets of one listener: who is ready, who drains, who carries how much.

mod set;
mod target;

pub(crate) use set::{Refused, Restore, TargetSet};
pub(crate) use target::{Lease, Observed, Target};
