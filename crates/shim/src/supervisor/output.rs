//! The pipes of the instance's output.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use crate::child;
use crate::logs::{Lines, RAW_FILE, Sink};
use crate::procfs;
use crate::secrets::Secrets;
use crate::spec::{LogMode, Logging, User};
use crate::time::Timestamp;

/// What waits in a pipe while there is no shim.
const PIPE_SIZE: usize = 256 * 1024;
/// At most so much is read of one stream before the loop looks at everything else.
const TURN: usize = 64 * 1024;
const NAMES: [&str; 2] = ["stdout", "stderr"];

/// Reading ends, and where it goes.
pub(super) struct Output {
    dir: PathBuf,
    mode: LogMode,
    scrub: bool,
    sink: Sink,
    pipes: [Option<File>; 2],
    lines: [Lines; 2],
}

/// What the child gets as stdout and stderr.
pub(super) struct Ends {
    pub(super) fds: [OwnedFd; 2],
    /// Inodes of the pipes, for a rescue.
    pub(super) pipes: Option<[u64; 2]>,
}

impl Output {
    pub(super) fn new(dir: &Path, logging: &Logging, dropped: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            mode: logging.mode,
            scrub: logging.scrub,
            sink: Sink::new(dir, logging, dropped),
            pipes: [None, None],
            lines: [Lines::default(), Lines::default()],
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.sink.dropped()
    }

    /// Makes the ends for a new run.
    pub(super) fn open(&mut self, user: Option<&User>) -> io::Result<Ends> {
        match self.mode {
            LogMode::None => Ok(Ends {
                fds: [child::null()?, child::null()?],
                pipes: None,
            }),
            LogMode::File => {
                let path = self.dir.join(RAW_FILE);
                let file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(path)?;
                Ok(Ends {
                    fds: [file.try_clone()?.into(), file.into()],
                    pipes: None,
                })
            }
            LogMode::Pipe => {
                let (out, out_inode) = self.open_pipe(0, user)?;
                let (err, err_inode) = self.open_pipe(1, user)?;
                Ok(Ends {
                    fds: [out, err],
                    pipes: Some([out_inode, err_inode]),
                })
            }
        }
    }

    /// The instance's end is open for reading too, so that there is a reader as long as there is a
    /// writer: the loss of the shim is no SIGPIPE.
    fn open_pipe(&mut self, index: usize, user: Option<&User>) -> io::Result<(OwnedFd, u64)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        // Refused beyond a user's share of pipe memory; the default of 64 KiB does, too.
        let _ = fcntl_setpipe_size(&write, PIPE_SIZE);
        fcntl_setfl(&read, OFlags::NONBLOCK)?;
        if let Some(user) = user {
            // So that the program can open `/dev/stdout`.
            let (uid, gid) = (
                rustix::fs::Uid::from_raw(user.uid),
                rustix::fs::Gid::from_raw(user.gid),
            );
            let _ = rustix::fs::fchown(&write, Some(uid), Some(gid));
        }
        let both = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/self/fd/{}", write.as_raw_fd()))?;
        let inode = rustix::fs::fstat(&both)?.st_ino;
        self.pipes[index] = Some(File::from(read));
        Ok((both.into(), inode))
    }

    /// Opens the pipes of a lost shim through a process that still holds them. Gives what is lost.
    pub(super) fn reopen(&mut self, pipes: [u64; 2], members: &[i32]) -> Vec<&'static str> {
        let mut lost = Vec::new();
        for (index, inode) in pipes.into_iter().enumerate() {
            let found = members.iter().find_map(|pid| {
                let number = procfs::find_fd(*pid, "pipe", inode)?;
                let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(libc::O_NONBLOCK);
                OpenOptions::new()
                    .read(true)
                    .custom_flags(flags)
                    .open(format!("/proc/{pid}/fd/{number}"))
                    .ok()
            });
            match found {
                Some(file) => self.pipes[index] = Some(file),
                None => lost.push(NAMES[index]),
            }
        }
        lost
    }

    /// The reading ends that are open.
    pub(super) fn open_pipes(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        use std::os::fd::AsFd;
        self.pipes
            .iter()
            .enumerate()
            .filter_map(|(index, pipe)| Some((index, pipe.as_ref()?.as_fd())))
    }

    /// Reads one stream for one turn. True if there may be more.
    pub(super) fn read(&mut self, index: usize, secrets: &Secrets) -> bool {
        let Some(mut pipe) = self.pipes[index].take() else {
            return false;
        };
        let (mut buffer, mut total) = ([0; 16 * 1024], 0);
        let more = loop {
            match pipe.read(&mut buffer) {
                Ok(0) => {
                    self.finish(index, secrets);
                    self.sink.flush();
                    return false;
                }
                Ok(count) => {
                    self.take(index, &buffer[..count], secrets);
                    total += count;
                    if total >= TURN {
                        break true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(_) => return false,
            }
        };
        self.sink.flush();
        self.pipes[index] = Some(pipe);
        more
    }

    fn take(&mut self, index: usize, bytes: &[u8], secrets: &Secrets) {
        let (sink, now, scrub) = (&mut self.sink, Timestamp::now(), self.scrub);
        self.lines[index].push(bytes, |line, more| {
            if scrub {
                secrets.scrub(line);
            }
            sink.add(now, NAMES[index], more, line);
        });
    }

    fn finish(&mut self, index: usize, secrets: &Secrets) {
        let (sink, now, scrub) = (&mut self.sink, Timestamp::now(), self.scrub);
        self.lines[index].finish(|line, more| {
            if scrub {
                secrets.scrub(line);
            }
            sink.add(now, NAMES[index], more, line);
        });
    }

    /// The end of a run: reads what is there and closes. No process of the instance is left, so
    /// what a pipe holds is bounded by its size.
    pub(super) fn close(&mut self, secrets: &Secrets) {
        for index in 0..2 {
            while self.read(index, secrets) {}
            self.finish(index, secrets);
            self.pipes[index] = None;
        }
        self.sink.flush();
    }
}
