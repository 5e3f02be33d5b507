//! The one place that reads options, the environment and inherited descriptors.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use crate::config::{Config, Limits};
use crate::error::HolderError;

/// The first descriptor of the socket activation protocol (sd_listen_fds(3)).
const FIRST: i32 = 3;
/// More descriptors than this are not taken.
const MOST: i32 = 8192;

/// Descriptors that a supervisor kept, by name.
#[derive(Debug, Default)]
pub struct Inherited {
    by_name: BTreeMap<String, Vec<OwnedFd>>,
}

impl Inherited {
    /// Descriptors from elsewhere than the environment.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, OwnedFd)>) -> Self {
        let mut by_name = BTreeMap::<_, Vec<_>>::new();
        for (name, fd) in pairs {
            by_name.entry(name).or_default().push(fd);
        }
        Self { by_name }
    }

    /// Takes all descriptors of a name.
    pub(crate) fn take(&mut self, name: &str) -> Vec<OwnedFd> {
        self.by_name.remove(name).unwrap_or_default()
    }

    /// Takes all descriptors whose name begins so.
    pub(crate) fn take_prefixed(&mut self, prefix: &str) -> Vec<(String, OwnedFd)> {
        let names: Vec<_> = self
            .by_name
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect();
        names
            .into_iter()
            .flat_map(|name| {
                self.take(&name)
                    .into_iter()
                    .map(move |fd| (name.clone(), fd))
            })
            .collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Closes all, so that no duplicate elsewhere goes on listening.
    pub(crate) fn shut(self) {
        for socket in self.by_name.values().flatten() {
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }

    /// The names that nobody took.
    pub(crate) fn names(&self) -> Vec<String> {
        self.by_name.keys().cloned().collect()
    }
}

/// Reads `--state-dir DIR --control PATH --home NAME [--workers N]` and the environment:
/// `LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES` (sd_listen_fds(3)) and `CONSORT_FDSTORE`.
///
/// Call it once, before anything else opens descriptors.
///
/// # Errors
/// [`HolderError::Usage`] for a missing, unknown or malformed option.
pub fn arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Config, HolderError> {
    let (inherited, fd_store) = environment();
    let (mut state_dir, mut control, mut home, mut workers) = (None, None, None, default_workers());
    let mut arguments = arguments.into_iter();
    while let Some(option) = arguments.next() {
        let name = option.to_string_lossy().into_owned();
        let value = arguments
            .next()
            .ok_or_else(|| HolderError::Usage(format!("option {name} needs a value")))?;
        match name.as_str() {
            "--state-dir" => state_dir = Some(PathBuf::from(value)),
            "--control" => control = Some(PathBuf::from(value)),
            "--home" => home = Some(value.to_string_lossy().into_owned()),
            "--workers" => workers = parse_workers(&value.to_string_lossy())?,
            _ => {
                return Err(HolderError::Usage(format!(
                    "unknown option {name}; known are --state-dir, --control, --home and --workers"
                )));
            }
        }
    }
    let missing = |option: &str| HolderError::Usage(format!("option {option} is missing"));
    Ok(Config {
        home: home.ok_or_else(|| missing("--home"))?,
        state_dir: state_dir.ok_or_else(|| missing("--state-dir"))?,
        control: control.ok_or_else(|| missing("--control"))?,
        fd_store,
        inherited,
        workers,
        limits: Limits::default(),
    })
}

fn parse_workers(text: &str) -> Result<usize, HolderError> {
    match text.parse() {
        Ok(workers @ 1..=16) => Ok(workers),
        _ => Err(HolderError::Usage(format!(
            "--workers takes a number from 1 to 16, not {text:?}"
        ))),
    }
}

/// Two threads carry what two cores can; more would only cost memory on the machines this runs on.
fn default_workers() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(2)
}

/// The descriptors and the path of the shim's control socket that the environment tells of.
pub fn environment() -> (Inherited, Option<PathBuf>) {
    let text = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let meant_for_us = text("LISTEN_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let count = text("LISTEN_FDS")
        .and_then(|count| count.parse::<i32>().ok())
        .unwrap_or(0)
        .clamp(0, MOST);
    let names = text("LISTEN_FDNAMES").unwrap_or_default();
    let inherited = if meant_for_us {
        take_descriptors(count, &names)
    } else {
        Inherited::default()
    };
    (
        inherited,
        std::env::var_os("CONSORT_FDSTORE")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from),
    )
}

#[expect(
    unsafe_code,
    reason = "descriptors that the supervisor hands over by number"
)]
fn take_descriptors(count: i32, names: &str) -> Inherited {
    let mut names = names.split(':');
    let mut pairs = Vec::new();
    for number in FIRST..FIRST + count {
        let name = names.next().unwrap_or("unknown").to_owned();
        // SAFETY: only asks the kernel for the flags of the number; a closed one is an error value.
        let open = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) }).is_ok();
        if open {
            // SAFETY: the number is open and, by the protocol of LISTEN_FDS, belongs to this process's
            // main program alone; `arguments` is called once, before anything else takes descriptors.
            let fd = unsafe { OwnedFd::from_raw_fd(number) };
            debug_assert_eq!(fd.as_raw_fd(), number);
            let _ = fcntl_setfd(&fd, FdFlags::CLOEXEC);
            pairs.push((name, fd));
        }
    }
    Inherited::from_pairs(pairs)
}
