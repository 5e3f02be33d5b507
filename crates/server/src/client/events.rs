//! Reads server-sent events (WHATWG HTML, 9.2) as a feed.

use axum::body::Body;
use consort_engine::control::Feed;
use consort_model::{Code, Problem};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

/// One event may be so large.
const LIMIT: usize = 16 << 20;

struct Reader {
    body: Body,
    buffer: Vec<u8>,
    done: bool,
}

enum Next {
    Data(String),
    Problem(String),
    End,
}

/// The items of a stream of events. It ends at the event `end`; a connection that breaks before is an
/// error item.
pub(crate) fn read<T: DeserializeOwned + Send + 'static>(body: Body) -> Feed<T> {
    let reader = Reader {
        body,
        buffer: Vec::new(),
        done: false,
    };
    let items = stream::unfold(reader, |mut reader| async move {
        if reader.done {
            return None;
        }
        let item = match reader.next().await {
            Ok(Next::End) => return None,
            Ok(Next::Data(text)) => serde_json::from_str(&text).map_err(|error| {
                Problem::new(
                    Code::SERVER_VERSION,
                    "an event of the server cannot be read",
                )
                .caused_by(&error)
            }),
            Ok(Next::Problem(text)) => {
                reader.done = true;
                Err(serde_json::from_str(&text)
                    .unwrap_or_else(|_| Problem::new(Code::INTERNAL, text)))
            }
            Err(problem) => {
                reader.done = true;
                Err(problem)
            }
        };
        Some((item, reader))
    });
    items.boxed()
}

impl Reader {
    async fn next(&mut self) -> Result<Next, Problem> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(next) = event(&String::from_utf8_lossy(&block)) {
                    return Ok(next);
                }
                continue;
            }
            let broken = || {
                Problem::new(
                    Code::SERVER_UNREACHABLE,
                    "the connection to the server broke",
                )
            };
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    if self.buffer.len() + data.len() > LIMIT {
                        return Err(Problem::new(
                            Code::REQUEST_TOO_LARGE,
                            "an event of the server is too large",
                        ));
                    }
                    self.buffer.extend_from_slice(&data);
                }
                Some(Err(error)) => return Err(broken().caused_by(&error)),
                None => return Err(broken()),
            }
        }
    }
}

/// Reads one block; comments and empty ones are nothing.
fn event(block: &str) -> Option<Next> {
    let mut kind = "message";
    let mut data: Vec<&str> = Vec::new();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => kind = value,
            "data" => data.push(value),
            _ => {}
        }
    }
    match kind {
        "end" => Some(Next::End),
        _ if data.is_empty() => None,
        "problem" => Some(Next::Problem(data.join("\n"))),
        _ => Some(Next::Data(data.join("\n"))),
    }
}
