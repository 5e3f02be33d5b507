//! Mode `unix_http`: the server may be away.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use consort_portholder::{ListenerSpec, Mode, UnixUpstream};

use crate::support::{Home, HttpClient, key, read_head, read_response, spec};

fn bound(home: &Home, wait_timeout_ms: u64) -> (SocketAddr, PathBuf) {
    let socket = home.dir.path().join("server.sock");
    let headers = BTreeMap::from([("x-consort-deployment".to_owned(), "shop".to_owned())]);
    let upstream = UnixUpstream {
        socket: socket.clone(),
        path_prefix: "/v1/deployments/shop/events".to_owned(),
        headers,
    };
    let address = home
        .client()
        .bind(ListenerSpec {
            mode: Mode::UnixHttp(upstream),
            wait_timeout_ms,
            ..spec("events")
        })
        .unwrap();
    (address, socket)
}

/// Accepts one connection and reads one request with its body.
fn accept(listener: &UnixListener) -> (UnixStream, String) {
    let (mut stream, _) = listener.accept().unwrap();
    let (head, mut body) = read_head(&mut stream).unwrap();
    let length = head
        .lines()
        .find_map(|line| {
            line.strip_prefix("content-length: ")
                .map(|value| value.parse::<usize>().unwrap())
        })
        .unwrap_or(0);
    let mut rest = vec![0; length - body.len()];
    stream.read_exact(&mut rest).unwrap();
    body.extend(rest);
    (
        stream,
        format!("{head}{}", String::from_utf8(body).unwrap()),
    )
}

fn answer(mut stream: UnixStream, status: &str) {
    stream
        .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
        .unwrap();
}

fn post_event(address: SocketAddr) -> std::thread::JoinHandle<String> {
    let mut client = HttpClient::connect(address);
    let event = "POST /?token=1 HTTP/1.1\r\nhost: x\r\nce-id: 1\r\nce-source: orders\r\nx-consort-deployment: other\r\ncontent-length: 5\r\n\r\nevent";
    client.stream.write_all(event.as_bytes()).unwrap();
    std::thread::spawn(move || read_response(&mut client.stream).unwrap().0)
}

#[test]
fn an_event_waits_for_the_server_and_survives_its_kill() {
    let home = Home::start();
    let (address, socket) = bound(&home, 60_000);
    assert_eq!(
        home.client().event_address(&key("events")).unwrap(),
        format!("http://{address}")
    );
    let posted = post_event(address);
    let listener = UnixListener::bind(&socket).unwrap();
    let (first, seen) = accept(&listener);
    assert!(
        seen.starts_with("POST /v1/deployments/shop/events/?token=1 HTTP/1.1\r\n"),
        "{seen}"
    );
    assert!(
        seen.contains("x-consort-deployment: shop\r\n") && !seen.contains("other"),
        "{seen}"
    );
    assert!(seen.ends_with("event"));
    // Killed before it answered; the event has an identity, so it is sent again.
    drop((first, listener));
    std::fs::remove_file(&socket).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let (second, again) = accept(&listener);
    assert_eq!(again, seen);
    answer(second, "202 Accepted");
    assert!(posted.join().unwrap().starts_with("HTTP/1.1 202"));
}

#[test]
fn a_request_without_identity_is_sent_once() {
    let home = Home::start();
    let (address, socket) = bound(&home, 60_000);
    let listener = UnixListener::bind(&socket).unwrap();
    let asking = std::thread::spawn(move || {
        HttpClient::connect(address)
            .ask("POST", "/orders", "order")
            .unwrap()
    });
    drop(accept(&listener));
    let (status, text) = asking.join().unwrap();
    assert!(
        status == 502 && text.contains("may have had effect"),
        "{status} {text}"
    );
}

#[test]
fn says_that_the_server_is_away_only_in_the_end() {
    let home = Home::start();
    let (address, _) = bound(&home, 150);
    let (status, text) = HttpClient::connect(address).ask("POST", "/", "x").unwrap();
    assert!(
        status == 503 && text.contains("the server is away"),
        "{status} {text}"
    );
}

#[test]
fn no_path_leaves_the_prefix() {
    let home = Home::start();
    let (address, socket) = bound(&home, 60_000);
    let listener = UnixListener::bind(&socket).unwrap();
    for path in [
        "/../../secrets",
        "/a/%2e%2E/b",
        "/a/..%2fb",
        "/a\\..\\b",
        "/%252e%252e/x",
        "/./a",
        "/..",
        "/a/..",
    ] {
        let (status, text) = HttpClient::connect(address).ask("GET", path, "").unwrap();
        assert_eq!(status, 400, "{path}: {text}");
    }
    let asking = std::thread::spawn(move || {
        HttpClient::connect(address)
            .ask("GET", "/..a/b..c/%2E%2e%2E", "")
            .unwrap()
    });
    let (stream, seen) = accept(&listener);
    assert!(
        seen.starts_with("GET /v1/deployments/shop/events/..a/b..c/%2E%2e%2E HTTP/1.1"),
        "{seen}"
    );
    answer(stream, "204 No Content");
    assert_eq!(asking.join().unwrap().0, 204);
    assert!(Path::new(&socket).exists());
}
