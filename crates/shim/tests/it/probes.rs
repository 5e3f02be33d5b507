use std::io::{Read, Write};
use std::net::TcpListener;

use consort_shim::protocol::{Health, State};
use consort_shim::spec::{Check, OnUnhealthy, Probe, RestartPolicy};

use crate::support::{Instance, wait, wait_ready};

fn probe(check: Check) -> Probe {
    Probe {
        interval_ms: 30,
        start_interval_ms: 30,
        retries: 2,
        timeout_ms: 5_000,
        ..Probe::new(check)
    }
}

fn shell(script: String) -> Check {
    Check::Exec {
        argv: vec!["sh".to_owned(), "-c".to_owned(), script],
    }
}

#[test]
fn an_exec_probe_makes_it_healthy_unhealthy_and_healthy_again() {
    let mut instance = Instance::new("exec sleep 600");
    let file = instance.folder().join("fine");
    instance.spec.probes = vec![probe(shell(format!(
        "test -e {} || {{ echo not fine; exit 1; }}",
        file.display()
    )))];
    std::fs::write(&file, "").unwrap();
    let mut client = instance.launch();
    assert_eq!(wait_ready(&mut client).health, Health::Healthy);
    std::fs::remove_file(&file).unwrap();
    let status = wait(&mut client, |status| status.health == Health::Unhealthy);
    assert!(!status.ready && status.state == State::Running);
    assert_eq!(
        (status.probes[0].output.as_str(), status.probes[0].failures),
        ("not fine", 2)
    );
    std::fs::write(&file, "").unwrap();
    wait_ready(&mut client);
    instance.finish(&mut client);
}

#[test]
fn an_unhealthy_instance_is_restarted_if_asked() {
    let script = "test -e $DIR/second || { touch $DIR/second; exec sleep 600; }; touch $DIR/fine; exec sleep 600";
    let mut instance = Instance::new(script);
    let check = shell(format!(
        "test -e {}",
        instance.folder().join("fine").display()
    ));
    instance.spec.probes = vec![Probe {
        on_unhealthy: OnUnhealthy::Restart,
        ..probe(check)
    }];
    instance.spec.restart.policy = RestartPolicy::OnFailure;
    instance.spec.restart.initial_ms = 1;
    let mut client = instance.launch();
    let status = wait_ready(&mut client);
    assert_eq!(status.restarts, 1);
    let exit = status.last_exit.unwrap();
    assert_eq!(
        exit.error.as_deref(),
        Some("stopped because it was unhealthy")
    );
    instance.finish(&mut client);
}

#[test]
fn a_probe_that_hangs_is_killed_with_all_that_it_started() {
    let mut instance = Instance::new("exec sleep 600");
    let check = shell("(setsid sleep 601 &); sleep 602".to_owned());
    instance.spec.probes = vec![Probe {
        timeout_ms: 50,
        retries: 1,
        interval_ms: 60,
        ..probe(check)
    }];
    let mut client = instance.launch();
    let status = wait(&mut client, |status| status.health == Health::Unhealthy);
    assert_eq!(status.probes[0].output, "no answer within 50 ms");
    instance.finish(&mut client);
}

#[test]
fn an_http_probe_follows_the_status() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            if request.starts_with(b"GET /end ") || index > 10_000 {
                return;
            }
            assert!(request.starts_with(b"GET /healthz?full HTTP/1.1\r\nHost: shop\r\n"));
            let answer: &[u8] = match index {
                0 => b"HTTP/1.1 503 Busy\r\n\r\n",
                1 | 2 => b"HTTP/1.1 204 No Content\r\n\r\n",
                _ => b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
            };
            let _ = stream.write_all(answer);
        }
    });
    let mut instance = Instance::new("exec sleep 600");
    let check = Check::Http {
        address: address.clone(),
        path: "/healthz?full".to_owned(),
        host: Some("shop".to_owned()),
    };
    instance.spec.probes = vec![probe(check)];
    let mut client = instance.launch();
    wait_ready(&mut client);
    let status = wait(&mut client, |status| status.health == Health::Unhealthy);
    assert_eq!(status.probes[0].output, "HTTP/1.1 500 Broken");
    instance.finish(&mut client);
    let mut last = std::net::TcpStream::connect(address).unwrap();
    last.write_all(b"GET /end HTTP/1.1\r\n\r\n").unwrap();
    server.join().unwrap();
}

#[test]
fn a_tcp_probe_follows_the_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut instance = Instance::new("exec sleep 600");
    instance.spec.probes = vec![probe(Check::Tcp {
        address: listener.local_addr().unwrap().to_string(),
    })];
    let mut client = instance.launch();
    wait_ready(&mut client);
    drop(listener);
    let status = wait(&mut client, |status| status.health == Health::Unhealthy);
    assert!(
        status.probes[0].output.contains("cannot connect"),
        "{}",
        status.probes[0].output
    );
    instance.finish(&mut client);
}

#[test]
fn a_probe_whose_program_is_missing_says_so() {
    let mut instance = Instance::new("exec sleep 600");
    let check = Check::Exec {
        argv: vec!["no-such-check".to_owned()],
    };
    instance.spec.probes = vec![probe(check)];
    let mut client = instance.launch();
    let status = wait(&mut client, |status| status.health == Health::Unhealthy);
    let expected = "cannot execute no-such-check: No such file or directory (os error 2)";
    assert_eq!(status.probes[0].output, expected);
    instance.finish(&mut client);
}

#[test]
fn a_check_that_does_not_gate_leaves_it_ready() {
    let mut instance = Instance::new("exec sleep 600");
    instance.spec.probes = vec![Probe {
        gates_ready: false,
        ..probe(shell("exit 1".to_owned()))
    }];
    let mut client = instance.launch();
    let status = wait(&mut client, |status| {
        status.probes[0].health == Health::Unhealthy
    });
    assert!(status.ready && status.health == Health::None);
    instance.finish(&mut client);
}
