//! The experiment of a replacement under load: new connections, and kept HTTP connections.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use consort_portholder::{Event, TargetSpec, TargetState};

use crate::support::{
    Backend, Home, HttpBackend, HttpClient, PATIENCE, http_spec, key, spec, target, text,
};

const REPLACEMENTS: u64 = 10;
const CLIENTS: usize = 4;
/// Requests between two replacements.
const BETWEEN: usize = 60;

/// Client threads that ask until they are stopped, and tell how each request went.
struct Load {
    results: Receiver<Result<(), String>>,
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
    ok: usize,
    failed: Vec<String>,
}

impl Load {
    fn start(
        client: impl Fn(&AtomicBool, &SyncSender<Result<(), String>>) + Send + Sync + Clone + 'static,
    ) -> Self {
        let (sender, results) = sync_channel(0);
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..CLIENTS)
            .map(|_| {
                let (client, stop, sender) = (client.clone(), Arc::clone(&stop), sender.clone());
                std::thread::spawn(move || client(&stop, &sender))
            })
            .collect();
        Self {
            results,
            stop,
            threads,
            ok: 0,
            failed: Vec::new(),
        }
    }

    fn wait_for(&mut self, count: usize) {
        for _ in 0..count {
            match self.results.recv_timeout(PATIENCE).unwrap() {
                Ok(()) => self.ok += 1,
                Err(error) => self.failed.push(error),
            }
        }
    }

    fn finish(mut self) -> (usize, Vec<String>) {
        self.stop.store(true, SeqCst);
        while let Ok(result) = self.results.recv() {
            match result {
                Ok(()) => self.ok += 1,
                Err(error) => self.failed.push(error),
            }
        }
        self.threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        (self.ok, self.failed)
    }
}

/// Replaces the only instance again and again: start new, drain old, wait, cut it off.
fn replace(
    home: &Home,
    load: &mut Load,
    mut current: Backend,
    backend: impl Fn() -> Backend,
) -> Backend {
    let (mut client, mut events) = (home.client(), home.events());
    for round in 0..REPLACEMENTS {
        load.wait_for(BETWEEN);
        let new = backend();
        let (old_id, new_id) = (format!("i{round}"), format!("i{}", round + 1));
        let draining = TargetSpec {
            state: TargetState::Draining,
            ..target(&old_id, current.address)
        };
        client
            .targets(
                &key("x"),
                2 * round + 2,
                vec![draining, target(&new_id, new.address)],
            )
            .unwrap();
        // Clients wait for no one while they are between two results; let them run.
        let drained = Event::Drained {
            key: key("x"),
            target: old_id,
        };
        std::thread::scope(|scope| {
            let waited = scope.spawn(|| {
                events
                    .wait_for(PATIENCE, |event| *event == drained)
                    .unwrap()
            });
            while !waited.is_finished() {
                load.wait_for(1);
            }
            assert!(waited.join().unwrap());
        });
        current.stop();
        client
            .targets(&key("x"), 2 * round + 3, vec![target(&new_id, new.address)])
            .unwrap();
        current = new;
    }
    load.wait_for(BETWEEN);
    current
}

fn one_connection(address: SocketAddr) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"?").map_err(|error| error.to_string())?;
    match text(&mut stream) {
        Ok(answer) if answer == "hello" => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn ten_replacements_fail_no_new_connection() {
    let home = Home::start();
    let address = home.client().bind(spec("x")).unwrap();
    let first = Backend::replying("hello");
    home.client()
        .targets(&key("x"), 1, vec![target("i0", first.address)])
        .unwrap();
    let mut load = Load::start(move |stop, results| {
        while !stop.load(SeqCst) {
            let _ = results.send(one_connection(address));
        }
    });
    let last = replace(&home, &mut load, first, || Backend::replying("hello"));
    let (ok, failed) = load.finish();
    drop(last);
    eprintln!("{ok} connections, {} failed", failed.len());
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn ten_replacements_fail_no_request_on_kept_connections() {
    let home = Home::start();
    let address = home.client().bind(http_spec("x")).unwrap();
    let first = HttpBackend::start("hello");
    home.client()
        .targets(&key("x"), 1, vec![target("i0", first.address)])
        .unwrap();
    let mut load = Load::start(move |stop, results| {
        let mut client = HttpClient::connect(address);
        let mut turn = 0_u32;
        while !stop.load(SeqCst) {
            turn += 1;
            let (method, body) = if turn.is_multiple_of(2) {
                ("GET", "")
            } else {
                ("POST", "some words")
            };
            let result = match client.ask(method, "/work?x=1", body) {
                Ok((200, answer)) if answer.starts_with("hello\n") && answer.ends_with(body) => {
                    Ok(())
                }
                other => Err(format!("{method}: {other:?}")),
            };
            let _ = results.send(result);
        }
    });
    let last = replace(&home, &mut load, first, || HttpBackend::start("hello"));
    let (ok, failed) = load.finish();
    drop(last);
    eprintln!("{ok} requests, {} failed", failed.len());
    assert_eq!(failed, Vec::<String>::new());
    let counts = home.client().counts(Some(&key("x"))).unwrap();
    assert_eq!(
        counts[0].accepted as usize, CLIENTS,
        "client connections outlived ten instances"
    );
}
