//! Behaviour of the expression crate, by its public interface.

mod cache;
mod differential;
mod functions;
mod hostile;
mod limits;
mod names;
mod references;
mod results;
mod scan;
mod stack;
mod support;
mod transparent;
mod whitelist;
