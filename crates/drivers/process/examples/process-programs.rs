//! The small programs that the tests of this crate start: the shim, the port holder, and a server.
//!
//! `shim DIR`, `holder OPTIONS…`, `web TEXT` (HTTP/1.1 on `HOST:PORT`, answers `TEXT` and its
//! environment), `env` (writes its environment and files that are named, and waits).

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    match command.to_str() {
        Some("shim") => match rest.first() {
            Some(folder) => consort_shim::run(Path::new(folder)),
            None => consort_shim::usage(),
        },
        Some("holder") => consort_portholder::run_blocking(rest),
        Some("web") => web(&rest),
        _ => ExitCode::FAILURE,
    }
}

fn web(rest: &[OsString]) -> ExitCode {
    let text = rest.first().map(|text| text.to_string_lossy().into_owned());
    let text = text.unwrap_or_default();
    let variable = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let (Some(host), Some(port)) = (variable("HOST"), variable("PORT")) else {
        return ExitCode::FAILURE;
    };
    let Ok(listener) = TcpListener::bind(format!("{host}:{port}")) else {
        eprintln_line(&format!("cannot listen on {host}:{port}"));
        return ExitCode::FAILURE;
    };
    eprintln_line(&format!("serving {text} on {host}:{port}"));
    for stream in listener.incoming().flatten() {
        let text = text.clone();
        std::thread::spawn(move || answer(stream, &text));
    }
    ExitCode::SUCCESS
}

fn eprintln_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// `GET /` is answered with the text, `GET /slow` after a while, other paths with the content of the
/// file of that path.
fn answer(mut stream: TcpStream, text: &str) {
    let Ok(clone) = stream.try_clone() else {
        return;
    };
    let mut lines = BufReader::new(clone);
    let mut first = String::new();
    if lines.read_line(&mut first).is_err() || first.is_empty() {
        return;
    }
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|count| count > 0) && line.trim() != "" {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let body = match path.as_str() {
        "/" => text.to_owned(),
        "/slow" => {
            std::thread::sleep(std::time::Duration::from_millis(300));
            text.to_owned()
        }
        "/env" => std::env::vars_os()
            .map(|(name, value)| format!("{}={}\n", name.display(), value.display()))
            .collect(),
        file => std::fs::read_to_string(file).unwrap_or_else(|error| format!("error: {error}")),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()));
}
