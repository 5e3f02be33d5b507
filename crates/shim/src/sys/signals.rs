//! Signals: received through a descriptor, sent through a pidfd.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use super::check;

/// Signals that the shim handles, in its loop.
const HANDLED: [libc::c_int; 4] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// Blocks the handled signals and gives a descriptor that reads them.
pub(crate) fn block_and_open_signalfd() -> io::Result<OwnedFd> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before anything reads it; the calls get valid pointers;
    // the descriptor that comes back is new and ours.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in HANDLED {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        check(libc::sigprocmask(
            libc::SIG_BLOCK,
            set.as_ptr(),
            std::ptr::null_mut(),
        ))?;
        let fd = check(libc::signalfd(
            -1,
            set.as_ptr(),
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// In a child before exec: every signal back to its default, none blocked.
pub(crate) fn reset_signals() {
    // SAFETY: the action is zeroed (default handler, empty mask) and valid; errors (SIGKILL, SIGSTOP,
    // numbers that the C library reserves) do not matter.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=64 {
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// Sends a signal to exactly the process that the pidfd names.
pub(crate) fn pidfd_signal(pidfd: impl AsFd, signal: i32) -> io::Result<()> {
    let (fd, no_info) = (
        pidfd.as_fd().as_raw_fd(),
        std::ptr::null::<libc::siginfo_t>(),
    );
    // SAFETY: no signal information is passed; the rest are integers.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, no_info, 0) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Sends a signal to a child of ours that is not reaped yet (so its number is its own), and to all
/// of its group if it has made one by now.
pub(crate) fn kill_group(leader: i32, signal: i32) {
    if leader > 1 {
        // SAFETY: integers only.
        if unsafe { libc::kill(-leader, signal) } < 0 {
            // SAFETY: integers only. A process that is gone is what the caller wants.
            unsafe { libc::kill(leader, signal) };
        }
    }
}
