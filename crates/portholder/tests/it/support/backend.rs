//! Small servers that play instances.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

use super::PATIENCE;
use super::http_client::read_head;

/// An instance that can be stopped for good: its connections are cut.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    accepted: usize,
    open: BTreeMap<usize, TcpStream>,
}

impl Backend {
    /// Each connection is given to `serve` on a thread of its own, and closed after it.
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let (shared, serve) = (Arc::clone(&shared), Arc::new(serve));
            move || {
                for stream in listener.incoming() {
                    if shared.stopped.load(SeqCst) {
                        return;
                    }
                    let stream = stream.unwrap();
                    let number = shared.opened(stream.try_clone().unwrap());
                    let (serve, shared) = (Arc::clone(&serve), Arc::clone(&shared));
                    std::thread::spawn(move || {
                        serve(stream);
                        shared.state.lock().unwrap().open.remove(&number);
                    });
                }
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// Accepts, reads, replies with its name, closes.
    pub(crate) fn replying(name: &'static str) -> Self {
        Self::start(move |mut stream| {
            let mut bytes = [0; 64];
            if stream.read(&mut bytes).is_ok_and(|count| count > 0) {
                let _ = stream.write_all(name.as_bytes());
            }
        })
    }

    /// Sends back what it gets.
    pub(crate) fn echo() -> Self {
        Self::start(|mut stream| {
            let mut writer = stream.try_clone().unwrap();
            let _ = std::io::copy(&mut stream, &mut writer);
            let _ = writer.shutdown(Shutdown::Write);
        })
    }

    pub(crate) fn accepted(&self) -> usize {
        self.shared.state.lock().unwrap().accepted
    }

    /// Waits until so many connections were accepted.
    pub(crate) fn wait_accepted(&self, count: usize) {
        let state = self.shared.state.lock().unwrap();
        let (_state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.accepted < count)
            .unwrap();
        assert!(!waited.timed_out(), "no {count} connections came");
    }

    /// Ends at once, as a killed process does.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.stopped.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
        thread.join().unwrap();
        for stream in self.shared.state.lock().unwrap().open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn opened(&self, stream: TcpStream) -> usize {
        let mut state = self.state.lock().unwrap();
        state.accepted += 1;
        let number = state.accepted;
        state.open.insert(number, stream);
        self.changed.notify_all();
        number
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.end();
    }
}

/// An HTTP/1.1 instance with keep-alive, which answers with its name, the head and the body.
pub(crate) struct HttpBackend;

impl HttpBackend {
    pub(crate) fn start(name: &'static str) -> Backend {
        Backend::start(move |mut stream| {
            while let Some((head, mut body)) = read_head(&mut stream) {
                let length = content_length(&head);
                while body.len() < length {
                    let mut more = [0; 4096];
                    match stream.read(&mut more) {
                        Ok(count @ 1..) => body.extend_from_slice(&more[..count]),
                        _ => return,
                    }
                }
                let said = format!("{name}\n{head}\n{}", String::from_utf8_lossy(&body));
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nx-instance: {name}\r\ncontent-length: {}\r\n\r\n{said}",
                    said.len()
                );
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        })
    }
}

fn content_length(head: &str) -> usize {
    let line = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length:")
            .map(|value| value.trim().parse().unwrap())
    });
    line.unwrap_or(0)
}
