//! HTTP calls of workflows: names of services become addresses, secrets are put in when a request is
//! sent and taken out of its answer, connections are used again.
//!
//! Plain HTTP only; `https` is refused by name.

mod caller;
mod failure;
mod names;
mod redirect;
mod secrets;

pub(super) use caller::Caller;
