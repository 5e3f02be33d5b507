//! The process is killed and comes back; its shim keeps the listeners.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use consort_portholder::{Client, ClientError, FailureCode, Reply, Request};

use crate::support::{Backend, Home, PATIENCE, key, spec, target, text};

fn hello(address: SocketAddr) -> Result<String, std::io::Error> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"?")?;
    text(&mut stream)
}

#[test]
fn a_killed_holder_comes_back_with_the_same_listeners_and_targets() {
    let (mut home, backend) = (Home::start(), Backend::replying("hello"));
    let mut client = home.client();
    let addresses: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|name| client.bind(spec(name)).unwrap())
        .collect();
    for name in ["a", "b", "c"] {
        client
            .targets(&key(name), 7, vec![target("i", backend.address)])
            .unwrap();
    }
    let block = client.blocks(1).unwrap();
    let before = client.ask(&Request::List).unwrap();
    home.kill();
    // While nobody serves, clients wait in the queue of the kept listener.
    let waiting: Vec<_> = addresses
        .iter()
        .map(|address| {
            std::thread::spawn({
                let address = *address;
                move || hello(address)
            })
        })
        .collect();
    home.launch();
    for thread in waiting {
        assert_eq!(thread.join().unwrap().unwrap(), "hello");
    }
    let mut client = home.client();
    assert_eq!(client.ask(&Request::List).unwrap(), before);
    assert_eq!(client.blocks(1).unwrap(), block);
    assert_eq!(
        client.targets(&key("a"), 6, vec![]).unwrap_err().code(),
        Some(FailureCode::StaleGeneration)
    );
}

#[test]
fn kills_under_load_refuse_no_connection() {
    let (mut home, backend) = (Home::start(), Backend::replying("hello"));
    let address = home.client().bind(spec("x")).unwrap();
    home.client()
        .targets(&key("x"), 1, vec![target("i", backend.address)])
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let (mut served, mut cut, mut refused) = (0, 0, 0);
                while !stop.load(SeqCst) {
                    match hello(address) {
                        Ok(answer) if answer == "hello" => served += 1,
                        // It was inside the process when that was killed; mode l4 cannot hide this.
                        Ok(_) => cut += 1,
                        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                            refused += 1
                        }
                        Err(_) => cut += 1,
                    }
                }
                (served, cut, refused)
            })
        })
        .collect();
    for _ in 0..5 {
        let accepted = backend.accepted();
        backend.wait_accepted(accepted + 50);
        home.kill();
        home.launch();
    }
    stop.store(true, SeqCst);
    let (mut served, mut cut, mut refused) = (0, 0, 0);
    for (s, c, r) in clients.into_iter().map(|client| client.join().unwrap()) {
        (served, cut, refused) = (served + s, cut + c, refused + r);
    }
    eprintln!("{served} served, {cut} cut, {refused} refused");
    assert_eq!(refused, 0);
    assert!(
        cut <= 4 * 5,
        "at most those in the process at each kill: {cut}"
    );
}

#[test]
fn an_unbound_listener_is_gone_also_from_the_store() {
    let mut home = Home::start();
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    assert_eq!(home.shim.names(), ["x"]);
    client.unbind(&key("x")).unwrap();
    client.unbind(&key("x")).unwrap();
    assert_eq!(home.shim.names(), Vec::<String>::new());
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    home.kill();
    home.launch();
    let Reply::List { listeners, .. } = home.client().ask(&Request::List).unwrap() else {
        panic!()
    };
    assert_eq!(listeners, []);
}

#[test]
fn without_a_store_the_same_address_is_opened_again() {
    let (mut home, backend) = (Home::start(), Backend::replying("hello"));
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    client
        .targets(&key("x"), 1, vec![target("i", backend.address)])
        .unwrap();
    home.kill();
    home.shim.kept_clear();
    home.launch();
    assert_eq!(hello(address).unwrap(), "hello");
    assert_eq!(home.client().bind(spec("x")).unwrap(), address);
}

#[test]
fn a_broken_state_file_is_set_aside_and_listeners_wait_for_their_owner() {
    let (mut home, backend) = (Home::start(), Backend::replying("hello"));
    let address = home.client().bind(spec("x")).unwrap();
    home.kill();
    std::fs::write(home.state_file(), b"{\"format\":1,\"listen").unwrap();
    home.launch();
    let waiting = std::thread::spawn(move || hello(address));
    let mut client = home.client();
    assert_eq!(
        client
            .bind(consort_portholder::ListenerSpec {
                port: address.port(),
                ..spec("x")
            })
            .unwrap(),
        address
    );
    client
        .targets(&key("x"), 1, vec![target("i", backend.address)])
        .unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), "hello");
    assert!(home.state_file().with_extension("json.broken").exists());
}

#[test]
fn a_listener_that_was_never_recorded_is_closed() {
    let mut home = Home::start();
    let mut client = home.client();
    let address = client.bind(spec("x")).unwrap();
    home.kill();
    // As if the kill had come between the store and the record.
    std::fs::remove_file(home.state_file()).unwrap();
    home.launch();
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    assert_eq!(home.shim.names(), Vec::<String>::new());
}

#[test]
fn a_second_holder_of_the_same_home_is_refused() {
    let home = Home::start();
    let output = home.command().output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("another port holder serves this home"),
        "{said}"
    );
    home.client();
}

#[test]
fn shutdown_ends_it_and_keeps_the_record() {
    let mut home = Home::start();
    let address = home.client().bind(spec("x")).unwrap();
    home.client().shutdown().unwrap();
    assert!(home.wait().success());
    assert!(matches!(
        Client::connect(&home.control(), PATIENCE),
        Err(ClientError::Unreachable { .. })
    ));
    home.launch();
    assert_eq!(home.client().bind(spec("x")).unwrap(), address);
}

#[test]
fn stays_small() {
    let home = Home::start();
    let mut client = home.client();
    for number in 0..50 {
        client.bind(spec(&format!("s{number}"))).unwrap();
    }
    let kib = home.resident_kib();
    eprintln!("{kib} KiB with 50 listeners");
    // A debug build; the small profile is measured by the benchmarks.
    assert!(kib < 32 * 1024, "{kib} KiB");
}
