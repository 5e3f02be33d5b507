//! The small process that owns one instance.
//!
//! A shim starts one program, watches and probes it, restarts it with back-off, keeps its logs and
//! stops it. It outlives the server and needs none. One thread, one poll loop, hardly any memory.
//!
//! | who | uses |
//! | --- | --- |
//! | the binary (`consort-shim DIR`, `consort __shim DIR`) | [`run`] |
//! | the process driver | [`Spec`], [`launch`], [`adopt`], [`sweep`], [`Client`], [`logs::Reader`], [`cgroup::Host`] |
//! | the port holder | the control protocol: [`protocol`] |
//!
//! # The state directory
//!
//! | file | what | written |
//! | --- | --- | --- |
//! | `spec.json` | [`Spec`], by the driver, before the launch | once |
//! | `lock` | held by the living shim (fcntl) | – |
//! | `pid.json` | [`record::PidRecord`]: who the instance is | before its program is executed |
//! | `state.json` | [`record::Counters`]: restarts, kept descriptors | at each change |
//! | `exit.json` | [`record::Exit`]: how it ended | before the control socket says so |
//! | `hosts` | what the instance sees as `/etc/hosts` | in place |
//! | `output.log`, `.1` … | records of its output | always |
//! | `shim.log` | warnings of the shim itself | rarely |
//!
//! # Loss of the shim
//!
//! The instance's stdout and stderr are pipes that it holds open for reading *and* writing, so that a
//! dead shim never means SIGPIPE: output waits in the pipe (256 KiB each) until a new shim on the
//! same directory, a *rescue*, opens the very same pipes through `/proc/PID/fd`. Nothing is lost; a
//! service that fills its pipe blocks until then. `logging.mode: file` avoids that, without rotation.
//! The rescue watches by pidfd; the exit code of a process that is not its child comes from the
//! kernel where it can tell (Linux 6.15), else it is `unknown`.

pub mod cgroup;
mod child;
mod child_caps;
mod client;
pub mod fault;
mod fd_store;
mod health;
pub mod logs;
mod mounts;
mod procfs;
pub mod protocol;
pub mod record;
mod restart;
mod secrets;
mod signal;
pub mod spec;
mod supervisor;
mod sys;
mod time;

pub use client::adopt::{Found, adopt};
pub use client::launch::{LaunchError, Launcher, Started, launch};
pub use client::sweep::{SweepError, sweep};
pub use client::{Client, ClientError, ExecOutcome};
pub use secrets::SecretValues;
pub use spec::{Spec, SpecError};
pub use supervisor::{run, usage};
