//! What the tests share: the process, its shim, back ends, clients.

mod backend;
mod holder;
mod http_client;
mod shim;

pub(crate) use backend::{Backend, HttpBackend};
pub(crate) use holder::{Home, http_spec, key, loopback, spec, target, watched};
pub(crate) use http_client::{HttpClient, read_head, read_response, request, text};

use std::time::Duration;

/// Far above what anything here takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
