//! The services of the customer-360 example: a customer database, a legacy order
//! system, a mailbox, a hub that pushes to browsers, a batch workload, and the
//! two tools that the demonstration measures with.
//!
//! Each program is a folder or a file of this name; what they share lies beside.

pub mod cdnow;
pub mod client;
pub mod crm;
pub mod durable_file;
pub mod extract;
pub mod hub;
pub mod lenient;
pub mod load;
pub mod mailbox;
pub mod orders;
pub mod problem;
pub mod program;
pub mod segments;
pub mod serve;
pub mod settings;
pub mod sse;
pub mod token;
pub mod watcher;
