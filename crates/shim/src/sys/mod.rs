//! All `unsafe` of the crate: system calls that rustix does not have, and process creation.
//!
//! The shim has one thread (checked by [`crate::supervisor::run`] at its start). So after a fork the
//! child is a full copy, no lock is held by a thread that is gone, and the allocator may be used.
#![expect(
    unsafe_code,
    reason = "the one module for system calls without a safe wrapper"
)]

mod fork;
mod signals;

pub(crate) use fork::{Forked, exec, exit_now, fork, fork_process};
pub(crate) use signals::{block_and_open_signalfd, kill_group, pidfd_signal, reset_signals};

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::record::Usage;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// One child that ended, reaped.
pub(crate) struct Reaped {
    pub(crate) pid: i32,
    pub(crate) status: i32,
    pub(crate) usage: Usage,
}

/// Reaps one ended child, if there is one. Never blocks.
pub(crate) fn reap() -> Option<Reaped> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are valid for writes for the time of the call.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
    if pid <= 0 {
        return None;
    }
    // SAFETY: zeroed is a valid `rusage` (plain integers), and the kernel has filled it.
    let usage = unsafe { usage.assume_init() };
    let ms = |t: libc::timeval| u64::try_from(t.tv_sec * 1000 + t.tv_usec / 1000).unwrap_or(0);
    let max_rss = u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024;
    Some(Reaped {
        pid,
        status,
        usage: Usage {
            user_ms: ms(usage.ru_utime),
            system_ms: ms(usage.ru_stime),
            max_rss,
        },
    })
}

/// The raw wait status of an ended process that is not our child, where the kernel can tell
/// (`PIDFD_GET_INFO` with `PIDFD_INFO_EXIT`, Linux 6.15; only after its parent has reaped it).
pub(crate) fn pidfd_exit_status(pidfd: impl AsFd) -> Option<i32> {
    const INFO_EXIT: u64 = 1 << 3;
    /// `struct pidfd_info`, first published size (include/uapi/linux/pidfd.h).
    #[repr(C)]
    #[derive(Default)]
    struct PidfdInfo {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    const _: () = assert!(size_of::<PidfdInfo>() == 64);
    // _IOWR(0xFF, 11, struct pidfd_info)
    const GET_INFO: u64 = (3 << 30) | (64 << 16) | (0xFF << 8) | 11;
    let mut info = PidfdInfo {
        mask: INFO_EXIT,
        ..PidfdInfo::default()
    };
    // SAFETY: the structure has the size that the request encodes and is valid for reads and writes.
    let result = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), GET_INFO as _, &raw mut info) };
    (result == 0 && info.mask & INFO_EXIT != 0).then_some(info.exit_code)
}

/// Puts `from` at the number `to` (inherited across exec, also if both are equal).
pub(crate) fn place(from: RawFd, to: RawFd) -> io::Result<()> {
    if from == to {
        // SAFETY: plain fcntl on a number; no memory is involved.
        check(unsafe { libc::fcntl(from, libc::F_SETFD, 0) })?;
    } else {
        // SAFETY: only used in a child between clone and exec, which owns its whole descriptor table.
        check(unsafe { libc::dup2(from, to) })?;
    }
    Ok(())
}

/// Writes to a descriptor by number, once, for a message that fits into an empty pipe.
pub(crate) fn write_raw(fd: RawFd, bytes: &[u8]) {
    // SAFETY: the buffer is valid for reads of its length. A closed number is an error, which is ignored.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}

/// A copy of a descriptor with a number of at least `least`, closed on exec.
pub(crate) fn copy_above(fd: RawFd, least: RawFd) -> io::Result<RawFd> {
    // SAFETY: plain fcntl on a number; no memory is involved.
    check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) })
}

/// Marks all descriptors from `first` on as closed on exec.
pub(crate) fn close_on_exec_from(first: RawFd) {
    let first = libc::c_uint::try_from(first).unwrap_or(3);
    // SAFETY: changes flags only. An older kernel refuses; all our descriptors are close-on-exec anyway.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
}

/// Takes ownership of a descriptor that was given to this process by number at its start.
///
/// Called once per number, for the standard descriptors, before anything else uses them.
pub(crate) fn take_standard(number: RawFd) -> io::Result<OwnedFd> {
    let copy = copy_above(number, 3)?;
    // SAFETY: `copy` was just made and is owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Makes standard input the controlling terminal of this (new) session.
pub(crate) fn take_terminal() -> io::Result<()> {
    // SAFETY: an ioctl with an integer argument.
    check(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) }).map(drop)
}

/// Leaves namespaces of the parent.
pub(crate) fn unshare(flags: rustix::thread::UnshareFlags) -> io::Result<()> {
    // SAFETY: descriptor tables are not unshared (flags hold namespaces only), and there is one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}
