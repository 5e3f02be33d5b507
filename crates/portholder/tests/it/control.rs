//! The control socket, and those who misuse it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use consort_portholder::{
    AsyncClient, Event, FailureCode, ListenerSpec, Mode, Protocol, Reply, Request, TargetsRequest,
    UnixUpstream,
};

use crate::support::{Backend, Home, PATIENCE, http_spec, key, loopback, spec, target};

struct Raw {
    reader: BufReader<UnixStream>,
}

impl Raw {
    fn connect(home: &Home) -> Self {
        let stream = UnixStream::connect(home.control()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    fn greeted(home: &Home) -> Self {
        let mut raw = Self::connect(home);
        assert!(
            raw.say("{\"request\":\"hello\",\"protocol\":1}\n")
                .contains("\"result\":\"hello\"")
        );
        raw
    }

    fn say(&mut self, text: &str) -> String {
        // The holder may close while a long line is still being written.
        let _ = self.reader.get_mut().write_all(text.as_bytes());
        let mut line = String::new();
        let _ = self.reader.read_line(&mut line);
        line
    }

    fn ends(mut self) -> bool {
        matches!(self.reader.read(&mut [0]), Ok(0) | Err(_))
    }
}

#[test]
fn answers_garbage_with_a_reason_and_goes_on() {
    let home = Home::start();
    let mut raw = Raw::greeted(&home);
    let nested = format!("{}\n", "[".repeat(100_000));
    let cases = [
        "\n",
        "garbage\n",
        "{\"request\":\"bind\"}\n",
        "{\"request\":\"fly\"}\n",
        "{\"request\":\"bind\",\"key\":\"a:b\",\"address\":\"127.0.0.1\"}\n",
        "{\"request\":\"bind\",\"key\":\"@block/x\",\"address\":\"127.0.0.1\"}\n",
        "{\"request\":\"bind\",\"key\":\"x\",\"address\":\"nowhere\"}\n",
        "{\"request\":\"bind\",\"key\":\"x\",\"address\":\"127.0.0.1\",\"port\":70000}\n",
        "{\"request\":\"bind\",\"key\":\"x\",\"address\":\"127.0.0.1\",\"wait_timeout_ms\":99999999999}\n",
        "{\"request\":\"targets\",\"key\":\"x\",\"generation\":-1,\"targets\":[]}\n",
        "{\"request\":\"hello\",\"protocol\":1}\n",
        &nested,
    ];
    for case in cases {
        let reply: Reply = serde_json::from_str(&raw.say(case)).unwrap();
        let Reply::Error(failure) = reply else {
            panic!("{case:.80}: {reply:?}")
        };
        assert_eq!(failure.code, FailureCode::BadRequest, "{case:.80}");
        assert!(!failure.message.is_empty());
    }
    assert!(
        raw.say("{\"request\":\"list\",\"new_field\":1}\n")
            .contains("\"result\":\"list\"")
    );
}

#[test]
fn ends_connections_that_break_the_rules_and_serves_others() {
    let home = Home::start();
    let mut early = Raw::connect(&home);
    assert!(
        early
            .say("{\"request\":\"list\"}\n")
            .contains("hello_missing")
    );
    assert!(early.ends());
    let mut other = Raw::connect(&home);
    assert!(
        other
            .say("{\"request\":\"hello\",\"protocol\":99}\n")
            .contains("unsupported_protocol")
    );
    assert!(other.ends());
    let mut long = Raw::greeted(&home);
    long.say(&"x".repeat(600 * 1024));
    assert!(long.ends());
    let mut half = Raw::greeted(&home);
    half.reader
        .get_mut()
        .write_all(b"{\"request\":\"li")
        .unwrap();
    drop(half);
    home.client().counts(None).unwrap();
}

#[test]
fn bounds_its_connections() {
    let home = Home::start();
    let held: Vec<_> = (0..128).map(|_| Raw::greeted(&home)).collect();
    assert!(Raw::connect(&home).ends());
    drop(held);
}

#[test]
fn its_folder_is_private() {
    let mut home = Home::start();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = home.control().parent().unwrap().to_owned();
    assert_eq!(mode(&folder), 0o700);
    home.kill();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let output = home.command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("is not private"),
        "{said}"
    );
}

#[test]
fn bind_is_idempotent_and_refuses_another_address() {
    let home = Home::start();
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    assert_eq!(client.bind(spec("x")).unwrap(), address);
    let elsewhere = ListenerSpec {
        port: 1,
        ..spec("x")
    };
    assert_eq!(
        client.bind(elsewhere).unwrap_err().code(),
        Some(FailureCode::ListenerDiffers)
    );
    assert_eq!(
        client.bind(http_spec("x")).unwrap(),
        address,
        "another mode on the same socket"
    );
}

#[test]
fn says_why_an_address_cannot_be_bound() {
    let home = Home::start();
    let mut client = home.client();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = client.bind(ListenerSpec { port, ..spec("x") }).unwrap_err();
    assert_eq!(error.code(), Some(FailureCode::AddressInUse));
    let nowhere = ListenerSpec {
        address: "192.0.2.1".parse().unwrap(),
        ..spec("x")
    };
    assert_eq!(
        client.bind(nowhere).unwrap_err().code(),
        Some(FailureCode::AddressNotAvailable)
    );
    let udp = ListenerSpec {
        protocol: Protocol::Udp,
        mode: Mode::Http,
        ..spec("x")
    };
    assert_eq!(
        client.bind(udp).unwrap_err().code(),
        Some(FailureCode::BadRequest)
    );
    let upstream = UnixUpstream {
        socket: "relative".into(),
        path_prefix: String::new(),
        headers: [].into(),
    };
    let relative = ListenerSpec {
        mode: Mode::UnixHttp(upstream),
        ..spec("x")
    };
    assert_eq!(
        client.bind(relative).unwrap_err().code(),
        Some(FailureCode::BadRequest)
    );
    assert_eq!(client.counts(None).unwrap(), []);
}

#[test]
fn refuses_targets_of_an_older_generation() {
    let (home, backend) = (Home::start(), Backend::echo());
    let mut client = home.client();
    let (x, a, b) = (
        key("x"),
        target("a", backend.address),
        target("b", backend.address),
    );
    assert_eq!(
        client.targets(&x, 1, vec![]).unwrap_err().code(),
        Some(FailureCode::UnknownListener)
    );
    client.bind(spec("x")).unwrap();
    client.targets(&x, 5, vec![a.clone()]).unwrap();
    client.targets(&x, 5, vec![a]).unwrap();
    assert_eq!(
        client.targets(&x, 4, vec![b.clone()]).unwrap_err().code(),
        Some(FailureCode::StaleGeneration)
    );
    assert_eq!(
        client.targets(&x, 5, vec![b.clone()]).unwrap_err().code(),
        Some(FailureCode::StaleGeneration)
    );
    assert_eq!(
        client
            .targets(&x, 6, vec![b.clone(), b.clone()])
            .unwrap_err()
            .code(),
        Some(FailureCode::BadRequest)
    );
    assert_eq!(client.counts(Some(&x)).unwrap()[0].targets[0].id, "a");
    client.targets(&x, 6, vec![b]).unwrap();
    assert_eq!(
        client.drain(&x, "a").unwrap_err().code(),
        Some(FailureCode::UnknownTarget)
    );
    // A repeated request does not undo a drain.
    client.drain(&x, "b").unwrap();
    client
        .targets(&x, 6, vec![target("b", backend.address)])
        .unwrap();
    assert!(client.counts(Some(&x)).unwrap()[0].targets[0].draining);
}

#[test]
fn a_batch_does_all_it_can_and_says_what_it_could_not() {
    let home = Home::start();
    let requests = vec![
        Request::Bind(spec("a")),
        Request::Targets(TargetsRequest {
            key: key("a"),
            generation: 1,
            targets: vec![],
        }),
        Request::Unbind { key: key("none") },
        Request::Drain {
            key: key("a"),
            target: "none".to_owned(),
        },
        Request::Shutdown,
        Request::Counts { key: None },
    ];
    let replies = home.client().batch(requests).unwrap();
    assert!(matches!(&replies[0], Reply::Bound { address } if address.ip() == loopback()));
    assert_eq!(replies[1..3], [Reply::Done, Reply::Done]);
    assert!(
        matches!(&replies[3], Reply::Error(failure) if failure.code == FailureCode::UnknownTarget)
    );
    assert!(
        matches!(&replies[4], Reply::Error(failure) if failure.code == FailureCode::BadRequest)
    );
    assert!(matches!(&replies[5], Reply::Counts { listeners } if listeners.len() == 1));
}

#[test]
fn a_change_that_cannot_be_recorded_is_not_acknowledged() {
    let home = Home::start();
    let mut client = home.client();
    // A folder where the temporary file should be makes every write fail, also as root.
    let obstacle = home.state_file().with_extension("json.new");
    std::fs::create_dir_all(obstacle.join("x")).unwrap();
    assert_eq!(
        client.bind(spec("x")).unwrap_err().code(),
        Some(FailureCode::NotRecorded)
    );
    std::fs::remove_dir_all(&obstacle).unwrap();
    client.bind(spec("x")).unwrap();
    assert!(home.state_file().exists());
}

#[tokio::test(flavor = "current_thread")]
async fn the_async_client_says_the_same() {
    let (home, backend) = (Home::start(), Backend::echo());
    let mut client = AsyncClient::connect(&home.control(), PATIENCE)
        .await
        .unwrap();
    let mut events = AsyncClient::connect(&home.control(), PATIENCE)
        .await
        .unwrap()
        .watch()
        .await
        .unwrap();
    client.bind(spec("x")).await.unwrap();
    client
        .targets(&key("x"), 1, vec![target("a", backend.address)])
        .await
        .unwrap();
    assert_eq!(
        events.next().await.unwrap(),
        Event::FirstReady { key: key("x") }
    );
    client.targets(&key("x"), 2, vec![]).await.unwrap();
    assert_eq!(
        events.next().await.unwrap(),
        Event::NoneReady { key: key("x") }
    );
    assert_eq!(client.counts(Some(&key("x"))).await.unwrap().len(), 1);
    client.unbind(&key("x")).await.unwrap();
}
