//! The instance's own view of the file system.
//!
//! If every target is there already, it is mounted over in a private mount namespace. Else a new root
//! is built, without making anything on the host: a tmpfs in which each folder on the way to a target
//! is *mirrored* (a folder of the tmpfs with the same mode, into which every entry of the host's folder
//! is bound), and what is missing is made there. Then `pivot_root`, and the old root is let go.
//!
//! What a service creates directly in a mirrored folder is in memory and gone with it; existing files
//! and folders are the host's own. [`View::plan`] looks at the host before the process is made;
//! [`View::enter`] runs in the child.

mod enter;
mod plan;

use std::path::PathBuf;

/// What the child does, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) user_namespace: bool,
    pub(crate) hostname: Option<String>,
    /// An empty folder over which the new root is mounted, if there is a new root.
    staging: Option<PathBuf>,
    /// Folders of the new root that mirror one of the host, parents first.
    mirrored: Vec<PathBuf>,
    /// What is mounted, parents first.
    overlays: Vec<Overlay>,
}

#[derive(Debug, PartialEq, Eq)]
struct Overlay {
    target: PathBuf,
    source: Source,
    read_only: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Source {
    Bind {
        path: PathBuf,
        is_dir: bool,
    },
    Tmpfs {
        size: Option<u64>,
        mode: u32,
    },
    File {
        content: Vec<u8>,
        mode: u32,
        uid: Option<u32>,
        gid: Option<u32>,
    },
}

/// What the plan is made from.
pub(crate) struct Wanted<'a> {
    pub(crate) spec: &'a crate::Spec,
    pub(crate) secrets: &'a crate::secrets::Secrets,
    /// The file that becomes `/etc/hosts`.
    pub(crate) hosts_file: Option<PathBuf>,
    /// See [`View::staging`].
    pub(crate) staging: PathBuf,
}
