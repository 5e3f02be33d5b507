//! One question of a probe, and its way to an answer.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, connect, send, socket_with, sockopt,
};

use crate::spec::Check;

/// A status line is not longer.
const MAX_ANSWER: usize = 512;

pub(super) struct Question {
    pub(super) asked: Instant,
    pub(super) give_up: Instant,
    pub(super) text: Vec<u8>,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A program, and the reading end of its output.
    Exec {
        pid: i32,
        out: Option<OwnedFd>,
    },
    Connecting {
        socket: OwnedFd,
    },
    /// Waiting for the status line.
    Answering {
        socket: OwnedFd,
    },
}

/// The answer to a question.
pub(super) struct Answer {
    pub(super) success: bool,
    pub(super) text: String,
}

impl Question {
    /// Goes on as far as the network lets it; an error is a failed answer.
    pub(super) fn advance(&mut self, check: &Check) -> Result<Option<Answer>, String> {
        match &self.kind {
            Kind::Exec { .. } => Ok(None),
            Kind::Connecting { socket } => {
                sockopt::socket_error(socket)
                    .and_then(|result| result)
                    .map_err(|error| format!("cannot connect: {error}"))?;
                let Check::Http {
                    address,
                    path,
                    host,
                } = check
                else {
                    return Ok(Some(Answer {
                        success: true,
                        text: String::new(),
                    }));
                };
                send_request(socket, path, host.as_ref().unwrap_or(address))?;
                let socket = socket.try_clone().map_err(|error| error.to_string())?;
                self.kind = Kind::Answering { socket };
                Ok(None)
            }
            Kind::Answering { socket } => {
                let mut buffer = [0; MAX_ANSWER];
                let space = MAX_ANSWER - self.text.len().min(MAX_ANSWER - 1);
                match rustix::io::read(socket, &mut buffer[..space]) {
                    Ok(0) => return Err("the connection was closed without an answer".to_owned()),
                    Ok(count) => self.text.extend_from_slice(&buffer[..count]),
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(None),
                    Err(error) => return Err(format!("no answer: {error}")),
                }
                Ok(status_line(&self.text))
            }
        }
    }
}

/// The request fits into an empty socket buffer, so it goes whole or not at all.
fn send_request(socket: &OwnedFd, path: &str, host: &str) -> Result<(), String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: consort-shim\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    match send(socket, request.as_bytes(), SendFlags::NOSIGNAL) {
        Ok(count) if count == request.len() => Ok(()),
        Ok(_) => Err("cannot send the request".to_owned()),
        Err(error) => Err(format!("cannot send the request: {error}")),
    }
}

/// Judges the first line of an answer, once it is there.
fn status_line(text: &[u8]) -> Option<Answer> {
    let end = text.iter().position(|byte| *byte == b'\n');
    if end.is_none() && text.len() < MAX_ANSWER - 1 {
        return None;
    }
    let line = String::from_utf8_lossy(&text[..end.unwrap_or(text.len())])
        .trim_end()
        .to_owned();
    let mut parts = line.split(' ');
    let http = parts
        .next()
        .is_some_and(|version| version.starts_with("HTTP/1."));
    let status = parts
        .next()
        .and_then(|status| status.parse::<u16>().ok())
        .filter(|_| http);
    Some(Answer {
        success: status.is_some_and(|status| (200..400).contains(&status)),
        text: line,
    })
}

/// Begins a connection; it is there, or has failed, when the socket is writable.
pub(super) fn begin_connect(address: &str) -> Result<Kind, String> {
    let address: SocketAddr = address
        .parse()
        .map_err(|_| format!("{address:?} is no numeric ADDRESS:PORT"))?;
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(family, SocketType::STREAM, flags, None).map_err(|error| error.to_string())?;
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(Kind::Connecting { socket }),
        Err(error) => Err(format!("cannot connect: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::status_line;

    #[test]
    fn judges_status_lines() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(true)),
            ("HTTP/1.0 399 \r\n", Some(true)),
            ("HTTP/1.1 404 Not Found\r\n", Some(false)),
            ("HTTP/1.1 500\r\n", Some(false)),
            ("SSH-2.0-OpenSSH\r\n", Some(false)),
            ("HTTP/1.1 20", None),
            ("", None),
        ] {
            assert_eq!(
                status_line(text.as_bytes()).map(|answer| answer.success),
                expected,
                "{text:?}"
            );
        }
        assert_eq!(
            status_line(&[b'x'; 600]).map(|answer| answer.success),
            Some(false)
        );
    }
}
