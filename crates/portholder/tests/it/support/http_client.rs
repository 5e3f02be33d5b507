//! A plain HTTP/1.1 client that shows every byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// The head up to the empty line, and what came after it.
pub(crate) fn read_head(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).unwrap(), rest));
        }
        let mut more = [0; 4096];
        match stream.read(&mut more) {
            Ok(count @ 1..) => bytes.extend_from_slice(&more[..count]),
            _ => return None,
        }
    }
}

/// A client connection that is kept.
pub(crate) struct HttpClient {
    pub(crate) stream: TcpStream,
}

impl HttpClient {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// Status and body, or what went wrong.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(u16, String), String> {
        self.stream
            .write_all(request(method, path, body).as_bytes())
            .map_err(|error| error.to_string())?;
        read_response(&mut self.stream).map(|(head, body)| (status(&head), body))
    }
}

pub(crate) fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: shop.test\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Head and body of an answer with a `content-length`.
pub(crate) fn read_response(stream: &mut impl Read) -> Result<(String, String), String> {
    let (head, mut body) = read_head(stream).ok_or("no answer")?;
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length:")
            .map(|value| value.trim().parse::<usize>().unwrap())
    });
    let length = length.unwrap_or(0);
    while body.len() < length {
        let mut more = [0; 4096];
        match stream.read(&mut more) {
            Ok(count @ 1..) => body.extend_from_slice(&more[..count]),
            other => return Err(format!("the answer was cut short: {other:?}")),
        }
    }
    Ok((head, String::from_utf8(body).unwrap()))
}

fn status(head: &str) -> u16 {
    head.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Everything until the end of the stream.
pub(crate) fn text(stream: &mut impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).map(|_| text)
}
