//! What a port holder is started with.

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Inherited;

/// Everything that [`crate::run`] needs to know.
#[derive(Debug)]
pub struct Config {
    /// Names the home; its address blocks are derived from it. Usually the home's path.
    pub home: String,
    /// Where `ports.json` and the lock are kept; made with mode 700 if it is missing.
    pub state_dir: PathBuf,
    /// The control socket. Its folder is made with mode 700 if it is missing. At most 107 bytes.
    pub control: PathBuf,
    /// The control socket of the shim that keeps the listening descriptors.
    pub fd_store: Option<PathBuf>,
    /// The descriptors that came from the shim.
    pub inherited: Inherited,
    /// How many threads forward, 1 to 16. The first is the caller's.
    pub workers: usize,
    /// Bounds that are not per listener.
    pub limits: Limits,
}

/// Bounds on what others can make the holder keep.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Listeners in all.
    pub listeners: usize,
    /// Targets of one listener.
    pub targets: usize,
    /// Address blocks of the home.
    pub blocks: usize,
    /// Open control connections, watchers included.
    pub control_connections: usize,
    /// How long a control client may take for its first line, and for taking a reply.
    pub control_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            listeners: 4096,
            targets: 1024,
            blocks: 64,
            control_connections: 128,
            control_timeout: Duration::from_secs(10),
        }
    }
}
