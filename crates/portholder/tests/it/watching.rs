//! Readiness told by shims, while no server runs.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use consort_portholder::{Event, TargetState};

use crate::support::{Backend, Home, PATIENCE, key, spec, watched};

/// A shim's control socket as the holder sees it.
struct Shim {
    listener: UnixListener,
    path: PathBuf,
}

impl Shim {
    fn new(home: &Home, name: &str) -> Self {
        let path = home.dir.path().join(name);
        Self {
            listener: UnixListener::bind(&path).unwrap(),
            path,
        }
    }

    fn accept(&self) -> UnixStream {
        let (stream, _) = self.listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "{\"request\":\"watch\"}\n");
        stream
    }
}

fn say(stream: &mut UnixStream, text: &str) {
    stream.write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[test]
fn follows_the_word_of_a_shim() {
    let (home, backend) = (Home::start(), Backend::echo());
    let shim = Shim::new(&home, "one.sock");
    let (mut client, mut events) = (home.client(), home.events());
    client.bind(spec("x")).unwrap();
    client
        .targets(
            &key("x"),
            1,
            vec![watched(
                "a",
                backend.address,
                TargetState::Waiting,
                shim.path.clone(),
            )],
        )
        .unwrap();
    let ready = Event::FirstReady { key: key("x") };
    let none = Event::NoneReady { key: key("x") };
    let drained = Event::Drained {
        key: key("x"),
        target: "a".to_owned(),
    };
    let mut expect = |event: &Event| {
        assert!(
            events.wait_for(PATIENCE, |told| told == event).unwrap(),
            "{event:?}"
        )
    };
    let mut stream = shim.accept();
    say(
        &mut stream,
        r#"{"event":"state","state":"starting","ready":false,"draining":false}"#,
    );
    say(&mut stream, "not json");
    say(
        &mut stream,
        r#"{"event":"state","state":"running","ready":true,"draining":false}"#,
    );
    expect(&ready);
    say(
        &mut stream,
        r#"{"event":"state","state":"running","ready":false,"draining":false}"#,
    );
    expect(&none);
    // The shim is lost and found again: its last word counts meanwhile.
    drop(stream);
    let mut stream = shim.accept();
    assert!(!client.counts(None).unwrap()[0].targets[0].ready);
    say(
        &mut stream,
        r#"{"event":"state","state":"running","ready":true,"draining":false}"#,
    );
    expect(&ready);
    say(
        &mut stream,
        r#"{"event":"state","state":"running","ready":true,"draining":true}"#,
    );
    expect(&drained);
    assert!(!client.counts(None).unwrap()[0].targets[0].ready);
}

#[test]
fn a_restarted_holder_waits_for_the_word_of_a_shim() {
    let (mut home, backend) = (Home::start(), Backend::echo());
    let (heard, silent) = (
        Shim::new(&home, "heard.sock"),
        home.dir.path().join("silent.sock"),
    );
    let mut client = home.client();
    client.bind(spec("x")).unwrap();
    client.bind(spec("y")).unwrap();
    client
        .targets(
            &key("x"),
            1,
            vec![watched(
                "a",
                backend.address,
                TargetState::Ready,
                heard.path.clone(),
            )],
        )
        .unwrap();
    client
        .targets(
            &key("y"),
            1,
            vec![watched("a", backend.address, TargetState::Ready, silent)],
        )
        .unwrap();
    let first = heard.accept();
    home.kill();
    drop(first);
    home.launch();
    let mut events = home.events();
    let mut stream = heard.accept();
    assert!(
        !home.client().counts(Some(&key("x"))).unwrap()[0].targets[0].ready,
        "not known yet"
    );
    say(&mut stream, r#"{"event":"state","ready":true}"#);
    for name in ["x", "y"] {
        let ready = Event::FirstReady { key: key(name) };
        assert!(
            home.events()
                .wait_for(PATIENCE, |event| *event == ready)
                .unwrap()
                || events.next(PATIENCE).unwrap().is_some()
        );
    }
}
