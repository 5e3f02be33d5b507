//! Clearing away an instance that has no shim and shall not be started again.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::adopt::is_locked;
use crate::cgroup::{Instance, Tree};
use crate::record::{self, PidRecord};
use crate::spec::{Namespaces, Spec, SpecError};
use crate::{procfs, sys};

/// Processes that live longer after SIGKILL hang in the kernel.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// Why something may be left.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A shim owns it: stop it through its shim.
    #[error("a shim owns {}; stop the instance through it", dir.display())]
    HasShim {
        /// The state directory.
        dir: PathBuf,
    },
    /// Without its specification nobody knows what belongs to it.
    #[error("cannot tell what belongs to the instance in {}", dir.display())]
    Unknown {
        /// The state directory.
        dir: PathBuf,
        /// What is wrong with the specification.
        #[source]
        source: SpecError,
    },
    /// Processes that SIGKILL does not end.
    #[error("processes {pids:?} of the instance in {} do not end; they hang in the kernel", dir.display())]
    Hanging {
        /// The state directory.
        dir: PathBuf,
        /// What is left.
        pids: Vec<i32>,
    },
    /// A group or file that cannot be removed.
    #[error("cannot remove {}", path.display())]
    Left {
        /// What is left.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// Kills every process of an instance whose shim is gone and removes its groups, secret files and
/// socket. The state directory stays, with its logs. Repeating it is fine. Blocks 10 s at most.
///
/// # Errors
/// [`SweepError`].
pub fn sweep(state_dir: &Path) -> Result<(), SweepError> {
    let dir = || state_dir.to_owned();
    if is_locked(state_dir) {
        return Err(SweepError::HasShim { dir: dir() });
    }
    let spec =
        Spec::load(state_dir).map_err(|source| SweepError::Unknown { dir: dir(), source })?;
    let (groups, tag) = (Instance::find(spec.cgroup.as_ref()), spec.tag());
    let tree = Tree {
        groups: &groups,
        tag: &tag,
        is_shim: false,
        descendants: !spec.supervises_others,
    };
    let main: Option<PidRecord> = record::read_json(state_dir, record::PID_FILE)
        .ok()
        .flatten();
    let main = main.filter(|main| procfs::boot_id().is_ok_and(|boot| boot == main.boot_id));
    let give_up = Instant::now() + LIMIT;
    loop {
        let exact = main
            .as_ref()
            .and_then(|main| Some((main.pid, procfs::open_exact(main.pid, main.starttime)?)));
        let mut pids = tree.members();
        pids.extend(exact.as_ref().map(|(pid, _)| *pid));
        if pids.is_empty() {
            break;
        }
        if Instant::now() > give_up {
            return Err(SweepError::Hanging { dir: dir(), pids });
        }
        if let Some((_, pidfd)) = &exact {
            let _ = sys::pidfd_signal(pidfd, libc::SIGKILL);
        }
        tree.kill();
        std::thread::sleep(PAUSE);
    }
    remove_traces(&spec, &groups)?;
    let left = |path: PathBuf| move |source| SweepError::Left { path, source };
    record::remove(state_dir, record::PID_FILE).map_err(left(state_dir.join(record::PID_FILE)))
}

fn remove_traces(spec: &Spec, groups: &Instance) -> Result<(), SweepError> {
    if let Some(path) = groups.remove().into_iter().next() {
        return Err(SweepError::Left {
            path,
            source: io::ErrorKind::ResourceBusy.into(),
        });
    }
    let files = spec.secret_files.iter().map(|file| &file.target);
    let files = files
        .filter(|_| spec.namespaces == Namespaces::None)
        .chain([&spec.control]);
    for path in files {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(SweepError::Left {
                    path: path.clone(),
                    source,
                });
            }
            _ => {}
        }
    }
    Ok(())
}
