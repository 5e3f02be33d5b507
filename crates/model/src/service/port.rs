//! Published ports: `"8080:80"`, `"127.0.0.1::90/udp"`, `"3000-3002:4000-4002"`, or the long form.

use serde::{Deserialize, Deserializer, Serialize};

use crate::Value;

/// A transport protocol.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// What is spoken over a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppProtocol {
    /// HTTP/1.1 or 2: the port holder keeps client connections over replacements.
    Http,
    /// Anything: bytes are passed on.
    #[default]
    #[serde(other)]
    Opaque,
}

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// The port that instances listen on.
    pub target: u16,
    /// The port that is published: a number, a range to choose from, or `None` for any free one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// The address that it is published on; all, if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<String>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// What is spoken over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<AppProtocol>,
    /// For people and references.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Why a text is not a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a port: {problem}; write for example `8080:80` or `127.0.0.1:53:53/udp`")]
pub struct PortError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Port {
    /// Reads Compose's short form; a range gives one port each.
    ///
    /// # Errors
    /// When a part is not a port, or two ranges are of different lengths.
    pub fn parse_short(text: &str) -> Result<Vec<Self>, PortError> {
        parse(text).map_err(|problem| PortError {
            text: text.into(),
            problem,
        })
    }

    /// Reads a short or long form.
    ///
    /// # Errors
    /// As [`Self::parse_short`], or when the object has not the right fields.
    pub fn from_value(value: &Value) -> Result<Vec<Self>, PortError> {
        match value {
            Value::String(text) => Self::parse_short(text),
            Value::Number(number) => Self::parse_short(&number.to_string()),
            other => Long::deserialize(other)
                .map_err(|error| error.to_string())
                .and_then(Long::into_port)
                .map(|port| vec![port])
                .map_err(|problem| PortError {
                    text: other.to_string(),
                    problem,
                }),
        }
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Long::deserialize(d)?
            .into_port()
            .map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
struct Long {
    target: Value,
    #[serde(default)]
    published: Value,
    host_ip: Option<String>,
    #[serde(default)]
    protocol: Protocol,
    app_protocol: Option<AppProtocol>,
    name: Option<String>,
}

impl Long {
    fn into_port(self) -> Result<Port, String> {
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let target = text(&self.target).ok_or("`target` is missing")?;
        let published = text(&self.published);
        if let Some(published) = &published {
            range(published)?;
        }
        Ok(Port {
            target: port_number(&target)?,
            published,
            host_ip: self.host_ip,
            protocol: self.protocol,
            app_protocol: self.app_protocol,
            name: self.name,
        })
    }
}

fn parse(text: &str) -> Result<Vec<Port>, String> {
    let (rest, protocol) = match text.rsplit_once('/') {
        None => (text, Protocol::Tcp),
        Some((rest, "tcp")) => (rest, Protocol::Tcp),
        Some((rest, "udp")) => (rest, Protocol::Udp),
        Some((_, other)) => return Err(format!("there is no protocol `{other}`; use tcp or udp")),
    };
    let (before, target) = match rest.rsplit_once(':') {
        None => (None, rest),
        Some((before, target)) => (Some(before), target),
    };
    let (host_ip, published) = match before {
        None => (None, None),
        Some(before) => match before.rsplit_once(':') {
            None => (None, Some(before)),
            Some((host, published)) => (Some(host.trim_matches(['[', ']'])), Some(published)),
        },
    };
    if let Some(host) = host_ip {
        host.parse::<std::net::IpAddr>()
            .map_err(|_| format!("`{host}` is not an IP address"))?;
    }
    let (first, last) = range(target)?;
    let published = published.filter(|text| !text.is_empty());
    let outside = published.map(range).transpose()?;
    let count = last - first + 1;
    let port = |index: u16| Port {
        target: first + index,
        published: outside.and_then(|(from, to)| match to - from + 1 {
            length if length == count => Some((from + index).to_string()),
            _ => published.map(str::to_owned),
        }),
        host_ip: host_ip.map(str::to_owned),
        protocol,
        app_protocol: None,
        name: None,
    };
    if let Some((from, to)) = outside
        && to - from + 1 != count
        && count != 1
    {
        return Err("the two ranges are of different lengths".into());
    }
    Ok((0..count).map(port).collect())
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port_number(first)?, port_number(last)?);
    if first > last {
        Err(format!("the range `{text}` ends before it begins"))
    } else {
        Ok((first, last))
    }
}

fn port_number(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("`{text}` is not a number from 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Vec<(u16, Option<String>, Option<String>, Protocol)> {
        let ports = Port::parse_short(text).unwrap();
        ports
            .into_iter()
            .map(|p| (p.target, p.published, p.host_ip, p.protocol))
            .collect()
    }

    #[test]
    fn short_forms() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(ports("80"), [(80, None, None, Protocol::Tcp)]);
        assert_eq!(
            ports("80:8080/udp"),
            [(8080, some("80"), None, Protocol::Udp)]
        );
        assert_eq!(
            ports("127.0.0.1::90"),
            [(90, None, some("127.0.0.1"), Protocol::Tcp)]
        );
        assert_eq!(ports("[::1]:80:90")[0].2, some("::1"));
        assert_eq!(ports("3000-3001:4000-4001").len(), 2);
        assert_eq!(
            ports("3000-3009:80"),
            [(80, some("3000-3009"), None, Protocol::Tcp)]
        );
    }

    #[test]
    fn wrong_ports_are_refused() {
        for text in [
            "",
            "0",
            "x:80",
            "80:99999",
            "1.2.3:80:80",
            "80/sctp",
            "5-3",
            "1-3:1-2",
            "65536",
        ] {
            assert!(Port::parse_short(text).is_err(), "{text}");
        }
    }
}
