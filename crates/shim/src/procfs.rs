//! What is read from `/proc`.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Two of the fields of `/proc/PID/stat` after the name (which may contain anything).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) parent: i32,
    pub(crate) starttime: u64,
    pub(crate) zombie: bool,
}

/// Reads and cuts `/proc/PID/stat`.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text
        .get(text.rfind(')')? + 1..)?
        .split_ascii_whitespace()
        .collect();
    // The first field here is the third of the manual page proc_pid_stat(5).
    Some(Stat {
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        starttime: fields.get(19)?.parse().ok()?,
    })
}

/// The id of this boot.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// A pidfd of exactly the process with this start time, if it still runs. The descriptor is opened
/// first and the time compared after, so that a pid that was given out again is never taken.
pub(crate) fn open_exact(pid: i32, starttime: u64) -> Option<OwnedFd> {
    let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    stat(pid)
        .is_some_and(|found| found.starttime == starttime && !found.zombie)
        .then_some(pidfd)
}

/// The program of a process (default: this one), as a path.
pub(crate) fn exe(pid: Option<i32>) -> Option<String> {
    let of = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let link = fs::read_link(format!("/proc/{of}/exe"))
        .ok()?
        .display()
        .to_string();
    Some(
        link.strip_suffix(" (deleted)")
            .map_or_else(|| link.clone(), str::to_owned),
    )
}

/// All pids.
pub(crate) fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// Whether the environment of a process holds `CONSORT_INSTANCE=tag`.
pub(crate) fn is_tagged(pid: i32, tag: &str) -> bool {
    let wanted = format!("CONSORT_INSTANCE={tag}");
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
        environ
            .split(|byte| *byte == 0)
            .any(|variable| variable == wanted.as_bytes())
    })
}

/// The descriptor of a process whose link reads `kind:[inode]`.
pub(crate) fn find_fd(pid: i32, kind: &str, inode: u64) -> Option<i32> {
    let wanted = format!("{kind}:[{inode}]");
    fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .find_map(|entry| {
            let link = fs::read_link(entry.path()).ok()?;
            (link.as_os_str() == wanted.as_str())
                .then(|| entry.file_name().to_str()?.parse().ok())?
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_a_stat_line_whose_name_has_brackets_and_blanks() {
        let line = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 991 1 2 3";
        let expected = Stat {
            parent: 1,
            starttime: 991,
            zombie: false,
        };
        assert_eq!(parse_stat(line), Some(expected));
        assert_eq!(parse_stat("7 (cut"), None);
    }

    #[test]
    fn refuses_a_pid_with_another_start_time() {
        let me = i32::try_from(std::process::id()).unwrap();
        let start = stat(me).unwrap().starttime;
        assert!(open_exact(me, start).is_some());
        assert!(open_exact(me, start + 1).is_none());
    }
}
