//! What this machine has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Controllers that limits need.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// The hierarchies in which this process may make groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The v2 folder below which groups are made: the root of the mount, or the own (delegated) group.
    pub v2: Option<PathBuf>,
    /// Controllers that v2 has there.
    pub v2_controllers: Vec<String>,
    /// v1 controllers and their roots.
    pub v1: BTreeMap<String, PathBuf>,
}

impl Host {
    /// Looks at the mounts and at what may be written. Reads only.
    pub fn detect() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::from_texts(&mounts, &own)
    }

    fn from_texts(mounts: &str, own: &str) -> Self {
        let mut host = Self::default();
        for (mount, kind, options) in mounts.lines().filter_map(cut_mount) {
            match kind {
                "cgroup2" if host.v2.is_none() => host.v2 = writable_v2(&mount, own),
                "cgroup" => {
                    for controller in options
                        .split(',')
                        .filter(|name| CONTROLLERS.contains(name) || *name == "freezer")
                    {
                        if may_write(&mount) {
                            host.v1.insert(controller.to_owned(), mount.clone());
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(v2) = &host.v2 {
            let text = fs::read_to_string(v2.join("cgroup.controllers")).unwrap_or_default();
            host.v2_controllers = text.split_ascii_whitespace().map(str::to_owned).collect();
        }
        host
    }

    /// Whether a limit by this controller (`cpu`, `memory`, `pids`) can be enforced.
    pub fn can_limit(&self, controller: &str) -> bool {
        self.v1.contains_key(controller)
            || self.v2_controllers.iter().any(|known| known == controller)
    }

    /// The rung of the ladder, for `doctor` and plans.
    pub fn level(&self) -> super::Level {
        let v2_limits = CONTROLLERS
            .iter()
            .any(|name| self.v2_controllers.iter().any(|known| known == name));
        let v1_limits = CONTROLLERS.iter().any(|name| self.v1.contains_key(*name));
        match (self.v2.is_some(), v2_limits, v1_limits) {
            (true, true, _) => super::Level::V2,
            (true, false, true) => super::Level::Hybrid,
            (true, false, false) => super::Level::V2Tracking,
            (false, _, true) => super::Level::V1,
            (false, _, false) => super::Level::None,
        }
    }
}

/// Mount point, type and super-block options of a line of proc_pid_mountinfo(5).
fn cut_mount(line: &str) -> Option<(PathBuf, &str, &str)> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    let (root, mount) = (before.nth(3)?, before.next()?);
    let mut after = after.split(' ');
    // A hierarchy that is mounted from a group inside a container still has its own root there.
    let _ = root;
    Some((
        PathBuf::from(mount.replace("\\040", " ")),
        after.next()?,
        after.nth(1).unwrap_or_default(),
    ))
}

/// The root of the mount if we may write there, else our own group if it was delegated to us.
fn writable_v2(mount: &Path, own: &str) -> Option<PathBuf> {
    if may_write(mount) {
        return Some(mount.to_owned());
    }
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = mount.join(path);
    may_write(&group).then_some(group)
}

fn may_write(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(
        CWD,
        path,
        Access::WRITE_OK | Access::EXEC_OK,
        AtFlags::EACCESS,
    )
    .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_mountinfo_lines_with_and_without_optional_fields() {
        let line = "31 23 0:27 / /sys/fs/cgroup/my\\040cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct";
        let expected = (
            PathBuf::from("/sys/fs/cgroup/my cpu"),
            "cgroup",
            "rw,cpu,cpuacct",
        );
        assert_eq!(cut_mount(line), Some(expected));
        assert_eq!(cut_mount("garbage"), None);
    }

    #[test]
    fn a_machine_without_cgroups_has_level_none() {
        assert_eq!(Host::from_texts("", "").level(), crate::cgroup::Level::None);
    }
}
