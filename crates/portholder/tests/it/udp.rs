use std::net::UdpSocket;

use consort_portholder::{Event, ListenerSpec, Protocol};

use crate::support::{Home, PATIENCE, key, spec, target};

fn udp_spec(name: &str) -> ListenerSpec {
    ListenerSpec {
        protocol: Protocol::Udp,
        ..spec(name)
    }
}

/// Echoes until it gets an empty datagram.
fn echo(name: &'static str) -> (std::net::SocketAddr, std::thread::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 65_535];
        loop {
            let (count, peer) = socket.recv_from(&mut buffer).unwrap();
            if count == 0 {
                return;
            }
            let said = [name.as_bytes(), &buffer[..count]].concat();
            socket.send_to(&said, peer).unwrap();
        }
    });
    (address, thread)
}

fn client(address: std::net::SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn ask(socket: &UdpSocket, word: &[u8]) -> Vec<u8> {
    socket.send(word).unwrap();
    let mut buffer = [0; 65_535];
    let count = socket.recv(&mut buffer).unwrap();
    buffer[..count].to_vec()
}

#[test]
fn keeps_a_session_per_client_and_ends_it_after_silence() {
    let home = Home::start();
    let (server, thread) = echo("a:");
    let (mut control, mut events) = (home.client(), home.events());
    let address = control
        .bind(ListenerSpec {
            idle_timeout_ms: 150,
            ..udp_spec("dns")
        })
        .unwrap();
    let (one, two) = (client(address), client(address));
    // Sent before there is a target: it waits in the kernel's buffer.
    one.send(b"early").unwrap();
    control
        .targets(&key("dns"), 1, vec![target("a", server)])
        .unwrap();
    let mut buffer = [0; 64];
    let count = one.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"a:early");
    for word in [&b"x"[..], &[7; 9000]] {
        assert_eq!(ask(&one, word), [b"a:", word].concat());
        assert_eq!(ask(&two, word), [b"a:", word].concat());
    }
    assert_eq!(
        control.counts(Some(&key("dns"))).unwrap()[0].targets[0].total,
        2
    );
    control.drain(&key("dns"), "a").unwrap();
    let drained = Event::Drained {
        key: key("dns"),
        target: "a".to_owned(),
    };
    assert!(
        events
            .wait_for(PATIENCE, |event| *event == drained)
            .unwrap()
    );
    client(server).send(b"").unwrap();
    thread.join().unwrap();
}

#[test]
fn moves_sessions_off_a_target_that_is_gone() {
    let home = Home::start();
    let ((old, old_thread), (new, new_thread)) = (echo("old:"), echo("new:"));
    let mut control = home.client();
    let address = control.bind(udp_spec("x")).unwrap();
    control
        .targets(&key("x"), 1, vec![target("old", old)])
        .unwrap();
    let socket = client(address);
    assert_eq!(ask(&socket, b"1"), b"old:1");
    let mut events = home.events();
    control
        .targets(&key("x"), 2, vec![target("new", new)])
        .unwrap();
    let drained = Event::Drained {
        key: key("x"),
        target: "old".to_owned(),
    };
    assert!(
        events
            .wait_for(PATIENCE, |event| *event == drained)
            .unwrap()
    );
    assert_eq!(ask(&socket, b"2"), b"new:2");
    for (address, thread) in [(old, old_thread), (new, new_thread)] {
        client(address).send(b"").unwrap();
        thread.join().unwrap();
    }
}

#[test]
fn takes_no_more_sessions_than_allowed() {
    let home = Home::start();
    let (server, thread) = echo("");
    let mut control = home.client();
    let address = control
        .bind(ListenerSpec {
            max_connections: 1,
            ..udp_spec("x")
        })
        .unwrap();
    control
        .targets(&key("x"), 1, vec![target("a", server)])
        .unwrap();
    let (one, two) = (client(address), client(address));
    assert_eq!(ask(&one, b"1"), b"1");
    two.send(b"2").unwrap();
    // Datagrams of one listener are handled in order, so this answer comes after the refusal.
    assert_eq!(ask(&one, b"3"), b"3");
    assert_eq!(control.counts(Some(&key("x"))).unwrap()[0].unserved, 1);
    client(server).send(b"").unwrap();
    thread.join().unwrap();
}
