//! The control protocol: one JSON document per line over a Unix socket.
//!
//! A client first says [`Request::Hello`]; each later line is one [`Request`] and is answered by one
//! [`Reply`], in order. After [`Request::Watch`] only [`Event`]s follow. Versions only add fields:
//! unknown ones are ignored on both sides.

mod event;
mod listener;
mod reply;
mod request;

pub use event::Event;
pub use listener::{ListenerKey, ListenerSpec, Mode, Protocol, UnixUpstream};
pub use reply::{Failure, FailureCode, ListenerCounts, ListenerInfo, Reply, TargetCounts};
pub use request::{Request, TargetSpec, TargetState, TargetsRequest};

/// The version of the control protocol that this crate speaks.
pub const PROTOCOL: u32 = 1;
/// The longest request line, in bytes. Longer ones end the connection.
pub const LINE_LIMIT: usize = 512 * 1024;
