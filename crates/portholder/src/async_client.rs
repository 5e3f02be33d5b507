//! The same client for async callers.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::client::{ClientError, typed_calls, unexpected};
use crate::lines::{LineError, decode, encode, read_line};
use crate::protocol::{
    Event, LINE_LIMIT, ListenerCounts, ListenerKey, ListenerSpec, PROTOCOL, Reply, Request,
    TargetSpec, TargetsRequest,
};

const REPLY_LIMIT: usize = 256 * 1024 * 1024;

/// A control connection. Its calls are not cancel-safe: after a dropped call, connect anew.
#[derive(Debug)]
pub struct AsyncClient {
    stream: BufReader<UnixStream>,
    timeout: Duration,
}

impl AsyncClient {
    /// Connects and agrees on the protocol. Each call takes at most `timeout`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn connect(path: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let stream =
            UnixStream::connect(path)
                .await
                .map_err(|source| ClientError::Unreachable {
                    path: path.to_owned(),
                    source,
                })?;
        let mut client = Self {
            stream: BufReader::new(stream),
            timeout,
        };
        match client.ask(&Request::Hello { protocol: PROTOCOL }).await? {
            Reply::Hello { .. } => Ok(client),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends any request and waits for its reply.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal is one too.
    pub async fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let line = encode(request).map_err(ClientError::Connection)?;
        if line.len() > LINE_LIMIT {
            return Err(ClientError::Answer(format!(
                "the request has {} bytes, more than {LINE_LIMIT}; send it in parts",
                line.len()
            )));
        }
        let exchange = async {
            self.stream
                .get_mut()
                .write_all(&line)
                .await
                .map_err(ClientError::Connection)?;
            read_document(&mut self.stream).await
        };
        let answered = timeout(self.timeout, exchange).await;
        match answered.map_err(|_elapsed| {
            ClientError::Connection(io::Error::from(io::ErrorKind::TimedOut))
        })?? {
            Reply::Error(failure) => Err(ClientError::Refused(failure)),
            reply => Ok(reply),
        }
    }

    typed_calls!(async; .await);

    /// Turns the connection into a stream of events, beginning with the current state.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn watch(mut self) -> Result<AsyncEvents, ClientError> {
        match self.ask(&Request::Watch).await? {
            Reply::Watching => Ok(AsyncEvents {
                stream: self.stream,
            }),
            other => Err(unexpected(&other)),
        }
    }
}

/// Events of an [`AsyncClient::watch`].
#[derive(Debug)]
pub struct AsyncEvents {
    stream: BufReader<UnixStream>,
}

impl AsyncEvents {
    /// The next event. Not cancel-safe.
    ///
    /// # Errors
    /// [`ClientError`] if the holder ended.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        read_document(&mut self.stream).await
    }
}

async fn read_document<T: serde::de::DeserializeOwned>(
    stream: &mut BufReader<UnixStream>,
) -> Result<T, ClientError> {
    let line = read_line(stream, REPLY_LIMIT)
        .await
        .map_err(|error| match error {
            LineError::Io(error) => ClientError::Connection(error),
            error @ LineError::TooLong(_) => ClientError::Answer(error.to_string()),
        })?;
    let line =
        line.ok_or_else(|| ClientError::Connection(io::Error::from(io::ErrorKind::UnexpectedEof)))?;
    decode(&line).map_err(ClientError::Answer)
}
