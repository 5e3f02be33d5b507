//! Ports: `[HOST_IP:][PUBLISHED:]TARGET[/PROTOCOL]`, with ranges (docker's `nat` package).

use crate::diagnostic::Sink;
use crate::node::{Map, Node, Value};

/// The most ports that one service may have after ranges are expanded.
pub const MAX_PORTS: usize = 10_000;

/// One port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The address that is bound; empty for all.
    pub host_ip: String,
    /// The port or range outside; empty for any.
    pub published: String,
    /// The port inside.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// Why a port could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// No target.
    #[error("`{0}` names no port inside: [[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL]")]
    NoTarget(String),
    /// The address is none.
    #[error("`{0}` is not an address of a host")]
    Address(String),
    /// Not a number or a range of numbers.
    #[error("`{0}` is not a port: a number from 0 to 65535, or a range such as 8000-8010")]
    Number(String),
    /// Ranges of different lengths.
    #[error("the ranges of `{0}` have different lengths")]
    Lengths(String),
    /// An unknown protocol.
    #[error("`{0}` is not a protocol of ports: tcp, udp or sctp")]
    Protocol(String),
    /// Too many.
    #[error("a service has at most {MAX_PORTS} ports")]
    TooMany,
}

/// The ports that a short form stands for.
///
/// # Errors
/// When it is not a port.
pub fn parse(spec: &str) -> Result<Vec<Port>, PortError> {
    let (host_ip, published, target) = split(spec);
    let (target, protocol) = match target.split_once('/') {
        None => (target, "tcp"),
        Some((target, "")) => (target, "tcp"),
        Some((target, protocol)) => (target, protocol),
    };
    if target.is_empty() {
        return Err(PortError::NoTarget(spec.to_owned()));
    }
    let host_ip = host_ip
        .strip_prefix('[')
        .and_then(|ip| ip.strip_suffix(']'))
        .unwrap_or(host_ip);
    if !host_ip.is_empty() && host_ip.parse::<std::net::IpAddr>().is_err() {
        return Err(PortError::Address(host_ip.to_owned()));
    }
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(PortError::Protocol(protocol));
    }
    let inside = range(target)?;
    let outside = if published.is_empty() {
        None
    } else {
        Some(range(published)?)
    };
    let length = inside.1 - inside.0;
    if outside.is_some_and(|outside| outside.1 - outside.0 != length) && length != 0 {
        return Err(PortError::Lengths(spec.to_owned()));
    }
    let mut ports: Vec<Port> = (0..=length)
        .map(|offset| Port {
            host_ip: host_ip.to_owned(),
            published: match outside {
                None => String::new(),
                // One port inside and a range outside: any of the range.
                Some((first, last)) if length == 0 && first != last => format!("{first}-{last}"),
                Some((first, _)) => (first + offset).to_string(),
            },
            target: inside.0 + offset,
            protocol: protocol.clone(),
        })
        .collect();
    // Compose sorts the ports of one entry by their text.
    ports.sort_by_key(|port| format!("{}/{}", port.target, port.protocol));
    Ok(ports)
}

fn split(spec: &str) -> (&str, &str, &str) {
    let Some((rest, target)) = spec.rsplit_once(':') else {
        return ("", "", spec);
    };
    match rest.rsplit_once(':') {
        None => ("", rest, target),
        Some((ip, published)) => (ip, published, target),
    }
}

fn range(text: &str) -> Result<(u16, u16), PortError> {
    let wrong = || PortError::Number(text.to_owned());
    let number = |text: &str| -> Result<u16, PortError> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().map_err(|_| wrong())
        } else {
            Err(wrong())
        }
    };
    match text.split_once('-') {
        None => number(text).map(|port| (port, port)),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                Err(wrong())
            } else {
                Ok((first, last))
            }
        }
    }
}

/// Replaces short forms in a list of ports.
pub(super) fn expand_all(node: &mut Node, sink: &mut Sink) {
    let Value::Seq(items) = &mut node.value else {
        return;
    };
    let mut ports: Vec<Node> = Vec::with_capacity(items.len());
    for mut item in std::mem::take(items) {
        let spec = match &item.value {
            Value::String(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            _ => {
                ports.push(item);
                continue;
            }
        };
        match parse(&spec) {
            Ok(parsed) if ports.len() + parsed.len() <= MAX_PORTS => {
                ports.extend(parsed.into_iter().map(|port| port.to_node(&item)));
            }
            Ok(_) => {
                super::wrong(&mut item, &PortError::TooMany, sink);
                ports.push(item);
                break;
            }
            Err(error) => {
                super::wrong(&mut item, &error, sink);
                ports.push(item);
            }
        }
    }
    node.value = Value::Seq(ports);
}

impl Port {
    fn to_node(&self, from: &Node) -> Node {
        let mut node = Node {
            value: Value::Map(Map::new()),
            ..from.clone()
        };
        let text = |text: &str| from.with(Value::String(text.to_owned()));
        node.set("mode", text("ingress"));
        if !self.host_ip.is_empty() {
            node.set("host_ip", text(&self.host_ip));
        }
        node.set("target", from.with(Value::Int(self.target.into())));
        if !self.published.is_empty() {
            node.set("published", text(&self.published));
        }
        node.set("protocol", text(&self.protocol));
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(spec: &str) -> Result<Vec<String>, PortError> {
        Ok(parse(spec)?
            .into_iter()
            .map(|p| format!("{}|{}|{}/{}", p.host_ip, p.published, p.target, p.protocol))
            .collect())
    }

    #[test]
    fn short_forms_are_read_as_docker_reads_them() {
        let table: &[(&str, &[&str])] = &[
            ("80", &["||80/tcp"]),
            ("80:8080/udp", &["|80|8080/udp"]),
            ("127.0.0.1::90", &["127.0.0.1||90/tcp"]),
            (
                "3000-3002:4000-4002",
                &["|3000|4000/tcp", "|3001|4001/tcp", "|3002|4002/tcp"],
            ),
            ("8000-9000:80", &["|8000-9000|80/tcp"]),
            ("[::1]:80:80", &["::1|80|80/tcp"]),
            ("::1:80:80", &["::1|80|80/tcp"]),
            ("9-10", &["||10/tcp", "||9/tcp"]),
            ("80/TCP", &["||80/tcp"]),
        ];
        for (spec, expected) in table {
            assert_eq!(shown(spec).unwrap(), *expected, "{spec}");
        }
        for spec in [
            "", ":", "80:", "a", "80:a", "70000", "3-2", "1-3:1-2", "x:1:1", "80/xyz", "-", "1-",
            "+80",
        ] {
            assert!(parse(spec).is_err(), "{spec}");
        }
    }
}
