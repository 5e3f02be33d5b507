//! The small process that owns ports and virtual addresses.
//!
//! One port holder runs per home. It outlives the server: it binds every published port and every
//! virtual address, balances over the instances that are ready (told by the server, and followed by
//! watching their shims), and keeps clients waiting, not failing, while nothing is ready.
//!
//! | mode | what is promised |
//! | --- | --- |
//! | `l4` | a new connection reaches a ready target; connections that exist stay with theirs |
//! | `http` | client connections outlive back ends; a request reaches exactly one back end, see [`Mode::Http`] |
//! | `unix_http` | requests wait while the server behind the socket is away, see [`Mode::UnixHttp`] |
//! | UDP | a session per client address, ended by silence |
//!
//! Killed and started again it comes back with the same listeners (its shim keeps the descriptors,
//! [`FdStore`]) and the same targets (`ports.json`), so that no connection is refused.
//!
//! Start with [`run`] inside the process, [`Client`] or [`AsyncClient`] outside it.

mod acceptor;
pub mod addresses;
mod async_client;
mod balance;
mod client;
mod clock;
mod config;
mod control;
mod environment;
mod error;
mod fdstore;
mod forward;
mod gate;
mod holder;
mod http;
mod lines;
mod listener;
mod notice;
mod protocol;
mod restore;
mod run;
mod shim_watch;
mod socket;
mod state;
mod targets;
mod tasks;
mod udp;
mod unix_http;

pub use async_client::{AsyncClient, AsyncEvents};
pub use client::{Client, ClientError, Events};
pub use config::{Config, Limits};
pub use environment::{Inherited, arguments, environment};
pub use error::HolderError;
pub use fdstore::{FdStore, FdStoreError, NoFdStore, ShimFdStore};
pub use protocol::*;
pub use run::{run, run_blocking};
