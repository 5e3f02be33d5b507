//! Finding out what became of instances, after a restart of the server.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::{Client, ClientError};
use crate::procfs;
use crate::protocol::Status;
use crate::record::{self, Exit, PidRecord};
use crate::spec::Spec;

/// A shim answers from its loop, in far less.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Dead or hanging sockets cost their time at once, not one after the other.
const PARALLEL: usize = 32;

/// What became of one instance.
#[derive(Debug)]
pub enum Found {
    /// Its shim answers. The instance may be over: see [`Status::state`].
    Alive {
        /// The connection.
        client: Box<Client>,
        /// The status.
        status: Box<Status>,
    },
    /// Its shim is gone and has left this record.
    Exited(Box<Exit>),
    /// Its shim was killed; the main process runs. [`crate::launch`] on the directory takes it over.
    ShimLost {
        /// The main process.
        pid: i32,
    },
    /// A shim owns the directory and does not answer: it hangs, or is just beginning.
    Stuck {
        /// What was tried.
        reason: String,
    },
    /// Nothing runs and no end is recorded. [`crate::launch`] starts anew, after it has killed what may be left.
    Gone {
        /// How that is known.
        reason: String,
    },
    /// The machine was booted since: nothing runs.
    OtherBoot,
}

/// Asks all state directories, in parallel; each takes about a second at most. The order is kept.
pub fn adopt(state_dirs: &[PathBuf]) -> Vec<(PathBuf, Found)> {
    let mut all: Vec<(PathBuf, Found)> = Vec::with_capacity(state_dirs.len());
    for group in state_dirs.chunks(PARALLEL) {
        let found: Vec<Found> = std::thread::scope(|scope| {
            let threads: Vec<_> = group.iter().map(|dir| scope.spawn(|| look(dir))).collect();
            let lost = |_| Found::Stuck {
                reason: "the look-up failed".to_owned(),
            };
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(lost))
                .collect()
        });
        all.extend(group.iter().cloned().zip(found));
    }
    all
}

fn look(dir: &Path) -> Found {
    let spec = match Spec::load(dir) {
        Ok(spec) => spec,
        Err(error) => return without_shim(dir, &error.to_string()),
    };
    let asked = Client::connect(&spec.control, TIMEOUT).and_then(|mut client| {
        let status = client.state()?;
        Ok((client, status))
    });
    match asked {
        Ok((client, status)) if client.id == spec.id => Found::Alive {
            client: Box::new(client),
            status: Box::new(status),
        },
        Ok((client, _)) => Found::Gone {
            reason: format!("another instance, {}, answers at its socket", client.id),
        },
        Err(error) if is_locked(dir) => Found::Stuck {
            reason: text_of(&error),
        },
        Err(error) => without_shim(dir, &text_of(&error)),
    }
}

fn text_of(error: &ClientError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Whether a shim lives on the directory, answering or not.
pub(super) fn is_locked(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join(record::LOCK_FILE)) else {
        return false;
    };
    fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).is_ok_and(|holder| holder.is_some())
}

/// No shim: the records say what is known. The pid counts before the end of an earlier run.
fn without_shim(dir: &Path, why: &str) -> Found {
    let pid: io::Result<Option<PidRecord>> = record::read_json(dir, record::PID_FILE);
    let exit: io::Result<Option<Exit>> = record::read_json(dir, record::EXIT_FILE);
    let boot = procfs::boot_id().unwrap_or_default();
    match (pid, exit) {
        (Ok(Some(pid)), _)
            if pid.boot_id == boot && procfs::open_exact(pid.pid, pid.starttime).is_some() =>
        {
            Found::ShimLost { pid: pid.pid }
        }
        (_, Ok(Some(exit))) => Found::Exited(Box::new(exit)),
        (Ok(Some(pid)), _) if pid.boot_id != boot => Found::OtherBoot,
        (Ok(Some(pid)), _) => Found::Gone {
            reason: format!("process {} has ended without a shim", pid.pid),
        },
        (Ok(None), _) => Found::Gone {
            reason: format!("it was never started ({why})"),
        },
        (Err(error), _) => Found::Gone {
            reason: format!("its records cannot be read: {error}"),
        },
    }
}
