//! Files of which nobody else may read a byte, and which are there after a power cut.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use consort_journal::StoreError;

#[cfg(target_os = "linux")]
use crate::error::failed;
use crate::error::with_file;

/// Makes a folder that only its owner may enter, and its parents.
pub(crate) fn make_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(with_file("make the folder", dir))?;
    match dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(with_file("sync the folder", dir))
}

/// Makes an empty file that only its owner may read, unless it is there; says whether it was made.
pub(crate) fn make_private(path: &Path) -> Result<bool, StoreError> {
    match create_private(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(path, private)
                .map_err(with_file("make private", path))
                .map(|()| false)
        }
        Err(error) => Err(with_file("make the file", path)(error)),
    }
}

/// Makes a new file that only its owner may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Writes a whole private file, so that it is there with all of its bytes or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    remove_if_there(temporary)?;
    let written = create_private(temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    });
    written.map_err(with_file("write", path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Removes a file that may be gone already.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(with_file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Bytes that an ordinary user may still write to the file system of a path.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let system = rustix::fs::statvfs(path)
        .map_err(|error| with_file("ask for free space of", path)(error.into()))?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// WAL needs memory that all its processes share, and locks that hold: network file systems have
/// neither. (`linux/magic.h`)
#[cfg(target_os = "linux")]
const NETWORK: [(u64, &str); 6] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x5346_414F, "AFS"),
    (0x7375_7245, "Coda"),
];

/// Refuses a folder on a network file system, where that can be seen.
#[cfg(target_os = "linux")]
pub(crate) fn refuse_network(dir: &Path) -> Result<(), StoreError> {
    let system = rustix::fs::statfs(dir)
        .map_err(|error| with_file("ask for the file system of", dir)(error.into()))?;
    // Magic numbers are 32 bits; the type of the field differs between platforms.
    let magic = system.f_type as u64 & 0xFFFF_FFFF;
    match NETWORK.iter().find(|(known, _)| *known == magic) {
        None => Ok(()),
        Some((_, name)) => Err(failed(
            "use this folder",
            format!(
                "{} is on {name}, which cannot keep a database safe; set CONSORT_HOME to a local folder",
                dir.display()
            ),
        )),
    }
}

/// Refuses a folder on a network file system, where that can be seen.
#[cfg(not(target_os = "linux"))]
pub(crate) fn refuse_network(_dir: &Path) -> Result<(), StoreError> {
    Ok(())
}
