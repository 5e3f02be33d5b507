//! What all parts of the target share.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Mutex as StdMutex;

use consort_model::Digest;
use consort_shim::Launcher;
use tokio::sync::{Mutex, watch};

use crate::machine::Machine;

/// What the target is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The shim: its program, and the arguments before the state folder.
    pub shim: (PathBuf, Vec<String>),
    /// The port holder: its program, and the arguments before its options.
    pub port_holder: (PathBuf, Vec<String>),
    /// The server's socket, to which events and calls of exposed workflows are passed on.
    pub server_socket: PathBuf,
}

/// Where programs are looked for when the server's own environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The target's own state: none of it must survive the server.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) options: Options,
    pub(crate) machine: Machine,
    /// `PATH` of the server, which programs of services get too.
    pub(crate) path: String,
    /// Held while an address is given out or a service's listeners change.
    pub(crate) changing: Mutex<()>,
    /// Held while the port holder is started.
    pub(crate) starting_holder: Mutex<()>,
    /// Held while the copy of a program is checked or made.
    pub(crate) copying: Mutex<()>,
    /// Counted up when instances come, go or are told something.
    pub(crate) changed: watch::Sender<u64>,
    /// Programs whose copies were verified by this server.
    pub(crate) verified: StdMutex<BTreeSet<Digest>>,
}

impl Runtime {
    pub(crate) fn new(options: Options, machine: Machine) -> Self {
        // Programs of services are found as the user finds them; there is no other way to know it.
        let path = std::env::var_os("PATH").and_then(|path| path.into_string().ok());
        Self {
            options,
            machine,
            path: path
                .filter(|path| !path.is_empty())
                .unwrap_or_else(|| DEFAULT_PATH.to_owned()),
            changing: Mutex::new(()),
            starting_holder: Mutex::new(()),
            copying: Mutex::new(()),
            changed: watch::Sender::new(0),
            verified: StdMutex::new(BTreeSet::new()),
        }
    }

    pub(crate) fn launcher(&self) -> Launcher {
        let (program, arguments) = &self.options.shim;
        Launcher {
            args: arguments.iter().map(OsString::from).collect(),
            ..Launcher::new(program)
        }
    }

    /// Wakes everyone who waits for a change of an instance.
    pub(crate) fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
