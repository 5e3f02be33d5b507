use std::time::Duration;

use consort_shim::protocol::State;
use consort_shim::spec::{Mode, RestartPolicy};
use consort_shim::{ClientError, Found, LaunchError};

use crate::support::{Instance, wait, wait_over, wait_ready, wait_state};

#[test]
fn starts_a_program_and_stops_it_with_its_signal() {
    let script = "trap 'echo bye; exit 3' TERM; echo hello; touch $DIR/up; while :; do sleep 60 & wait; done";
    let instance = Instance::new(script).ready_when("up");
    let mut client = instance.launch();
    let status = wait_ready(&mut client);
    assert_eq!(status.state, State::Running);
    assert!(instance.members().contains(&status.pid.unwrap()));
    let exit = instance.finish(&mut client);
    assert_eq!(
        (exit.code, exit.signal, exit.stopped),
        (Some(3), None, true)
    );
    assert_eq!(instance.output(), "hello\nbye\n");
    assert_eq!(instance.exit(), Some(exit));
}

#[test]
fn reports_why_a_program_cannot_be_executed_and_leaves_nothing() {
    let mut instance = Instance::new("");
    for (program, cwd, errno, part) in [
        (
            "no-such-program",
            None,
            2,
            "cannot execute no-such-program: No such file",
        ),
        (
            "/etc/passwd",
            None,
            13,
            "cannot execute /etc/passwd: Permission denied",
        ),
        (
            "/bin/sh",
            Some("/no/such/folder"),
            2,
            "working directory /no/such/folder",
        ),
    ] {
        instance.spec.process.program = program.to_owned();
        instance.spec.process.cwd = cwd.map(Into::into);
        match instance.try_launch() {
            Err(LaunchError::Exec {
                message,
                errno: found,
            }) => {
                assert_eq!(found, errno, "{program}");
                assert!(message.contains(part), "{message}");
            }
            other => panic!("{program}: {other:?}"),
        }
        instance.assert_nothing_left();
        assert!(matches!(instance.found(), Found::Gone { .. }), "{program}");
    }
}

#[test]
fn kills_a_program_that_ignores_its_stop_signal_after_the_grace() {
    let mut instance =
        Instance::new("trap '' TERM; touch $DIR/up; while :; do sleep 60; done").ready_when("up");
    instance.spec.stop.grace_ms = 100;
    let mut client = instance.launch();
    wait_ready(&mut client);
    let exit = instance.finish(&mut client);
    assert_eq!(
        (exit.signal, exit.stopped, exit.leftover),
        (Some(9), true, 0)
    );
}

#[test]
fn kills_what_forked_away() {
    let script = "(setsid sh -c 'trap \"\" TERM HUP; touch $DIR/up; while :; do sleep 60; done' &) ; exec sleep 600";
    for cgroup in [true, false] {
        let mut instance = Instance::new(script).ready_when("up");
        if !cgroup {
            instance.spec.cgroup = None;
        }
        let mut client = instance.launch();
        wait_ready(&mut client);
        assert!(instance.members().len() >= 3);
        let exit = instance.finish(&mut client);
        assert_eq!(exit.signal, Some(15), "with cgroup: {cgroup}");
    }
}

#[test]
fn clears_what_a_program_leaves_when_it_ends_by_itself() {
    let instance = Instance::new("setsid sleep 600 & setsid sleep 600 & exit 4");
    let mut client = instance.launch();
    assert_eq!(wait_over(&mut client).code, Some(4));
    client.ack_exit().unwrap();
    instance.wait_gone(&mut client);
    instance.assert_nothing_left();
}

#[test]
fn restarts_with_back_off_until_the_budget_is_used_up() {
    let mut instance = Instance::new("echo run; exit 7");
    instance.spec.restart.policy = RestartPolicy::OnFailure;
    instance.spec.restart.max_attempts = 3;
    instance.spec.restart.initial_ms = 1;
    let mut client = instance.launch();
    let status = wait(&mut client, |status| status.state.is_over());
    assert_eq!((status.state, status.restarts), (State::Failed, 3));
    let exit = status.exit.unwrap();
    assert_eq!((exit.code, exit.failed, exit.restarts), (Some(7), true, 3));
    assert_eq!(instance.output(), "run\n".repeat(4));
    client.ack_exit().unwrap();
    instance.wait_gone(&mut client);
    instance.assert_nothing_left();
}

#[test]
fn a_stop_ends_the_wait_for_the_next_start() {
    let mut instance = Instance::new("exit 1");
    instance.spec.restart.policy = RestartPolicy::Always;
    instance.spec.restart.initial_ms = 3_600_000_000;
    instance.spec.restart.cap_ms = 3_600_000_000;
    let mut client = instance.launch();
    let status = wait_state(&mut client, State::Backoff);
    assert!(status.next_start_at.is_some() && !status.ready);
    let exit = instance.finish(&mut client);
    assert_eq!((exit.code, exit.stopped), (Some(1), true));
}

#[test]
fn a_restart_on_demand_starts_a_new_process_at_once() {
    let instance = Instance::new("touch $DIR/up; exec sleep 600").ready_when("up");
    let mut client = instance.launch();
    let first = wait_ready(&mut client).pid.unwrap();
    client.restart(None).unwrap();
    let second = wait(&mut client, |status| {
        status.ready && status.pid != Some(first)
    });
    assert_eq!(second.restarts, 1);
    assert_eq!(second.last_exit.unwrap().signal, Some(15));
    instance.finish(&mut client);
}

#[test]
fn a_one_shot_runs_to_its_end_whatever_the_restart_policy() {
    for (script, code) in [("exit 0", 0), ("exit 5", 5)] {
        let mut instance = Instance::new(script);
        instance.spec.mode = Mode::OneShot { deadline_ms: None };
        instance.spec.restart.policy = RestartPolicy::Always;
        let mut client = instance.launch();
        let exit = wait_over(&mut client);
        assert_eq!(
            (exit.code, exit.is_success(), exit.restarts),
            (Some(code), code == 0, 0)
        );
        assert!(exit.usage.is_some());
        assert!(
            matches!(client.restart(None), Err(ClientError::Refused { code, .. }) if code == "not_allowed")
        );
    }
}

#[test]
fn a_one_shot_over_its_deadline_is_stopped() {
    let mut instance = Instance::new("exec sleep 600");
    instance.spec.mode = Mode::OneShot {
        deadline_ms: Some(50),
    };
    let mut client = instance.launch();
    let exit = wait_over(&mut client);
    assert_eq!(
        (exit.timed_out, exit.signal, exit.is_success()),
        (true, Some(15), false)
    );
}

#[test]
fn a_shutdown_and_sigterm_end_the_shim_without_an_acknowledgement() {
    for by_signal in [false, true] {
        let instance = Instance::new("exec sleep 600");
        let started = instance.try_launch().unwrap();
        let mut client = instance.watch();
        if by_signal {
            crate::support::kill(started.shim, rustix::process::Signal::TERM);
        } else {
            client.shutdown(Some(Duration::from_secs(5))).unwrap();
        }
        instance.wait_gone(&mut client);
        instance.assert_nothing_left();
        assert!(
            matches!(instance.found(), Found::Exited(exit) if exit.stopped && exit.signal == Some(15))
        );
    }
}

#[test]
fn signals_and_draining_reach_the_instance() {
    let script = "trap 'touch $DIR/usr1' USR1; touch $DIR/up; while :; do sleep 60 & wait; done";
    let instance = Instance::new(script).ready_when("up");
    let mut client = instance.launch();
    wait_ready(&mut client);
    client.set_draining(true).unwrap();
    assert!(!wait(&mut client, |status| status.draining).ready);
    client.set_draining(false).unwrap();
    wait_ready(&mut client);
    client.signal("SIGUSR1").unwrap();
    let mut found = instance.client();
    let null = std::fs::File::open("/dev/null").unwrap();
    let wait_for_file = format!(
        "until test -e {}/usr1; do :; done",
        instance.folder().display()
    );
    use std::os::fd::AsFd;
    let stdio = [null.as_fd(), null.as_fd(), null.as_fd()];
    let outcome = found
        .exec(&["sh", "-c", &wait_for_file], stdio, crate::support::LIMIT)
        .unwrap()
        .unwrap();
    assert_eq!(outcome.exit.code, Some(0));
    instance.finish(&mut client);
}

#[test]
fn credentials_limits_and_environment_are_exactly_those_asked_for() {
    if !crate::support::is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let script = "id -u; id -g; id -G; umask; ulimit -n; grep -E 'NoNewPrivs|CapBnd' /proc/self/status; \
                  env | grep -v '^_=' | cut -d= -f1 | sort | tr '\\n' ' '; echo; pwd; cat <&0; ls /proc/self/fd | wc -l";
    let mut instance = Instance::new(script);
    let process = &mut instance.spec.process;
    process.user = Some(consort_shim::spec::User {
        uid: 65534,
        gid: 65534,
        groups: vec![7, 8],
    });
    process.umask = Some(0o027);
    process.no_new_privs = true;
    process.cwd = Some("/usr".into());
    process.capabilities.drop = vec!["ALL".to_owned()];
    process.rlimits.insert(
        "nofile".to_owned(),
        consort_shim::spec::Rlimit {
            soft: Some(77),
            hard: Some(99),
        },
    );
    process.env.remove("DIR");
    let mut client = instance.launch();
    assert_eq!(wait_over(&mut client).code, Some(0));
    let expected = "65534\n65534\n65534 7 8\n0027\n77\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n\
                    CONSORT_INSTANCE PATH PWD \n/usr\n4\n";
    assert_eq!(instance.output(), expected);
}

#[test]
fn a_limit_that_may_not_be_raised_is_a_warning() {
    let mut instance = Instance::new("touch $DIR/up; exec sleep 600").ready_when("up");
    instance.spec.process.rlimits.insert(
        "nofile".to_owned(),
        consort_shim::spec::Rlimit {
            soft: None,
            hard: None,
        },
    );
    let mut client = instance.launch();
    let status = wait_ready(&mut client);
    assert!(
        status
            .warnings
            .iter()
            .any(|warning| warning.contains("the limit nofile")),
        "{:?}",
        status.warnings
    );
    instance.finish(&mut client);
}

#[test]
fn an_instance_that_supervises_others_ends_alone() {
    let script = "env -i setsid sleep 300 & echo $! > $DIR/other; touch $DIR/up; exec sleep 300";
    let mut instance = Instance::new(script).ready_when("up");
    instance.spec.cgroup = None;
    instance.spec.supervises_others = true;
    let mut client = instance.launch();
    wait_ready(&mut client);
    instance.finish(&mut client);
    let text = std::fs::read_to_string(instance.folder().join("other")).unwrap();
    let other = rustix::process::Pid::from_raw(text.trim().parse().unwrap()).unwrap();
    let alive = rustix::process::test_kill_process(other).is_ok();
    let _ = rustix::process::kill_process(other, rustix::process::Signal::KILL);
    assert!(alive, "what it started goes on");
}
