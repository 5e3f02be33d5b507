//! The process target on the real runtime: shims, a port holder, namespaces, cgroups.

mod endpoints;
mod exec;
mod instances;
mod logs;
mod resources;
mod routes;
mod rungs;
mod secrets;
mod shutdown;
mod support;
mod tasks;
