//! `load`: steady requests, and how many of them failed in which way.

pub mod command;
pub mod count;
pub mod request;
