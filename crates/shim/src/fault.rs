//! Named points at which a test build can kill the shim.
//!
//! With the feature `fault_points` and `CONSORT_FAULT=name:n` in its environment the shim sends
//! itself SIGKILL at the `n`-th visit (from 1) of that point. Without the feature nothing is compiled in.

/// All points, in the order in which a start and a stop pass them.
pub const POINTS: &[&str] = &[
    "started",
    "locked",
    "socket_bound",
    "cgroup_made",
    "forked",
    "pid_recorded",
    "released",
    "acknowledged",
    "main_exited",
    "tree_cleared",
    "restart_counted",
    "stop_signalled",
    "killed",
    "cgroup_removed",
    "exit_recorded",
    "exit_acknowledged",
];

/// Dies here if the test asked for it.
#[cfg(feature = "fault_points")]
pub(crate) fn point(name: &'static str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static VISITS: AtomicU32 = AtomicU32::new(0);
    debug_assert!(POINTS.contains(&name), "unlisted fault point {name}");
    let Some(wanted) = std::env::var_os("CONSORT_FAULT") else {
        return;
    };
    let wanted = wanted.to_string_lossy();
    let (wanted, visit) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if wanted == name && VISITS.fetch_add(1, Ordering::Relaxed) + 1 == visit.parse().unwrap_or(1) {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing in this build.
#[cfg(not(feature = "fault_points"))]
pub(crate) fn point(_name: &'static str) {}
