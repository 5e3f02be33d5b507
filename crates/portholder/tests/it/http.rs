//! Mode `http`.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::channel;

use bytes::Bytes;
use consort_portholder::ListenerSpec;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{
    Backend, Home, HttpBackend, HttpClient, PATIENCE, http_spec, key, read_head, read_response,
    request, target, text,
};

fn serving(home: &Home, spec: ListenerSpec, backends: &[(&str, SocketAddr)]) -> SocketAddr {
    let mut client = home.client();
    let name = spec.key.clone();
    let address = client.bind(spec).unwrap();
    client
        .targets(
            &name,
            1,
            backends
                .iter()
                .map(|(id, address)| target(id, *address))
                .collect(),
        )
        .unwrap();
    address
}

#[test]
fn says_who_asked_and_drops_what_concerns_one_connection() {
    let (home, backend) = (Home::start(), HttpBackend::start("a"));
    let address = serving(&home, http_spec("x"), &[("a", backend.address)]);
    let mut client = HttpClient::connect(address);
    client
        .stream
        .write_all(b"GET http://shop.test/p?q=1 HTTP/1.1\r\nHost: wrong\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nX-Forwarded-For: 10.0.0.1\r\nTE: gzip\r\n\r\n")
        .unwrap();
    let (head, body) = read_response(&mut client.stream).unwrap();
    assert!(
        head.to_ascii_lowercase().contains("connection: close"),
        "{head}"
    );
    assert_eq!(
        text(&mut client.stream).unwrap(),
        "",
        "the client's wish to close is kept"
    );
    let lines: Vec<_> = body
        .lines()
        .skip(1)
        .map(str::to_ascii_lowercase)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(lines[0], "get /p?q=1 http/1.1");
    let mut fields = lines[1..].to_vec();
    fields.sort();
    assert_eq!(
        fields,
        [
            "host: shop.test",
            "x-forwarded-for: 10.0.0.1, 127.0.0.1",
            "x-forwarded-host: shop.test",
            "x-forwarded-proto: http"
        ]
    );
    let mut next = HttpClient::connect(address);
    for _ in 0..5 {
        assert_eq!(next.ask("GET", "/", "").unwrap().0, 200);
    }
    // One for each forwarding thread at most.
    assert!(
        backend.accepted() <= 2,
        "connections to the target are kept"
    );
}

#[test]
fn streams_events_as_they_come() {
    let home = Home::start();
    let (go, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let backend = Backend::start(move |mut stream| {
        read_head(&mut stream).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        for number in 0..3 {
            let event = format!("data: {number}\n\n");
            stream
                .write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
                .unwrap();
            // The next one only after the client has seen this one.
            wait.lock().unwrap().recv().unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let address = serving(&home, http_spec("x"), &[("a", backend.address)]);
    let mut client = HttpClient::connect(address);
    client
        .stream
        .write_all(request("GET", "/events", "").as_bytes())
        .unwrap();
    let (head, mut seen) = read_head(&mut client.stream).unwrap();
    assert!(head.contains("text/event-stream"), "{head}");
    for number in 0..3 {
        let event = format!("data: {number}\n\n");
        while !String::from_utf8_lossy(&seen).contains(&event) {
            let mut more = [0; 1024];
            let count = client.stream.read(&mut more).unwrap();
            assert!(count > 0);
            seen.extend_from_slice(&more[..count]);
        }
        go.send(()).unwrap();
    }
}

#[test]
fn large_bodies_pass_both_ways() {
    let (home, backend) = (Home::start(), HttpBackend::start("a"));
    let address = serving(&home, http_spec("x"), &[("a", backend.address)]);
    let body = "0123456789".repeat(300_000);
    let mut client = HttpClient::connect(address);
    let mut writer = client.stream.try_clone().unwrap();
    let writing = std::thread::spawn({
        let request = request("POST", "/", &body);
        move || writer.write_all(request.as_bytes()).unwrap()
    });
    let (_, answer) = read_response(&mut client.stream).unwrap();
    writing.join().unwrap();
    assert!(answer.ends_with(&body));
}

#[test]
fn protocols_are_upgraded_through_it() {
    let home = Home::start();
    let backend = Backend::start(|mut stream| {
        let (head, _) = read_head(&mut stream).unwrap();
        let head = head.to_ascii_lowercase();
        assert!(
            head.contains("upgrade: echo") && head.contains("connection: upgrade"),
            "{head}"
        );
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhi ").unwrap();
        let mut writer = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut stream, &mut writer);
        let _ = writer.shutdown(std::net::Shutdown::Write);
    });
    let address = serving(&home, http_spec("x"), &[("a", backend.address)]);
    let mut client = HttpClient::connect(address);
    client
        .stream
        .write_all(b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n")
        .unwrap();
    let (head, mut rest) = read_head(&mut client.stream).unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(
        home.client().counts(Some(&key("x"))).unwrap()[0].targets[0].open,
        1,
        "an upgraded connection counts"
    );
    client.stream.write_all(b"there").unwrap();
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    client.stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"hi there");
}

#[test]
fn a_request_waits_for_a_target_and_is_refused_only_in_the_end() {
    let (home, backend) = (Home::start(), HttpBackend::start("late"));
    let address = serving(
        &home,
        ListenerSpec {
            wait_timeout_ms: 200,
            ..http_spec("x")
        },
        &[],
    );
    let mut client = HttpClient::connect(address);
    let (status, text) = client.ask("GET", "/", "").unwrap();
    assert_eq!(
        (status, text.as_str()),
        (503, "no instance of this service became ready in time\n")
    );
    let patient = serving(&home, http_spec("y"), &[]);
    let waiting = std::thread::spawn(move || {
        HttpClient::connect(patient)
            .ask("POST", "/", "body")
            .unwrap()
    });
    home.client()
        .targets(&key("y"), 2, vec![target("a", backend.address)])
        .unwrap();
    let (status, text) = waiting.join().unwrap();
    assert!(status == 200 && text.ends_with("body"));
}

#[test]
fn a_request_that_a_target_may_have_accepted_is_not_sent_again() {
    let home = Home::start();
    // Reads a whole request and ends without an answer.
    let rude = Backend::start(|mut stream| {
        read_head(&mut stream);
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    let address = serving(&home, http_spec("x"), &[("a", rude.address)]);
    for method in ["POST", "GET"] {
        let before = rude.accepted();
        let (status, _) = HttpClient::connect(address).ask(method, "/", "").unwrap();
        assert_eq!(status, 502);
        assert_eq!(
            rude.accepted() - before,
            1,
            "{method} on a new connection reached one target once"
        );
    }
}

#[test]
fn a_get_on_a_kept_connection_that_was_just_closed_is_sent_again() {
    let home = Home::start();
    // One answer per connection, then the end upon the next request, as if it had timed out.
    let hasty = Backend::start(|mut stream| {
        if read_head(&mut stream).is_some() {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .unwrap();
            read_head(&mut stream);
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    });
    let address = serving(&home, http_spec("x"), &[("a", hasty.address)]);
    let mut client = HttpClient::connect(address);
    for _ in 0..5 {
        assert_eq!(client.ask("GET", "/", "").unwrap(), (200, "ok".to_owned()));
    }
}

#[test]
fn an_answer_that_is_cut_short_is_seen_as_cut_short() {
    let home = Home::start();
    let cutting = Backend::start(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this");
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    let address = serving(&home, http_spec("x"), &[("a", cutting.address)]);
    assert!(HttpClient::connect(address).ask("GET", "/", "").is_err());
    assert_eq!(
        home.client().counts(Some(&key("x"))).unwrap()[0].targets[0].failures,
        1
    );
}

#[test]
fn slow_clients_are_ended() {
    let (home, backend) = (Home::start(), HttpBackend::start("a"));
    let spec = ListenerSpec {
        header_timeout_ms: 150,
        idle_timeout_ms: 400,
        ..http_spec("x")
    };
    let address = serving(&home, spec, &[("a", backend.address)]);
    let beginnings: [&[u8]; 4] = [
        b"",
        b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for beginning in beginnings {
        let mut client = HttpClient::connect(address);
        client.stream.write_all(beginning).unwrap();
        // Reads until the holder ends the connection; the patience of the harness is far longer.
        let mut rest = Vec::new();
        let ended = client.stream.read_to_end(&mut rest);
        assert!(
            ended.is_ok()
                || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        );
    }
    // After a request: silence, and a second head that is never finished.
    for second in [&b""[..], b"GET / HT"] {
        let mut client = HttpClient::connect(address);
        assert_eq!(client.ask("GET", "/", "").unwrap().0, 200);
        client.stream.write_all(second).unwrap();
        let mut rest = Vec::new();
        assert!(client.stream.read_to_end(&mut rest).is_ok());
    }
    // A body that is never sent.
    let mut client = HttpClient::connect(address);
    client
        .stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
        .unwrap();
    let (head, _) = read_response(&mut client.stream).unwrap();
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
}

#[test]
fn bad_requests_are_refused_and_reach_no_target() {
    let (home, backend) = (Home::start(), HttpBackend::start("a"));
    let address = serving(&home, http_spec("x"), &[("a", backend.address)]);
    let many = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "a: b\r\n".repeat(200)
    );
    let long = format!(
        "GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n",
        "b".repeat(100_000)
    );
    let cases = [
        ("garbage\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (
            "CONNECT shop.test:80 HTTP/1.1\r\nhost: shop.test:80\r\n\r\n",
            405,
        ),
        (
            "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            400,
        ),
        (many.as_str(), 431),
        (long.as_str(), 431),
    ];
    for (request, status) in cases {
        let mut client = HttpClient::connect(address);
        let _ = client.stream.write_all(request.as_bytes());
        let (head, _) = read_response(&mut client.stream)
            .unwrap_or_else(|error| panic!("{request:.60}: {error}"));
        assert_eq!(
            head.split_whitespace().nth(1).unwrap(),
            status.to_string(),
            "{request:.60}"
        );
    }
    assert_eq!(backend.accepted(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn serves_many_http2_requests_on_one_connection() {
    let (home, one, two) = (
        Home::start(),
        HttpBackend::start("one"),
        HttpBackend::start("two"),
    );
    let address = serving(
        &home,
        http_spec("x"),
        &[("one", one.address), ("two", two.address)],
    );
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let driving = tokio::spawn(connection);
    let requests = (0..100).map(|number| {
        let mut sender = sender.clone();
        tokio::spawn(async move {
            let request = http::Request::post(format!("http://shop.test/{number}"));
            let request = request
                .header("cookie", "a=1")
                .header("cookie", "b=2")
                .body(Full::new(Bytes::from_static(b"words")))
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            String::from_utf8(
                response
                    .into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
                    .to_vec(),
            )
            .unwrap()
        })
    });
    for (number, request) in requests.collect::<Vec<_>>().into_iter().enumerate() {
        let body = tokio::time::timeout(PATIENCE, request)
            .await
            .unwrap()
            .unwrap();
        assert!(
            body.contains(&format!("POST /{number} HTTP/1.1")) && body.ends_with("words"),
            "{body}"
        );
        assert!(
            body.contains("cookie: a=1; b=2") && body.contains("host: shop.test"),
            "{body}"
        );
    }
    drop(sender);
    driving.await.unwrap().unwrap();
    assert!(one.accepted() > 0 && two.accepted() > 0);
}

#[test]
fn a_client_that_goes_away_frees_its_target() {
    let home = Home::start();
    let (seen, gone) = channel();
    let seen = std::sync::Mutex::new(seen);
    let backend = Backend::start(move |mut stream| {
        read_head(&mut stream);
        seen.lock().unwrap().send("asked").unwrap();
        // Never answers; the end of the connection is the holder's.
        let ended = stream.read(&mut [0]);
        assert!(matches!(ended, Ok(0) | Err(_)));
        seen.lock().unwrap().send("ended").unwrap();
    });
    let address = serving(&home, http_spec("x"), &[("a", backend.address)]);
    let mut client = HttpClient::connect(address);
    client
        .stream
        .write_all(request("GET", "/", "").as_bytes())
        .unwrap();
    assert_eq!(gone.recv_timeout(PATIENCE).unwrap(), "asked");
    drop(client);
    assert_eq!(gone.recv_timeout(PATIENCE).unwrap(), "ended");
}
