//! A home with a port holder process.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use consort_portholder::{
    Client, Events, ListenerKey, ListenerSpec, Mode, TargetSpec, TargetState,
};
use tempfile::TempDir;

use super::PATIENCE;
use super::shim::Shim;

pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) shim: Shim,
    child: Option<Child>,
}

impl Home {
    /// A home whose port holder runs.
    pub(crate) fn start() -> Self {
        let mut home = Self::prepare();
        home.launch();
        home
    }

    /// A home without a process yet.
    pub(crate) fn prepare() -> Self {
        let dir = TempDir::new().unwrap();
        let shim = Shim::start(dir.path().join("shim.sock"));
        Self {
            dir,
            shim,
            child: None,
        }
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.dir.path().join("run/control")
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.dir.path().join("state/ports.json")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consort-portholder"));
        command
            .arg("--state-dir")
            .arg(self.dir.path().join("state"))
            .arg("--control")
            .arg(self.control());
        command
            .arg("--home")
            .arg(self.dir.path())
            .env("CONSORT_FDSTORE", self.shim.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the process with what the shim keeps, and waits until it serves.
    pub(crate) fn launch(&mut self) {
        let kept = self.shim.kept();
        let mut command = self.command();
        pass(&mut command, &kept);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let serving = lines
            .by_ref()
            .map(Result::unwrap)
            .inspect(|line| eprintln!("holder: {line}"))
            .any(|line| line.contains("serving at"));
        assert!(serving, "the port holder ended: {:?}", child.wait());
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| eprintln!("holder: {line}"))
        });
        self.child = Some(child);
    }

    /// `kill -9`, and waits for the end.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.child.take().unwrap().wait().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.control(), PATIENCE).unwrap()
    }

    pub(crate) fn events(&self) -> Events {
        self.client().watch().unwrap()
    }

    /// Resident memory of the process in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let pid = self.child.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Hands descriptors over as numbers from 3 on, as a shim does.
fn pass(command: &mut Command, kept: &[(String, OwnedFd)]) {
    let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
    command
        .env("LISTEN_FDS", kept.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"));
    let numbers: Vec<RawFd> = kept.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
    // SAFETY: only async-signal-safe calls (fcntl, dup2) between fork and exec; no allocation.
    unsafe {
        command.pre_exec(move || {
            // Out of the way first, so that no number is overwritten before it was used.
            let mut high = [0; 64];
            for (place, number) in high.iter_mut().zip(&numbers) {
                *place = libc::fcntl(*number, libc::F_DUPFD_CLOEXEC, 200);
            }
            for (index, number) in high.iter().take(numbers.len()).enumerate() {
                if *number < 0 || libc::dup2(*number, 3 + index as i32) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}

pub(crate) fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

pub(crate) fn key(name: &str) -> ListenerKey {
    ListenerKey::new(name).unwrap()
}

pub(crate) fn spec(name: &str) -> ListenerSpec {
    ListenerSpec::tcp(key(name), loopback(), 0)
}

pub(crate) fn http_spec(name: &str) -> ListenerSpec {
    ListenerSpec {
        mode: Mode::Http,
        ..spec(name)
    }
}

pub(crate) fn target(id: &str, address: SocketAddr) -> TargetSpec {
    TargetSpec {
        id: id.to_owned(),
        address: address.ip(),
        port: address.port(),
        state: TargetState::Ready,
        watch: None,
    }
}

pub(crate) fn watched(
    id: &str,
    address: SocketAddr,
    state: TargetState,
    shim: PathBuf,
) -> TargetSpec {
    TargetSpec {
        state,
        watch: Some(shim),
        ..target(id, address)
    }
}
