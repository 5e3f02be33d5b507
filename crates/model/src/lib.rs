//! The shared vocabulary of Consort: ids, addresses, values, the typed blueprint, plans, runs.
//!
//! Nothing here does I/O, knows the time or draws a random number. All other crates may use this
//! one; it uses none of them. What two crates must agree on is written down here, once.

pub mod address;
pub mod blueprint;
pub mod bundle;
pub mod code;
pub mod digest;
pub mod id;
pub mod partial;
pub mod plan;
pub mod revision;
pub mod run;
pub mod secret;
pub mod service;
pub mod state;
pub mod template;
pub mod text;
pub mod time;
pub mod units;

pub use address::{Address, Kind};
pub use code::{Code, Problem};
pub use digest::Digest;
pub use partial::{Partial, Why};
pub use secret::SecretHandle;
pub use state::{Generation, StateEntry};
pub use template::Template;
pub use time::Timestamp;

/// A JSON value. Object order is kept as written; digests are taken over the canonical form.
pub type Value = serde_json::Value;
/// A JSON object.
pub type Object = serde_json::Map<String, Value>;
