//! Building the view, in the child, before credentials are dropped.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, StatVfsMountFlags, Uid, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, mount_remount, unmount,
};
use rustix::process::{chdir, getgid, getuid, pivot_root};
use rustix::thread::UnshareFlags;

use super::{Overlay, Source, View};
use crate::sys;

/// Bounds the mounts of one instance: a mirrored folder with more entries is refused.
const MAX_ENTRIES: usize = 4096;

/// What went wrong where.
pub(crate) struct Fault {
    pub(crate) place: String,
    pub(crate) source: io::Error,
}

fn at<E: Into<io::Error>>(place: impl std::fmt::Display) -> impl FnOnce(E) -> Fault {
    move |error| Fault {
        place: place.to_string(),
        source: error.into(),
    }
}

impl View {
    /// Leaves the host's namespaces and builds the view.
    pub(crate) fn enter(&self) -> Result<(), Fault> {
        // Folders on the way to targets can be passed by the program's user.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let mut flags = UnshareFlags::NEWNS;
        if self.hostname.is_some() {
            flags |= UnshareFlags::NEWUTS;
        }
        if self.user_namespace {
            self.enter_user_namespace(flags)?;
        } else {
            sys::unshare(flags).map_err(at("a mount namespace"))?;
        }
        if let Some(name) = &self.hostname {
            rustix::system::sethostname(name.as_bytes()).map_err(at("the host name"))?;
        }
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(at("mounts of its own"))?;
        let root = match &self.staging {
            Some(staging) => {
                self.build_root(staging)?;
                staging.clone()
            }
            None => PathBuf::from("/"),
        };
        let files = self.open_files(&root)?;
        for (index, overlay) in self.overlays.iter().enumerate() {
            overlay.lay(&root, &files, index)?;
        }
        close_files(&files).map_err(at("secret files"))?;
        if self.staging.is_some() {
            change_root(&root).map_err(at("the new root"))?;
        }
        Ok(())
    }

    /// One user, with the same number inside and outside.
    fn enter_user_namespace(&self, flags: UnshareFlags) -> Result<(), Fault> {
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        sys::unshare(flags | UnshareFlags::NEWUSER).map_err(at("a user and mount namespace"))?;
        let write = |file: &str, text: String| {
            fs::write(format!("/proc/self/{file}"), text).map_err(at(file))
        };
        write("setgroups", "deny".to_owned())?;
        write("uid_map", format!("{uid} {uid} 1"))?;
        write("gid_map", format!("{gid} {gid} 1"))
    }

    /// A file system in memory on which files get their content before they are bound to their
    /// targets. Its folder is gone before the program runs; the mounts of single files stay.
    fn open_files(&self, root: &Path) -> Result<Option<PathBuf>, Fault> {
        if !self
            .overlays
            .iter()
            .any(|overlay| matches!(overlay.source, Source::File { .. }))
        {
            return Ok(None);
        }
        let folder = root.join(".consort-files");
        fs::create_dir(&folder).map_err(at("secret files"))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("tmpfs", &folder, "tmpfs", flags, c"mode=0700,size=16m")
            .map_err(at("secret files"))?;
        Ok(Some(folder))
    }

    fn build_root(&self, staging: &Path) -> Result<(), Fault> {
        mount(
            "tmpfs",
            staging,
            "tmpfs",
            MountFlags::empty(),
            c"mode=0755,size=64m,nr_inodes=65536",
        )
        .map_err(at("a file system in memory"))?;
        // An unbindable mount is left out when the folder that holds it is bound into itself.
        mount_change(staging, MountPropagationFlags::UNBINDABLE).map_err(at("the new root"))?;
        let mut budget = MAX_ENTRIES;
        for folder in &self.mirrored {
            self.mirror(staging, folder, &mut budget)?;
        }
        Ok(())
    }

    fn mirror(&self, staging: &Path, folder: &Path, budget: &mut usize) -> Result<(), Fault> {
        let inside = within(staging, folder);
        let found = fs::metadata(folder).map_err(at(folder.display()))?;
        if folder != Path::new("/") {
            fs::create_dir_all(&inside).map_err(at(folder.display()))?;
        }
        // Fails for owners that a user namespace does not know; then it is the instance's own.
        let _ = std::os::unix::fs::chown(
            &inside,
            Some(std::os::unix::fs::MetadataExt::uid(&found)),
            Some(std::os::unix::fs::MetadataExt::gid(&found)),
        );
        fs::set_permissions(&inside, found.permissions()).map_err(at(folder.display()))?;
        for entry in fs::read_dir(folder).map_err(at(folder.display()))? {
            let entry = entry.map_err(at(folder.display()))?;
            *budget = budget.checked_sub(1).ok_or_else(|| Fault {
                place: format!(
                    "{} (more than {MAX_ENTRIES} entries on the way to a mount)",
                    folder.display()
                ),
                source: io::ErrorKind::FileTooLarge.into(),
            })?;
            let path = entry.path();
            if self.mirrored.contains(&path) {
                continue;
            }
            match bind_entry(&path, &within(staging, &path)) {
                // It went away since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(at(path.display()))?,
            }
        }
        Ok(())
    }
}

fn bind_entry(path: &Path, inside: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_symlink() {
        return symlink(fs::read_link(path)?, inside);
    }
    if kind.is_dir() {
        fs::create_dir(inside)?;
        return Ok(mount_bind_recursive(path, inside)?);
    }
    File::create_new(inside)?;
    Ok(mount_bind(path, inside)?)
}

impl Overlay {
    fn lay(&self, root: &Path, files: &Option<PathBuf>, index: usize) -> Result<(), Fault> {
        let target = within(root, &self.target);
        let place = || self.target.display().to_string();
        let is_dir = !matches!(
            self.source,
            Source::Bind { is_dir: false, .. } | Source::File { .. }
        );
        let exists = fs::symlink_metadata(&target).is_ok();
        if !exists {
            make_target(&target, is_dir).map_err(at(place()))?;
        }
        match &self.source {
            Source::Bind { path, .. } => {
                mount_bind_recursive(path, &target).map_err(at(place()))?
            }
            Source::Tmpfs { size, mode } => {
                let size = size.map_or_else(String::new, |size| format!(",size={size}"));
                let data =
                    std::ffi::CString::new(format!("mode={mode:o}{size}")).map_err(at(place()))?;
                let flags = MountFlags::NOSUID | MountFlags::NODEV;
                mount("tmpfs", &target, "tmpfs", flags, data.as_c_str()).map_err(at(place()))?;
            }
            Source::File {
                content,
                mode,
                uid,
                gid,
            } => {
                let Some(folder) = files else { return Ok(()) };
                let file = folder.join(index.to_string());
                write_file(&file, content, *mode, *uid, *gid).map_err(at(place()))?;
                mount_bind(&file, &target).map_err(at(place()))?;
            }
        }
        if self.read_only {
            make_read_only(&target).map_err(at(place()))
        } else {
            Ok(())
        }
    }
}

fn close_files(folder: &Option<PathBuf>) -> io::Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    unmount(folder, UnmountFlags::DETACH)?;
    fs::remove_dir(folder)
}

fn make_target(target: &Path, is_dir: bool) -> io::Result<()> {
    if is_dir {
        return fs::create_dir_all(target);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    File::create_new(target).map(drop)
}

fn write_file(
    path: &Path,
    content: &[u8],
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    if uid.is_some() || gid.is_some() {
        fchown(
            &file,
            uid.map(|id| Uid::from_raw(id).as_raw()),
            gid.map(|id| Gid::from_raw(id).as_raw()),
        )?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))
}

/// A remount must keep the flags that the mount has: in a user namespace they are locked.
fn make_read_only(target: &Path) -> io::Result<()> {
    let now = statvfs(target)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (has, keep) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if now.contains(has) {
            flags |= keep;
        }
    }
    Ok(mount_remount(target, flags, c"")?)
}

/// pivot_root(2): the old root lands on top of the new one and is let go.
fn change_root(root: &Path) -> io::Result<()> {
    chdir(root)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    // The program may bind what is in its own root.
    Ok(mount_change("/", MountPropagationFlags::PRIVATE)?)
}

fn within(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
