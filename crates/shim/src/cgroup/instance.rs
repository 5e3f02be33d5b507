//! The groups of one instance.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Host, Level, limits};
use crate::spec::Cgroup;

/// The folders of one instance, whatever the level.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    /// The v2 folder, above `main`, `exec`, `probeN`.
    v2: Option<PathBuf>,
    /// v1 folders that members write themselves into.
    v1: Vec<PathBuf>,
    /// The v1 folder by which members are found where there is no v2.
    v1_tracking: Option<PathBuf>,
    memory_v1: Option<PathBuf>,
    pub(crate) level: Level,
    pub(crate) not_enforced: Vec<String>,
    /// Folders made for it, deepest last.
    made: Vec<PathBuf>,
}

impl Instance {
    /// Makes the groups and sets the limits. Never fails: what does not work is said in `not_enforced`.
    pub(crate) fn make(asked: Option<&Cgroup>) -> Self {
        let mut this = Self::default();
        let Some(asked) = asked else { return this };
        let host = Host::detect();
        if let Some(base) = &host.v2 {
            let group = base.join(&asked.name);
            limits::enable_controllers(base, &group, &host.v2_controllers);
            match this.make_v2(&group) {
                Ok(()) => this.v2 = Some(group),
                Err(error) => this.not_enforced.push(format!(
                    "tracking by cgroup v2: {}: {error}",
                    group.display()
                )),
            }
        }
        this.set_limits(asked, &host);
        if this.v2.is_none()
            && let Some(freezer) = host.v1.get("freezer")
        {
            this.add_v1(&freezer.join(&asked.name));
        }
        this.v1_tracking = this.v1.last().cloned();
        this.level = match (this.v2.is_some(), limits::in_v2(&host), this.v1.is_empty()) {
            (true, true, _) => Level::V2,
            (true, false, false) => Level::Hybrid,
            (true, false, true) => Level::V2Tracking,
            (false, _, false) => Level::V1,
            (false, _, true) => Level::None,
        };
        this
    }

    /// The groups that are there already, for clearing away what a lost shim left. Makes nothing.
    pub(crate) fn find(asked: Option<&Cgroup>) -> Self {
        let mut this = Self::default();
        let Some(asked) = asked else { return this };
        let host = Host::detect();
        let v1 = host.v1.values().map(|root| root.join(&asked.name));
        this.v2 = host
            .v2
            .map(|base| base.join(&asked.name))
            .filter(|group| group.is_dir());
        this.v1 = v1.filter(|group| group.is_dir()).collect();
        this.v1.dedup();
        this.v1_tracking = this.v1.last().cloned();
        let leaves = this
            .v2
            .iter()
            .flat_map(|group| [group.clone(), group.join("main"), group.join("exec")]);
        this.made = leaves.chain(this.v1.iter().cloned()).collect();
        this
    }

    fn make_v2(&mut self, group: &Path) -> io::Result<()> {
        for leaf in ["main", "exec"] {
            make_folder(&group.join(leaf))?;
        }
        self.made
            .extend([group.to_owned(), group.join("main"), group.join("exec")]);
        Ok(())
    }

    fn set_limits(&mut self, asked: &Cgroup, host: &Host) {
        for limit in limits::all(&asked.limits) {
            let v2 = self.v2.as_ref().filter(|_| {
                host.v2_controllers
                    .iter()
                    .any(|known| known == limit.controller)
            });
            let result = if let Some(group) = v2 {
                limit.write_v2(&group.join("main"))
            } else if let Some(root) = host.v1.get(limit.controller) {
                let group = root.join(&asked.name);
                self.add_v1(&group);
                limit.write_v1(&group)
            } else {
                Err(io::Error::other(format!(
                    "this machine gives no cgroup controller `{}`",
                    limit.controller
                )))
            };
            if let Err(error) = result {
                self.not_enforced
                    .push(format!("{} {}: {error}", limit.name, limit.value));
            }
        }
        self.memory_v1 = host
            .v1
            .get("memory")
            .map(|root| root.join(&asked.name))
            .filter(|group| self.v1.contains(group));
    }

    fn add_v1(&mut self, group: &Path) {
        if self.v1.iter().any(|known| known == group) {
            return;
        }
        match make_folder(group) {
            Ok(()) => {
                self.v1.push(group.to_owned());
                self.made.push(group.to_owned());
            }
            Err(error) => self
                .not_enforced
                .push(format!("cgroup {}: {error}", group.display())),
        }
    }

    /// The files into which a child writes `0` to join, v1 and v2. A leaf that is not there is made.
    pub(crate) fn join_files(&self, leaf: &str) -> Vec<PathBuf> {
        let v2 = self.v2.as_ref().map(|group| group.join(leaf));
        if let Some(path) = &v2 {
            let _ = fs::create_dir(path);
        }
        self.v1
            .iter()
            .chain(&v2)
            .map(|group| group.join("cgroup.procs"))
            .collect()
    }

    /// The folder by which members are found.
    pub(crate) fn tracking(&self) -> Option<&Path> {
        self.v2.as_deref().or(self.v1_tracking.as_deref())
    }

    /// Groups in which members may be, all of them.
    pub(super) fn leaves(&self) -> Vec<PathBuf> {
        let Some(v2) = &self.v2 else {
            return self.v1_tracking.clone().into_iter().collect();
        };
        let entries = fs::read_dir(v2).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect()
    }

    pub(super) fn leaf(&self, leaf: &str) -> Option<PathBuf> {
        self.v2.as_ref().map(|group| group.join(leaf))
    }

    /// How many processes the kernel has killed for memory here.
    pub(crate) fn oom_kills(&self) -> u64 {
        let v2 = self
            .v2
            .as_ref()
            .map(|group| group.join("main/memory.events"));
        let v1 = self
            .memory_v1
            .as_ref()
            .map(|group| group.join("memory.oom_control"));
        let count = |path: PathBuf| {
            let text = fs::read_to_string(path).ok()?;
            text.lines()
                .find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok())
        };
        v2.into_iter().chain(v1).filter_map(count).sum()
    }

    /// Removes the groups, and parents of theirs that are empty then. Gives those that are still there.
    pub(crate) fn remove(&self) -> Vec<PathBuf> {
        let mut left = Vec::new();
        for leaf in self
            .leaves()
            .iter()
            .filter(|leaf| !self.made.contains(leaf))
        {
            let _ = fs::remove_dir(leaf);
        }
        for path in self.made.iter().rev() {
            match fs::remove_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => left.push(path.clone()),
                _ => {}
            }
        }
        // The folders above carry names of ours alone if they were made for our name; a folder in use stays.
        for root in self.v2.iter().chain(&self.v1) {
            let above = root
                .ancestors()
                .skip(1)
                .take_while(|path| path.join("cgroup.procs").exists());
            for path in above.take(7) {
                if fs::remove_dir(path).is_err() {
                    break;
                }
            }
        }
        left
    }
}

/// Makes a folder and those above it. The end of another instance may remove one above in between.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut result = fs::create_dir_all(path);
    for _ in 0..10 {
        match &result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                result = fs::create_dir_all(path)
            }
            _ => break,
        }
    }
    result
}
