//! The process target
