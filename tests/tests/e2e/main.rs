//! The real binary from end to end, as a new user would use it.

mod lifecycle;
mod world;
