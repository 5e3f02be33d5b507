//! The home: the folder of one server and everything that it owns. Two homes never touch each other.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use consort_model::id::HomeId;
use consort_model::{Code, Digest, Problem};

use crate::environment::Environment;

/// Where a home is.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    /// Its folder.
    pub(crate) directory: PathBuf,
    /// A short folder for sockets: their paths may have 107 bytes.
    pub(crate) sockets: PathBuf,
}

impl Home {
    /// The home that is named, or the user's own.
    pub(crate) fn find(named: Option<&Path>, environment: &Environment) -> Result<Self, Problem> {
        let own = || {
            let state = environment.get("XDG_STATE_HOME").map(PathBuf::from);
            state.or_else(|| {
                environment
                    .get("HOME")
                    .map(|home| Path::new(home).join(".local/state"))
            })
        };
        let directory = named
            .map(Path::to_owned)
            .or_else(|| environment.get("CONSORT_HOME").map(PathBuf::from))
            .or_else(|| own().map(|state| state.join("consort")))
            .ok_or_else(|| {
                Problem::new(Code::USAGE, "it is not known where the home is")
                    .remedy("Set CONSORT_HOME, or use `--home`.")
            })?;
        let directory = if directory.is_absolute() {
            directory
        } else {
            environment.directory.join(directory)
        };
        // The same home under two names must have the same sockets.
        let real = std::fs::canonicalize(&directory).unwrap_or_else(|_| directory.clone());
        let name = &Digest::of(real.as_os_str().as_encoded_bytes()).to_string()[..10];
        let root = rustix::process::geteuid().is_root();
        let base = if root {
            PathBuf::from("/run/consort")
        } else {
            environment.get("XDG_RUNTIME_DIR").map_or_else(
                || directory.join("run"),
                |run| Path::new(run).join("consort"),
            )
        };
        Ok(Self {
            directory,
            sockets: base.join(name),
        })
    }

    /// The socket of the server.
    pub(crate) fn socket(&self) -> PathBuf {
        self.sockets.join("server.sock")
    }
    /// The state folder of the server's shim.
    pub(crate) fn server_shim(&self) -> PathBuf {
        self.directory.join("server")
    }

    /// Makes the folders, for the owner alone.
    pub(crate) fn create(&self) -> Result<(), Problem> {
        for folder in [&self.directory, &self.sockets] {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|error| {
                    Problem::new(
                        Code::FILE_UNREADABLE,
                        format!("{} cannot be made", folder.display()),
                    )
                    .caused_by(&error)
                })?;
        }
        // The way from a changed spelling of the path must not change: look again, now that it exists.
        Ok(())
    }

    /// Removes the folder of sockets, when nobody listens there any more.
    pub(crate) fn remove_sockets(&self) {
        // What cannot be removed is of use to nobody, and is made anew when it is needed.
        let _ = std::fs::remove_dir_all(&self.sockets);
        if let Some(all) = self.sockets.parent() {
            let _ = std::fs::remove_dir(all);
        }
    }

    /// The id of the home, made at its first use.
    pub(crate) fn id(&self) -> Result<HomeId, Problem> {
        let path = self.directory.join("id");
        let failed = |error: &std::io::Error| {
            Problem::new(
                Code::FILE_UNREADABLE,
                format!("{} cannot be read or written", path.display()),
            )
            .caused_by(error)
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|error: consort_model::id::IdError| {
                    Problem::new(
                        Code::STORE_CORRUPT,
                        format!("{} holds no id", path.display()),
                    )
                    .caused_by(&error)
                }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut random = [0; 16];
                getrandom::fill(&mut random).map_err(|error| {
                    Problem::new(Code::INTERNAL, "the kernel gives no random bytes")
                        .caused_by(&error)
                })?;
                let id = HomeId::from_bytes(random);
                let mut file = std::fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(self.directory.join("id.new"))
                    .map_err(|error| failed(&error))?;
                writeln!(file, "{id}")
                    .and_then(|()| file.sync_all())
                    .map_err(|error| failed(&error))?;
                std::fs::rename(self.directory.join("id.new"), &path)
                    .map_err(|error| failed(&error))?;
                Ok(id)
            }
            Err(error) => Err(failed(&error)),
        }
    }
}
