//! Process creation and the way out of it.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::check;

/// Which of the two this process is now.
pub(crate) enum Forked {
    /// The old one.
    Parent { pid: i32, pidfd: OwnedFd },
    /// The new one. It must end in [`exec`] or [`exit_now`], never return to the caller's loop.
    Child,
}

/// A new process, with a pidfd.
///
/// Not `clone3(CLONE_INTO_CGROUP)`: since Linux 6.14 the kernel compares the count of kills of the
/// parent's group with that of the target, and kills a child that is born into a group in which
/// `cgroup.kill` was ever written. The child writes itself into its groups instead, before it
/// executes anything, so nothing of it can escape.
///
/// # Errors
/// What the kernel says, for example `EAGAIN` at a limit of processes.
pub(crate) fn fork_process() -> io::Result<Forked> {
    let Some(pid) = fork()? else {
        return Ok(Forked::Child);
    };
    // The child is ours and not reaped yet, so its pid cannot be another's.
    let pidfd = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Forked::Parent {
        pid,
        pidfd: pidfd_open(pidfd, PidfdFlags::empty())?,
    })
}

/// A plain fork. `None` in the child.
pub(crate) fn fork() -> io::Result<Option<i32>> {
    // SAFETY: one thread, see the module; the child has its own copy of all memory.
    match check(unsafe { libc::fork() })? {
        0 => Ok(None),
        pid => Ok(Some(pid)),
    }
}

/// Ends this process at once: no destructors, no flushing of buffers shared with the parent.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: always allowed.
    unsafe { libc::_exit(code) }
}

/// Executes a program; returns only with the error.
pub(crate) fn exec(program: &CStr, args: &[CString], env: &[CString]) -> io::Error {
    let pointers = |list: &[CString]| {
        let mut all: Vec<*const libc::c_char> = list.iter().map(|s| s.as_ptr()).collect();
        all.push(std::ptr::null());
        all
    };
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: all strings end in NUL, both lists end in a null pointer, and all live until the call is over.
    unsafe { libc::execve(program.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}
