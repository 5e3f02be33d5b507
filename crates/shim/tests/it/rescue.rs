use std::os::fd::AsFd;
use std::path::PathBuf;

use consort_shim::record::{self, PidRecord};
use consort_shim::spec::OnShimLoss;
use consort_shim::{Found, LaunchError, adopt};

use crate::support::{Instance, kill, kill_and_wait, wait, wait_pidfd, wait_ready};

/// Answers SIGUSR1 by a line, a file and, at the end, exit code 6.
const SCRIPT: &str = "trap 'echo asked; touch $DIR/asked' USR1; trap 'echo bye; exit 6' TERM; echo hello; touch $DIR/up; \
                      while :; do sleep 60 & wait; done";

#[test]
fn a_service_outlives_its_shim_and_a_new_one_takes_it_over() {
    let mut instance = Instance::new(SCRIPT).ready_when("up");
    instance.spec.probes[0].interval_ms = 50;
    let started = instance.try_launch().unwrap();
    let mut client = instance.watch();
    wait_ready(&mut client);
    kill_and_wait(started.shim);
    assert!(matches!(instance.found(), Found::ShimLost { pid } if pid == started.pid));
    // What it writes while there is no shim waits for the new one; no SIGPIPE ends it.
    kill(started.pid, rustix::process::Signal::USR1);
    let again = instance.try_launch().unwrap();
    assert_eq!((again.rescued, again.pid), (true, started.pid));
    assert_ne!(again.shim, started.shim);
    let mut client = instance.watch();
    assert!(wait_ready(&mut client).rescued);
    assert!(
        matches!(instance.found(), Found::Alive { status, .. } if status.pid == Some(started.pid))
    );
    let null = std::fs::File::open("/dev/null").unwrap();
    let until = format!(
        "until test -e {}/asked; do :; done",
        instance.folder().display()
    );
    let stdio = [null.as_fd(), null.as_fd(), null.as_fd()];
    instance
        .client()
        .exec(&["sh", "-c", &until], stdio, crate::support::LIMIT)
        .unwrap()
        .unwrap();
    let exit = instance.finish(&mut client);
    assert!(
        exit.stopped && (exit.unknown || exit.code == Some(6)),
        "{exit:?}"
    );
    assert_eq!(instance.output(), "hello\nasked\nbye\n");
}

#[test]
fn a_rescued_instance_that_ends_by_itself_follows_its_policy() {
    let mut instance = Instance::new(
        "test -e $DIR/up || { touch $DIR/up; exec sleep 600; }; touch $DIR/second; exec sleep 600",
    );
    instance.spec.restart.policy = consort_shim::spec::RestartPolicy::OnFailure;
    instance.spec.restart.initial_ms = 1;
    let mut instance = instance.ready_when("up");
    instance.spec.cgroup = None;
    let started = instance.try_launch().unwrap();
    wait_ready(&mut instance.watch());
    kill_and_wait(started.shim);
    instance.try_launch().unwrap();
    let mut client = instance.watch();
    kill(started.pid, rustix::process::Signal::KILL);
    let status = wait(&mut client, |status| status.ready && status.restarts == 1);
    let exit = status.last_exit.unwrap();
    assert!(exit.unknown || exit.signal == Some(9), "{exit:?}");
    instance.finish(&mut client);
}

#[test]
fn a_service_dies_with_its_shim_if_asked() {
    let mut instance = Instance::new(SCRIPT).ready_when("up");
    instance.spec.on_shim_loss = OnShimLoss::Kill;
    let started = instance.try_launch().unwrap();
    wait_ready(&mut instance.watch());
    let pid = rustix::process::Pid::from_raw(started.pid).unwrap();
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    kill_and_wait(started.shim);
    wait_pidfd(&pidfd);
    assert!(matches!(instance.found(), Found::Gone { .. }));
    // A new start clears what may be left and begins anew.
    assert!(!instance.try_launch().unwrap().rescued);
    let mut client = instance.watch();
    wait_ready(&mut client);
    instance.finish(&mut client);
}

#[test]
fn kept_descriptors_come_back_at_a_restart_and_after_a_rescue() {
    let script = "echo ${LISTEN_FDS:-none} ${LISTEN_FDNAMES:-none}; test -z \"$LISTEN_PID\" || [ $LISTEN_PID = $$ ] && \
                  readlink /proc/self/fd/3 | cut -d: -f1; test -n \"$CONSORT_FDSTORE\" && touch $DIR/up; exec sleep 600";
    let mut instance = Instance::new(script).ready_when("up");
    instance.spec.fd_store = 2;
    let started = instance.try_launch().unwrap();
    let mut client = instance.watch();
    wait_ready(&mut client);
    let listeners = [
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
    ];
    let fds = [listeners[0].as_fd(), listeners[1].as_fd()];
    client.store_fds(&["web", "admin"], &fds).unwrap();
    assert!(
        client.store_fds(&["third"], &fds[..1]).is_err(),
        "over the limit"
    );
    assert!(
        client.store_fds(&["a:b"], &fds[..1]).is_err(),
        "a name with a colon"
    );
    assert!(
        client.store_fds(&["web"], &fds).is_err(),
        "more descriptors than names"
    );
    drop(listeners);
    client.restart(None).unwrap();
    let status = wait(&mut client, |status| status.ready && status.restarts == 1);
    assert_eq!(status.fds, ["web", "admin"]);
    kill_and_wait(started.shim.max(client.shim));
    instance.try_launch().unwrap();
    let mut client = instance.watch();
    let status = wait_ready(&mut client);
    assert_eq!(
        (status.fds, status.warnings),
        (vec!["web".to_owned(), "admin".to_owned()], vec![])
    );
    client.restart(None).unwrap();
    wait(&mut client, |status| status.ready && status.restarts == 2);
    let output = instance.output();
    assert_eq!(
        output,
        "none none\n2 web:admin\nsocket\n2 web:admin\nsocket\n"
    );
    instance.finish(&mut client);
}

#[test]
fn one_shim_per_directory() {
    let instance = Instance::new("exec sleep 600");
    let mut client = instance.launch();
    assert!(matches!(
        instance.try_launch(),
        Err(LaunchError::AlreadyRunning { .. })
    ));
    instance.finish(&mut client);
}

#[test]
fn adopts_many_at_once_and_tells_them_apart() {
    let running = Instance::new("exec sleep 600");
    let mut client = running.launch();
    let rebooted = Instance::new("");
    rebooted.spec.store(&rebooted.state_dir()).unwrap();
    let mut pid = PidRecord {
        pid: 1,
        starttime: 1,
        boot_id: "another".to_owned(),
        cgroup: None,
        shim: 2,
        shim_exe: String::new(),
        pipes: None,
        started_at: String::new(),
    };
    let write = |instance: &Instance, pid: &PidRecord| {
        std::fs::write(
            instance.state_dir().join(record::PID_FILE),
            serde_json::to_vec(pid).unwrap(),
        )
        .unwrap();
    };
    write(&rebooted, &pid);
    let reused = Instance::new("");
    reused.spec.store(&reused.state_dir()).unwrap();
    pid.boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap()
        .trim()
        .to_owned();
    write(&reused, &pid);
    let never = Instance::new("");
    let cut = Instance::new("");
    std::fs::write(cut.state_dir().join("spec.json"), "{\"format\": 1, \"id").unwrap();
    let dirs: Vec<PathBuf> = [&running, &rebooted, &reused, &never, &cut]
        .iter()
        .map(|one| one.state_dir())
        .collect();
    let found = adopt(&dirs);
    let kinds: Vec<&str> = found
        .iter()
        .map(|(_, found)| match found {
            Found::Alive { .. } => "alive",
            Found::Exited(_) => "exited",
            Found::ShimLost { .. } => "lost",
            Found::Stuck { .. } => "stuck",
            Found::Gone { .. } => "gone",
            Found::OtherBoot => "other boot",
        })
        .collect();
    assert_eq!(kinds, ["alive", "other boot", "gone", "gone", "gone"]);
    running.finish(&mut client);
}

#[test]
fn a_hanging_shim_is_said_to_hang() {
    let instance = Instance::new("exec sleep 600");
    let started = instance.try_launch().unwrap();
    kill(started.shim, rustix::process::Signal::STOP);
    assert!(matches!(instance.found(), Found::Stuck { .. }));
    kill(started.shim, rustix::process::Signal::CONT);
    let mut client = instance.watch();
    instance.finish(&mut client);
}

#[test]
fn a_specification_of_a_newer_format_is_refused() {
    let mut instance = Instance::new("");
    instance.spec.format = 1;
    instance.spec.store(&instance.state_dir()).unwrap();
    let path = instance.state_dir().join("spec.json");
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replacen("\"format\":1", "\"format\":2", 1);
    std::fs::write(&path, text).unwrap();
    let launched =
        consort_shim::launch(&instance.state_dir(), &instance.launcher, &instance.secrets);
    match launched {
        Err(LaunchError::BadSpec { message }) => assert!(message.contains("format 2"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sweep_clears_away_what_has_no_shim_and_only_that() {
    let script = "(setsid sleep 600 &); touch $DIR/up; exec sleep 600";
    for cgroup in [true, false] {
        let mut instance = Instance::new(script).ready_when("up");
        if !cgroup {
            instance.spec.cgroup = None;
        }
        let started = instance.try_launch().unwrap();
        let mut client = instance.watch();
        wait_ready(&mut client);
        let refused = consort_shim::sweep(&instance.state_dir());
        assert!(
            matches!(refused, Err(consort_shim::SweepError::HasShim { .. })),
            "{refused:?}"
        );
        kill_and_wait(started.shim);
        consort_shim::sweep(&instance.state_dir()).unwrap();
        instance.assert_nothing_left();
        assert!(matches!(instance.found(), Found::Gone { .. }));
        consort_shim::sweep(&instance.state_dir()).unwrap();
    }
}
