//! Public behaviour of the scheduler.

mod billing;
mod bounds;
mod budget;
mod golden;
mod literature;
mod load;
mod pool;
mod properties;
mod refusals;
mod replan;
mod support;
mod validator;
