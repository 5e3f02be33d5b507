use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use consort_portholder::{Event, ListenerSpec};

use crate::support::{Backend, Home, PATIENCE, key, spec, target, text};

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn carries_bytes_both_ways_and_passes_the_end_on() {
    let (home, echo) = (Home::start(), Backend::echo());
    let mut client = home.client();
    let address = client.bind(spec("echo")).unwrap();
    client
        .targets(&key("echo"), 1, vec![target("a", echo.address)])
        .unwrap();
    let mut stream = connect(address);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn({
        let sent = sent.clone();
        move || {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        }
    });
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    writing.join().unwrap();
    assert!(got == sent);
}

#[test]
fn passes_over_a_target_that_cannot_be_reached() {
    let home = Home::start();
    let dead = Backend::echo();
    let address_of_dead = dead.address;
    dead.stop();
    let alive = Backend::replying("alive");
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    client
        .targets(
            &key("x"),
            1,
            vec![
                target("dead", address_of_dead),
                target("alive", alive.address),
            ],
        )
        .unwrap();
    for _ in 0..30 {
        let mut stream = connect(address);
        stream.write_all(b"?").unwrap();
        assert_eq!(text(&mut stream).unwrap(), "alive");
    }
    let counts = client.counts(Some(&key("x"))).unwrap();
    assert_eq!(counts[0].unserved, 0);
    assert!(counts[0].targets[0].failures >= 1);
}

#[test]
fn gives_work_to_the_less_loaded_target() {
    let (home, one, two) = (Home::start(), Backend::echo(), Backend::echo());
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    client
        .targets(
            &key("x"),
            1,
            vec![target("one", one.address), target("two", two.address)],
        )
        .unwrap();
    let held: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
        })
        .collect();
    let counts = client.counts(Some(&key("x"))).unwrap();
    let open: Vec<_> = counts[0].targets.iter().map(|target| target.open).collect();
    assert_eq!(open, [10, 10], "with two targets the two draws are both");
    assert_eq!(counts[0].open, held.len() as u64);
}

#[test]
fn lets_clients_wait_for_a_target_then_serves_them() {
    let (home, backend) = (Home::start(), Backend::replying("late"));
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    let mut waiting: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"?").unwrap();
            stream
        })
        .collect();
    assert_eq!(
        client.counts(Some(&key("x"))).unwrap()[0].accepted,
        0,
        "they wait in the kernel's queue"
    );
    client
        .targets(&key("x"), 1, vec![target("a", backend.address)])
        .unwrap();
    for stream in &mut waiting {
        assert_eq!(text(stream).unwrap(), "late");
    }
}

#[test]
fn resets_clients_that_waited_in_vain() {
    let home = Home::start();
    let mut client = home.client();
    let address = client
        .bind(ListenerSpec {
            wait_timeout_ms: 200,
            ..spec("x")
        })
        .unwrap();
    let waiting: Vec<_> = (0..5).map(|_| connect(address)).collect();
    for mut stream in waiting {
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!(client.counts(Some(&key("x"))).unwrap()[0].unserved, 5);
}

#[test]
fn a_target_that_drains_keeps_its_connections_and_gets_no_more() {
    let (home, old, new) = (Home::start(), Backend::echo(), Backend::replying("new"));
    let (mut client, mut events) = (home.client(), home.events());
    let address = client.bind(spec("x")).unwrap();
    client
        .targets(&key("x"), 1, vec![target("old", old.address)])
        .unwrap();
    let mut held = connect(address);
    held.write_all(b"a").unwrap();
    held.read_exact(&mut [0]).unwrap();
    client
        .targets(
            &key("x"),
            2,
            vec![target("old", old.address), target("new", new.address)],
        )
        .unwrap();
    assert_eq!(client.drain(&key("x"), "old").unwrap(), 1);
    for _ in 0..10 {
        let mut stream = connect(address);
        stream.write_all(b"?").unwrap();
        assert_eq!(text(&mut stream).unwrap(), "new");
    }
    held.write_all(b"b").unwrap();
    let mut answer = [0];
    held.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"b");
    drop(held);
    let drained = Event::Drained {
        key: key("x"),
        target: "old".to_owned(),
    };
    assert!(
        events
            .wait_for(PATIENCE, |event| *event == drained)
            .unwrap()
    );
    let mut late = home.events();
    assert!(
        late.wait_for(PATIENCE, |event| *event == drained).unwrap(),
        "a later watcher is told too"
    );
}

#[test]
fn a_target_that_resets_is_seen_as_a_reset() {
    let home = Home::start();
    let rude = Backend::start(|mut stream| {
        stream.read_exact(&mut [0]).unwrap();
        let _ = stream.write_all(b"part");
        // Connecting to nothing resets the connection, whoever else holds the descriptor.
        rustix::net::connect_unspec(&stream).unwrap();
    });
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    client
        .targets(&key("x"), 1, vec![target("a", rude.address)])
        .unwrap();
    let mut stream = connect(address);
    stream.write_all(b"x").unwrap();
    let mut all = Vec::new();
    assert_eq!(
        stream.read_to_end(&mut all).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

#[test]
fn ends_a_silent_connection_where_a_limit_is_set() {
    let (home, echo) = (Home::start(), Backend::echo());
    let mut client = home.client();
    let address = client
        .bind(ListenerSpec {
            idle_timeout_ms: 150,
            ..spec("x")
        })
        .unwrap();
    client
        .targets(&key("x"), 1, vec![target("a", echo.address)])
        .unwrap();
    let mut stream = connect(address);
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert_eq!(
        stream.read(&mut [0]).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

#[test]
fn holds_further_clients_back_at_the_limit() {
    let (home, echo) = (Home::start(), Backend::echo());
    let mut client = home.client();
    let address = client
        .bind(ListenerSpec {
            max_connections: 2,
            ..spec("x")
        })
        .unwrap();
    client
        .targets(&key("x"), 1, vec![target("a", echo.address)])
        .unwrap();
    let mut open: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"x").unwrap();
            stream
        })
        .collect();
    for stream in &mut open[..2] {
        stream.read_exact(&mut [0]).unwrap();
    }
    assert_eq!(client.counts(Some(&key("x"))).unwrap()[0].open, 2);
    open.remove(0);
    open[1].read_exact(&mut [0]).unwrap();
}

#[test]
fn carries_many_open_connections_in_little_memory() {
    let (home, echo) = (Home::start(), Backend::echo());
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    client
        .targets(&key("x"), 1, vec![target("a", echo.address)])
        .unwrap();
    let before = home.resident_kib();
    let open: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
        })
        .collect();
    let each = (home.resident_kib() - before) * 1024 / open.len() as u64;
    assert!(each < 12_000, "{each} bytes for an idle connection");
}
