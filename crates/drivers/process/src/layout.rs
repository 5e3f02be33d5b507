//! Where everything is.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use consort_driver::{Context, DriverError};
use consort_model::{Code, Digest};

use crate::error;

/// The folders and sockets of one deployment in one home.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
    deployment: String,
    sockets: PathBuf,
}

impl Layout {
    /// Those of the context's deployment.
    pub(crate) fn of(context: &Context) -> Result<Self, DriverError> {
        let name = &context.deployment;
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if name.is_empty() || name.starts_with('.') || name.len() > 128 || !plain {
            let message = format!("`{name}` cannot be the name of a deployment here");
            return Err(DriverError::new(Code::USAGE, message)
                .remedy("Use letters, digits, `-` and `_`, at most 128 of them."));
        }
        Ok(Self {
            deployment: name.clone(),
            ..Self::of_home(context)
        })
    }

    /// Those of the home, for what belongs to no deployment.
    pub(crate) fn of_home(context: &Context) -> Self {
        Self {
            root: context.home_directory.join("process"),
            deployment: ".none".into(),
            sockets: context.socket_directory.clone(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
    pub(crate) fn deployment(&self) -> PathBuf {
        self.root.join(&self.deployment)
    }
    pub(crate) fn instances(&self) -> PathBuf {
        self.deployment().join("instances")
    }
    pub(crate) fn tasks(&self) -> PathBuf {
        self.deployment().join("tasks")
    }
    pub(crate) fn volumes(&self) -> PathBuf {
        self.deployment().join("volumes")
    }
    pub(crate) fn configs(&self) -> PathBuf {
        self.deployment().join("configs")
    }
    pub(crate) fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }
    /// The shim and the state of the port holder.
    pub(crate) fn holder(&self) -> PathBuf {
        self.root.join(".portholder")
    }
    pub(crate) fn holder_socket(&self) -> PathBuf {
        self.sockets.join("ports.sock")
    }
    pub(crate) fn holder_shim_socket(&self) -> PathBuf {
        self.sockets.join("ports-shim.sock")
    }
    /// The folder of the shims' control sockets.
    pub(crate) fn shim_sockets(&self) -> PathBuf {
        self.sockets.join("i")
    }
    /// The control socket of an instance or task; short, whatever its name.
    pub(crate) fn control(&self, id: &str) -> PathBuf {
        let name = Digest::of(format!("{}/{id}", self.deployment).as_bytes()).to_string();
        self.shim_sockets().join(&name[..16])
    }
}

/// Makes a folder and those above it, for the owner alone.
pub(crate) fn private(path: &Path) -> Result<(), DriverError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(error::file(format!("{} cannot be made", path.display())))
}

/// Removes a folder with all that is in it; that it is gone is fine.
pub(crate) fn remove_tree(path: &Path) -> Result<(), DriverError> {
    let removed = match std::fs::remove_dir_all(path) {
        Err(failed) if failed.kind() == std::io::ErrorKind::PermissionDenied => {
            // Folders of programs are read only, which binds their owner too unless that is root.
            make_writable(path, 0);
            std::fs::remove_dir_all(path)
        }
        other => other,
    };
    match removed {
        Err(failed) if failed.kind() != std::io::ErrorKind::NotFound => {
            Err(error::file(format!("{} cannot be removed", path.display()))(failed))
        }
        _ => Ok(()),
    }
}

fn make_writable(path: &Path, depth: usize) {
    use std::os::unix::fs::PermissionsExt;
    let is_folder = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    if !is_folder || depth > 64 {
        return;
    }
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        make_writable(&entry.path(), depth + 1);
    }
}

/// Removes a folder if it is empty.
pub(crate) fn remove_if_empty(path: &Path) {
    let _ = std::fs::remove_dir(path);
}

/// The folders in a folder, by name; none if there is no such folder.
pub(crate) fn folders(path: &Path) -> Result<Vec<PathBuf>, DriverError> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(failed) if failed.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(failed) => {
            return Err(error::file(format!("{} cannot be read", path.display()))(
                failed,
            ));
        }
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found)
}
