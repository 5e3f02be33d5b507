//! One instance per test, in a folder of its own, which leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use consort_shim::protocol::{State, Status};
use consort_shim::record::{self, Exit};
use consort_shim::spec::{Cgroup, Check, Logging, Probe, Process, Spec};
use consort_shim::{
    Client, Found, LaunchError, Launcher, SecretValues, Started, adopt, launch, logs,
};

/// Nothing here takes long; on a busy machine it may.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Instance {
    folder: tempfile::TempDir,
    pub(crate) spec: Spec,
    pub(crate) launcher: Launcher,
    pub(crate) secrets: SecretValues,
}

impl Instance {
    /// A shell script as a service, in a cgroup where this machine has them.
    pub(crate) fn new(script: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("shim")
            .permissions(private())
            .tempdir()
            .unwrap();
        let id = folder
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        fs::create_dir(folder.path().join("state")).unwrap();
        let env = BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("DIR".to_owned(), folder.path().display().to_string()),
        ]);
        let process = Process {
            program: "sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env,
            ..Process::default()
        };
        let spec = Spec {
            format: 1,
            site: "local".to_owned(),
            home: "test".to_owned(),
            address: "services.api#1".to_owned(),
            control: folder.path().join("c"),
            process,
            secrets: Vec::new(),
            secret_files: Vec::new(),
            namespaces: Default::default(),
            mounts: Vec::new(),
            hosts: None,
            hostname: None,
            cgroup: Some(Cgroup {
                name: format!("consort-test/{id}"),
                limits: Default::default(),
            }),
            probes: Vec::new(),
            mode: Default::default(),
            restart: Default::default(),
            stop: Default::default(),
            logging: Logging::default(),
            on_shim_loss: Default::default(),
            fd_store: 0,
            supervises_others: false,
            linger_ms: 60_000,
            id,
        };
        let launcher = Launcher::new(env!("CARGO_BIN_EXE_consort-shim"));
        Self {
            folder,
            spec,
            launcher,
            secrets: SecretValues::default(),
        }
    }

    /// The folder that scripts know as `$DIR`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The instance is ready when the script has made this file in `$DIR`.
    pub(crate) fn ready_when(mut self, file: &str) -> Self {
        let path = self.folder.path().join(file).display().to_string();
        let check = Check::Exec {
            argv: vec!["/usr/bin/test".to_owned(), "-e".to_owned(), path],
        };
        self.spec.probes.push(Probe {
            interval_ms: 50,
            retries: 100_000,
            ..Probe::new(check)
        });
        self
    }

    pub(crate) fn try_launch(&self) -> Result<Started, LaunchError> {
        self.spec.store(&self.state_dir()).unwrap();
        launch(&self.state_dir(), &self.launcher, &self.secrets)
    }

    /// Launches and watches.
    pub(crate) fn launch(&self) -> Client {
        self.try_launch().unwrap();
        self.watch()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.spec.control, LIMIT).unwrap()
    }

    pub(crate) fn watch(&self) -> Client {
        let mut client = self.client();
        client.watch().unwrap();
        client
    }

    pub(crate) fn found(&self) -> Found {
        adopt(&[self.state_dir()]).pop().unwrap().1
    }

    pub(crate) fn exit(&self) -> Option<Exit> {
        record::read_json(&self.state_dir(), record::EXIT_FILE).unwrap()
    }

    /// The text of all records of output, a line each.
    pub(crate) fn output(&self) -> String {
        let mut reader = logs::Reader::open(&self.state_dir());
        let mut text = String::new();
        while let Some(record) = reader.next_record().unwrap() {
            text.push_str(&String::from_utf8_lossy(&record.text));
            text.push('\n');
        }
        text
    }

    /// Processes that carry the instance's tag, the shim not among them.
    pub(crate) fn members(&self) -> Vec<i32> {
        let wanted = format!("CONSORT_INSTANCE=test/{}", self.spec.id).into_bytes();
        let pids = fs::read_dir("/proc").unwrap().flatten();
        pids.filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let environ = fs::read(entry.path().join("environ")).ok()?;
            environ
                .split(|byte| *byte == 0)
                .any(|variable| variable == wanted)
                .then_some(pid)
        })
        .collect()
    }

    /// Nothing runs, listens or stands in a cgroup.
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.members(), Vec::<i32>::new());
        assert!(!self.spec.control.exists(), "the socket is still there");
        for root in ["unified", "cpu", "memory", "pids", "freezer"] {
            let group = Path::new("/sys/fs/cgroup")
                .join(root)
                .join("consort-test")
                .join(&self.spec.id);
            assert!(!group.exists(), "{} is still there", group.display());
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&self.spec.id), "a mount is still there");
    }

    /// Stops it, lets the shim go, and looks that nothing is left.
    pub(crate) fn finish(&self, client: &mut Client) -> Exit {
        client.stop(None, None).unwrap();
        let status = wait(client, |status| status.state.is_over());
        client.ack_exit().unwrap();
        self.wait_gone(client);
        self.assert_nothing_left();
        status.exit.unwrap()
    }

    /// Waits for the end of the connection, which is the end of the shim.
    pub(crate) fn wait_gone(&self, client: &mut Client) {
        while let Ok(event) = client.next_event(LIMIT) {
            assert!(event.is_some(), "the shim does not go");
        }
        let lock = fs::OpenOptions::new()
            .write(true)
            .open(self.state_dir().join(record::LOCK_FILE))
            .unwrap();
        rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Ok(mut client) = Client::connect(&self.spec.control, LIMIT) {
            let _ = client.shutdown(Some(Duration::ZERO));
            while let Ok(Some(_)) = client.next_event(LIMIT) {}
        }
        for pid in self.members() {
            kill(pid, rustix::process::Signal::KILL);
        }
    }
}

pub(crate) fn wait(client: &mut Client, wanted: impl FnMut(&Status) -> bool) -> Status {
    client
        .wait_for(LIMIT, wanted)
        .unwrap()
        .expect("the status did not come in time")
}

pub(crate) fn wait_ready(client: &mut Client) -> Status {
    wait(client, |status| status.ready)
}

pub(crate) fn wait_over(client: &mut Client) -> Exit {
    wait(client, |status| status.state.is_over()).exit.unwrap()
}

pub(crate) fn wait_state(client: &mut Client, state: State) -> Status {
    wait(client, |status| status.state == state)
}

pub(crate) fn kill(pid: i32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Kills a process that is not our child and waits until it is gone.
pub(crate) fn kill_and_wait(pid: i32) {
    let target = rustix::process::Pid::from_raw(pid).unwrap();
    let pidfd = rustix::process::pidfd_open(target, rustix::process::PidfdFlags::empty()).unwrap();
    kill(pid, rustix::process::Signal::KILL);
    wait_pidfd(&pidfd);
}

pub(crate) fn wait_pidfd(pidfd: &rustix::fd::OwnedFd) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec {
        tv_sec: 20,
        tv_nsec: 0,
    };
    let count = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timeout)).unwrap();
    assert_eq!(count, 1, "the process does not end");
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn private() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o700)
}
