//! Why the port holder cannot start or go on.

use std::io;
use std::path::PathBuf;

/// A failure that ends the port holder.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// A wrong option or variable.
    #[error("{0}")]
    Usage(String),
    /// The state folder or the control socket cannot be used.
    #[error("cannot use {}: {what}", path.display())]
    Path {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, and how to mend it.
        what: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The folder of state or control socket is open to others.
    #[error("{} is not private (owner {owner}, mode {mode:o}); it must belong to this user with mode 700", path.display())]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Its permissions.
        mode: u32,
    },
    /// Another process serves this home.
    #[error("another port holder serves this home (it holds {}); end it first, or use another home", path.display())]
    AlreadyRunning {
        /// The lock file.
        path: PathBuf,
    },
    /// Threads or signals could not be set up.
    #[error("cannot start the port holder's {what}")]
    Runtime {
        /// Which part.
        what: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

impl HolderError {
    pub(crate) fn path(
        path: impl Into<PathBuf>,
        what: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Path { path, what, source }
    }
}
