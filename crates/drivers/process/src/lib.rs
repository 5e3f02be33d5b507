//! The process target: services, jobs and tasks as processes of this machine.
//!
//! Each instance runs under a shim of its own and has a loopback address of its own; each service has
//! one stable virtual address at the home's port holder. Both outlive the server.
//!
//! | module | what |
//! | --- | --- |
//! | `resources` | networks, volumes, configs, secrets, and the planning side of services and jobs |
//! | `instance` | starts, watches, stops and routes to single instances |
//! | `task` | programs that run to their end |
//! | `holder` | the port holder: started when needed, listeners, the address of a deployment |
//! | `addresses`, `names` | who has which address, and by which names it is found |
//! | `program` | read-only copies of built programs |
//! | `machine`, `capabilities` | what this machine can do, and what follows |
//!
//! # Files
//!
//! ```text
//! HOME/process/programs/DIGEST/            a built program, read only, shared by instances
//! HOME/process/.portholder/                the port holder's shim and state
//! HOME/process/DEPLOYMENT/instances/ID/    shim files, `instance.json`, logs
//! HOME/process/DEPLOYMENT/tasks/ID/        the same for a task
//! HOME/process/DEPLOYMENT/volumes/NAME/    a named volume
//! HOME/process/DEPLOYMENT/configs/DIGEST   the content of a config
//! SOCKETS/i/…, SOCKETS/ports.sock          control sockets
//! ```
//!
//! Secret values are in none of them: they go to the shim by pipe, and to files on a tmpfs that only
//! the instance sees.

mod addresses;
mod capabilities;
mod command;
mod endpoints;
mod error;
mod exec;
mod holder;
mod instance;
mod layout;
mod logs;
mod machine;
mod names;
mod program;
mod record;
mod resources;
mod runtime;
mod secrets;
mod shim_spec;
mod shutdown;
mod target;
mod task;
mod users;

pub use machine::Rung;
pub use runtime::Options;
pub use target::ProcessTarget;
