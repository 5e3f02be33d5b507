//! The HTTP API of Consort under `/v1`: the router, the listener on a Unix socket, and the client
//! that the command line uses. In `standalone` mode the client calls the router in process; there is
//! one code path.

mod answer;
pub mod client;
mod listen;
mod openapi;
mod routes;
mod sse;
mod version;

pub use listen::{ListenError, Listener, serve};
pub use openapi::openapi;
pub use routes::{Options, router};
pub use version::{API_VERSION, VersionInfo};
