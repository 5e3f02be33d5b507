//! What can be known of an expression without running it.

mod bindings;
mod calls;
mod finder;
pub(crate) mod growth;
pub(crate) mod names;
pub(crate) mod projection;
pub(crate) mod references;
pub(crate) mod rewrite;
mod sources;
pub(crate) mod transparent;
pub(crate) mod whitelist;
