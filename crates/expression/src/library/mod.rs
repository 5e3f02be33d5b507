//! The functions that expressions may call: jaq's, less those that reach outside, and ours.
//!
//! Definitions are parsed once per process. A program is linked with those that it calls, directly or
//! not, so that a small expression compiles in microseconds.

mod cidr;
mod documentation;
mod link;
mod natives;
mod paths;
mod withheld;

pub use documentation::{FunctionDoc, functions};
pub(crate) use link::{exists, link, nearest, user_names};
pub(crate) use withheld::{withheld_function, withheld_variable};
