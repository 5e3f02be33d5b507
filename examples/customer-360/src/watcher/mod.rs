//! `watcher`: an end user who subscribes to the hub, and checks what arrives.

pub mod command;
pub mod subscription;
pub mod tally;
