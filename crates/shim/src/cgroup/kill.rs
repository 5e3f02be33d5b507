//! Finding and killing all processes of an instance.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Instance;
use crate::{procfs, sys};

/// How members are found.
pub(crate) struct Tree<'a> {
    pub(crate) groups: &'a Instance,
    /// `CONSORT_INSTANCE`.
    pub(crate) tag: &'a str,
    /// This process is the shim, so that all its children are members.
    pub(crate) is_shim: bool,
    /// What members started are members too, unless the instance supervises others.
    pub(crate) descendants: bool,
}

impl Tree<'_> {
    /// All living members but the shim itself. Without a cgroup: descendants of the shim (it is their
    /// subreaper), and whoever carries the tag. Not the session: its number is given out again.
    pub(crate) fn members(&self) -> Vec<i32> {
        if self.groups.tracking().is_some() {
            return self
                .groups
                .leaves()
                .iter()
                .flat_map(|leaf| procs(leaf))
                .collect();
        }
        escaped(self.tag, self.is_shim, self.descendants)
    }

    /// Sends SIGKILL to all members, once. The caller repeats it until there are none, for forks race.
    pub(crate) fn kill(&self) {
        let mut by_kernel = true;
        for leaf in self.groups.leaves() {
            by_kernel &= fs::write(leaf.join("cgroup.kill"), "1").is_ok();
        }
        if self.groups.tracking().is_some() && by_kernel {
            return;
        }
        for pid in self.members() {
            kill_exact(pid);
        }
    }

    /// Kills one leaf: a probe that took too long.
    pub(crate) fn kill_leaf(&self, leaf: &str) {
        let Some(path) = self.groups.leaf(leaf) else {
            return;
        };
        if fs::write(path.join("cgroup.kill"), "1").is_err() {
            procs(&path).into_iter().for_each(kill_exact);
        }
    }
}

/// Members of an instance without a cgroup.
fn escaped(tag: &str, is_shim: bool, descendants: bool) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(-1);
    let all: Vec<(i32, procfs::Stat)> = procfs::pids()
        .into_iter()
        .filter(|pid| *pid != own && *pid != 1)
        .filter_map(|pid| Some((pid, procfs::stat(pid).filter(|stat| !stat.zombie)?)))
        .collect();
    let mut members: BTreeSet<i32> = all
        .iter()
        .filter(|(pid, stat)| (is_shim && stat.parent == own) || procfs::is_tagged(*pid, tag))
        .map(|(pid, _)| *pid)
        .collect();
    if !descendants {
        return members.into_iter().collect();
    }
    // Descendants of members; each round adds at least one, so there are at most as many rounds as processes.
    loop {
        let before = members.len();
        let found = all
            .iter()
            .filter(|(_, stat)| members.contains(&stat.parent))
            .map(|(pid, _)| *pid);
        let found: Vec<i32> = found.collect();
        members.extend(found);
        if members.len() == before {
            return members.into_iter().collect();
        }
    }
}

fn procs(group: &Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.parse().ok())
        .filter(|pid| *pid > 1)
        .collect()
}

/// Kills by pidfd: if the pid ends and is given out again meanwhile, the signal goes nowhere.
fn kill_exact(pid: i32) {
    let Some(found) = procfs::stat(pid) else {
        return;
    };
    if let Some(pidfd) = procfs::open_exact(pid, found.starttime) {
        let _ = sys::pidfd_signal(&pidfd, libc::SIGKILL);
    }
}
