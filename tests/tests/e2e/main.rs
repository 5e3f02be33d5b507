//! The real binary from end to end, as a new user would use it.

mod crash;
mod lifecycle;
mod services;
mod world;
