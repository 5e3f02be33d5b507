use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use consort_shim::ClientError;
use consort_shim::protocol::{MAX_LINE, State};

use crate::support::{Instance, LIMIT, wait_state};

fn raw(instance: &Instance) -> UnixStream {
    let stream = UnixStream::connect(&instance.spec.control).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

fn answer(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn garbage_is_answered_and_the_connection_goes_on() {
    let instance = Instance::new("exec sleep 600");
    let mut client = instance.launch();
    for garbage in [
        "",
        "null",
        "[]",
        "{}",
        "{\"request\":\"fly\"}",
        "{\"request\":\"stop\",\"grace_ms\":-1}",
        "\u{0}\u{1}",
        "{\"request\":1}",
    ] {
        let mut stream = raw(&instance);
        stream.write_all(format!("{garbage}\n").as_bytes()).unwrap();
        assert!(
            answer(&stream).starts_with("{\"result\":\"error\",\"code\":\"bad_request\""),
            "{garbage:?}"
        );
        stream
            .write_all(b"{\"request\":\"hello\",\"later\":1}\n")
            .unwrap();
        assert!(
            answer(&stream).starts_with("{\"result\":\"hello\",\"protocol\":1"),
            "{garbage:?}"
        );
    }
    let mut stream = raw(&instance);
    stream.write_all(&[b'[', 0xff, 0xfe, b'\n']).unwrap();
    assert!(answer(&stream).contains("bad_request"));
    let mut stream = raw(&instance);
    stream
        .write_all(("[".repeat(60_000) + "\n").as_bytes())
        .unwrap();
    assert!(answer(&stream).contains("bad_request"));
    wait_state(&mut client, State::Running);
    instance.finish(&mut client);
}

#[test]
fn a_line_without_an_end_is_cut_off_at_its_limit() {
    let instance = Instance::new("exec sleep 600");
    let mut client = instance.launch();
    let mut stream = raw(&instance);
    // The shim closes while we still write: the rest may be refused.
    let _ = stream.write_all(&vec![b'x'; MAX_LINE * 4]);
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    assert!(
        text.is_empty() || text.contains("at most 65536 bytes"),
        "{text}"
    );
    instance.finish(&mut client);
}

#[test]
fn half_lines_and_many_connections_hold_nobody_up() {
    let instance = Instance::new("exec sleep 600");
    let mut client = instance.launch();
    let mut half: Vec<UnixStream> = (0..30).map(|_| raw(&instance)).collect();
    for stream in &mut half {
        stream.write_all(b"{\"request\":").unwrap();
    }
    let mut other = instance.client();
    assert_eq!(other.state().unwrap().state, State::Running);
    for stream in &mut half {
        stream.write_all(b"\"hello\"}\n").unwrap();
        assert!(answer(stream).contains("\"result\":\"hello\""));
    }
    instance.finish(&mut client);
}

#[test]
fn a_watcher_that_does_not_read_holds_nobody_up_and_gets_the_newest_status() {
    let instance = Instance::new("exec sleep 600");
    let mut client = instance.launch();
    let mut slow = instance.watch();
    let mut other = instance.client();
    for round in 0..2_000 {
        other.set_draining(round % 2 == 0).unwrap();
    }
    let last = other.state().unwrap();
    let seen = slow
        .wait_for(LIMIT, |status| status.seq == last.seq)
        .unwrap();
    assert!(seen.is_some_and(|status| !status.draining));
    instance.finish(&mut client);
}

#[test]
fn exec_needs_three_descriptors_and_says_why_a_program_does_not_run() {
    use std::os::fd::AsFd;
    let instance = Instance::new("exec sleep 600");
    let mut client = instance.launch();
    let request = consort_shim::protocol::Request::Exec {
        argv: vec!["true".to_owned()],
        env: Default::default(),
        cwd: None,
        tty: false,
    };
    let null = std::fs::File::open("/dev/null").unwrap();
    for count in [0, 1, 2, 4] {
        let fds = vec![null.as_fd(); count];
        let refused = instance.client().ask(&request, &fds);
        assert!(
            matches!(refused, Err(ClientError::Refused { code, .. }) if code == "bad_request"),
            "{count}"
        );
    }
    let stdio = [null.as_fd(), null.as_fd(), null.as_fd()];
    let outcome = instance
        .client()
        .exec(&["no-such-program"], stdio, LIMIT)
        .unwrap()
        .unwrap();
    assert_eq!(outcome.exit.code, Some(127));
    assert!(
        outcome
            .exit
            .error
            .unwrap()
            .contains("cannot execute no-such-program")
    );
    let mut signalled = instance.client();
    signalled
        .exec_start(&["sleep", "600"], &Default::default(), None, false, stdio)
        .unwrap();
    signalled.exec_signal("INT").unwrap();
    match signalled.next_event(LIMIT).unwrap() {
        Some(consort_shim::protocol::Event::ExecExit(exit)) => assert_eq!(exit.signal, Some(2)),
        other => panic!("{other:?}"),
    }
    instance.finish(&mut client);
}

#[test]
fn a_program_ends_with_the_connection_that_started_it() {
    use std::os::fd::AsFd;
    let instance = Instance::new("exec sleep 600");
    let mut client = instance.launch();
    let null = std::fs::File::open("/dev/null").unwrap();
    let stdio = [null.as_fd(), null.as_fd(), null.as_fd()];
    let mut session = instance.client();
    let pid = session
        .exec_start(&["sleep", "600"], &Default::default(), None, false, stdio)
        .unwrap();
    let target = rustix::process::Pid::from_raw(pid).unwrap();
    let pidfd = rustix::process::pidfd_open(target, rustix::process::PidfdFlags::empty()).unwrap();
    drop(session);
    crate::support::wait_pidfd(&pidfd);
    instance.finish(&mut client);
}

#[test]
fn a_socket_in_a_folder_that_others_can_enter_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let mut instance = Instance::new("exit 0");
    let open = instance.folder().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
    instance.spec.control = open.join("c");
    match instance.try_launch() {
        Err(consort_shim::LaunchError::Setup { message, .. }) => {
            assert!(message.contains("mode 0700"), "{message}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_that_do_not_fit_the_state_are_refused() {
    let instance = Instance::new("exec sleep 600");
    let mut client = instance.launch();
    let code = |result: Result<(), ClientError>| match result {
        Err(ClientError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(client.ack_exit()), "not_allowed");
    assert_eq!(code(client.hosts("x")), "not_allowed");
    assert_eq!(code(client.signal("NONE")), "bad_request");
    assert_eq!(code(client.stop(Some("NONE"), None)), "bad_request");
    assert_eq!(code(client.exec_signal("INT")), "not_running");
    client.stop(None, None).unwrap();
    wait_state(&mut client, State::Exited);
    assert_eq!(code(client.signal("TERM")), "not_running");
    assert_eq!(code(client.restart(None)), "not_running");
    client.stop(None, None).unwrap();
    client.ack_exit().unwrap();
    instance.wait_gone(&mut client);
    instance.assert_nothing_left();
}
