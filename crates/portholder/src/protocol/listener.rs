//! What a listener is.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The name of a listener, for example `services.api/80/tcp`.
///
/// 1 to 200 bytes, without `:` and control characters, and not beginning with `@`: it is the descriptor's name in `LISTEN_FDNAMES`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListenerKey(String);

impl ListenerKey {
    /// The longest key in bytes.
    pub const LIMIT: usize = 200;

    /// Checks and takes a key.
    ///
    /// # Errors
    /// The reason, as a sentence, if the key is empty, too long, begins with `@`, or holds a `:` or a control character.
    pub fn new(key: impl Into<String>) -> Result<Self, String> {
        let key = key.into();
        if key.is_empty() || key.len() > Self::LIMIT {
            return Err(format!(
                "a listener key has 1 to {} bytes, this one has {}",
                Self::LIMIT,
                key.len()
            ));
        }
        if key.starts_with('@') {
            return Err(format!(
                "the listener key {key:?} begins with `@`, which is kept for the holder's own descriptors"
            ));
        }
        if key.chars().any(|c| c == ':' || c.is_control()) {
            return Err(format!(
                "the listener key {key:?} holds a `:` or a control character; use `/` between its parts"
            ));
        }
        Ok(Self(key))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ListenerKey {
    type Error = String;
    fn try_from(key: String) -> Result<Self, String> {
        Self::new(key)
    }
}

impl From<ListenerKey> for String {
    fn from(key: ListenerKey) -> Self {
        key.0
    }
}

impl fmt::Display for ListenerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Streams.
    #[default]
    Tcp,
    /// Datagrams; the mode is not used.
    Udp,
}

/// How a listener forwards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Bytes, or datagrams.
    #[default]
    L4,
    /// HTTP/1.1 and HTTP/2 (prior knowledge) from clients, HTTP/1.1 to targets.
    ///
    /// A request is sent again only if no target has accepted it: the connection could not be made, or
    /// was closed before the request was handed to it. One case is added, by RFC 9110 §9.2.2: a `GET`,
    /// `HEAD` or `OPTIONS` without a body whose *reused* connection ended before the first byte of an
    /// answer.
    Http,
    /// HTTP to the Unix socket of a server that may be away for a while.
    UnixHttp(UnixUpstream),
}

/// The server behind a `unix_http` listener.
///
/// The headers are written to the state file: they must hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnixUpstream {
    /// The server's socket.
    pub socket: PathBuf,
    /// Put before the path of every request. Paths with dot segments are refused, so that no request
    /// leaves the prefix.
    #[serde(default)]
    pub path_prefix: String,
    /// Set on every request; replaces what the client sent under these names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// Everything about a listener that its owner decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSpec {
    /// Its name.
    pub key: ListenerKey,
    /// TCP or UDP.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address to bind. An IPv6 address takes IPv6 only.
    pub address: IpAddr,
    /// The port to bind, 0 for any.
    #[serde(default)]
    pub port: u16,
    /// How it forwards.
    #[serde(default)]
    pub mode: Mode,
    /// How long a client waits for a ready target, in milliseconds.
    #[serde(default = "default_wait_ms")]
    pub wait_timeout_ms: u64,
    /// How long a connection may be silent, in milliseconds. 0: TCP connections in mode `l4` without
    /// limit, client connections in the HTTP modes 75 s, UDP sessions 30 s.
    #[serde(default)]
    pub idle_timeout_ms: u64,
    /// How long the head of an HTTP request, and a pause in its body, may take, in milliseconds.
    #[serde(default = "default_header_ms")]
    pub header_timeout_ms: u64,
    /// How many connections (or UDP sessions) may be open at once; further TCP clients wait in the
    /// kernel's queue, further UDP clients are not served.
    #[serde(default = "default_max_connections")]
    pub max_connections: u32,
}

impl ListenerSpec {
    /// A TCP listener in mode `l4` with the default limits.
    pub fn tcp(key: ListenerKey, address: IpAddr, port: u16) -> Self {
        Self {
            key,
            protocol: Protocol::Tcp,
            address,
            port,
            mode: Mode::L4,
            wait_timeout_ms: default_wait_ms(),
            idle_timeout_ms: 0,
            header_timeout_ms: default_header_ms(),
            max_connections: default_max_connections(),
        }
    }
}

/// A minute: longer than a usual start, shorter than people wait.
fn default_wait_ms() -> u64 {
    60_000
}

/// What nginx gives a client for its head is 60 s; half of it still serves a bad mobile network.
fn default_header_ms() -> u64 {
    30_000
}

fn default_max_connections() -> u32 {
    16_384
}
