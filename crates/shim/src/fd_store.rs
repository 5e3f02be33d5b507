//! Descriptors that the instance gets back at its next start (sd_listen_fds(3)).

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

use crate::procfs;

/// Kept descriptors in the order in which they came.
#[derive(Default)]
pub(crate) struct FdStore {
    entries: Vec<(String, OwnedFd)>,
    limit: usize,
}

impl FdStore {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            entries: Vec::new(),
            limit: limit as usize,
        }
    }

    /// Keeps one descriptor per name.
    pub(crate) fn store(
        &mut self,
        names: Vec<String>,
        fds: Vec<OwnedFd>,
    ) -> Result<(), (&'static str, String)> {
        if names.len() != fds.len() {
            let message = format!(
                "{} names and {} descriptors; send one descriptor per name",
                names.len(),
                fds.len()
            );
            return Err(("bad_request", message));
        }
        let plain = |name: &str| {
            (1..=200).contains(&name.len())
                && !name.contains(':')
                && !name.chars().any(char::is_control)
        };
        if let Some(name) = names.iter().find(|name| !plain(name)) {
            let message =
                format!("{name:?} is no name: 1 to 200 bytes without `:` and control characters");
            return Err(("bad_request", message));
        }
        let new = names
            .iter()
            .filter(|name| !self.entries.iter().any(|(known, _)| known == *name))
            .count();
        if self.entries.len() + new > self.limit {
            return Err((
                "limit",
                format!("more than {} descriptors; raise `fd_store`", self.limit),
            ));
        }
        for (name, fd) in names.into_iter().zip(fds) {
            self.put(name, fd);
        }
        Ok(())
    }

    fn put(&mut self, name: String, fd: OwnedFd) {
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = fd,
            None => self.entries.push((name, fd)),
        }
    }

    pub(crate) fn remove(&mut self, names: &[String]) {
        self.entries.retain(|(name, _)| !names.contains(name));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn numbers(&self) -> Vec<RawFd> {
        self.entries.iter().map(|(_, fd)| fd.as_raw_fd()).collect()
    }

    /// Names with the inodes by which a rescue finds them again.
    pub(crate) fn inodes(&self) -> Vec<(String, u64)> {
        let inode = |fd: &OwnedFd| rustix::fs::fstat(fd).map_or(0, |stat| stat.st_ino);
        self.entries
            .iter()
            .map(|(name, fd)| (name.clone(), inode(fd)))
            .collect()
    }

    /// Takes the descriptors of a lost shim from the instance itself, which still has them. Gives
    /// the names that it does not have any more.
    pub(crate) fn recover(
        &mut self,
        pidfd: impl AsFd,
        pid: i32,
        known: &[(String, u64)],
    ) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, inode) in known {
            let found = procfs::find_fd(pid, "socket", *inode)
                .and_then(|number| pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty()).ok());
            match found {
                Some(fd) => self.put(name.clone(), fd),
                None => lost.push(name.clone()),
            }
        }
        lost
    }
}
