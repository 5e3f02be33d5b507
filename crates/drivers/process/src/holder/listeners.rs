//! Which listeners a service has, and binding them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use consort_driver::{Context, DriverError};
use consort_model::service::{AppProtocol, Protocol, ServiceSpec};
use consort_model::{Address, Code, Digest};
use consort_portholder::{
    AsyncClient, Failure, FailureCode, ListenerKey, ListenerSpec, Mode, Protocol as HolderProtocol,
    Reply, Request,
};

use super::publish;
use crate::error;
use crate::record::{PortRecord, ServiceRecord};

/// A batch must fit into one line of the protocol.
const BATCH: usize = 256;

/// A port that is wanted, at the virtual address or outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) target: u16,
    pub(crate) protocol: Protocol,
    pub(crate) http: bool,
    /// Outside: where.
    pub(crate) published: Option<Published>,
}

/// Where a port is wanted outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// A port, a range, or nothing for any.
    pub(crate) asked: Option<String>,
    /// The address, or nothing for all.
    pub(crate) host_ip: Option<String>,
    /// Tells ports apart that are otherwise the same.
    pub(crate) ordinal: usize,
}

/// Every port of a service: its targets and `expose` at the virtual address, then the published ones.
pub(crate) fn wanted(spec: &ServiceSpec) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    let mut inside = |target: u16, protocol: Protocol, http: bool| {
        let known = all
            .iter_mut()
            .find(|known| (known.target, known.protocol) == (target, protocol));
        match known {
            Some(known) => known.http |= http,
            None => all.push(Wanted {
                target,
                protocol,
                http,
                published: None,
            }),
        }
    };
    for port in &spec.ports {
        let http = port.app_protocol == Some(AppProtocol::Http);
        inside(port.target, port.protocol, http);
    }
    for port in &spec.expose {
        inside(*port, Protocol::Tcp, false);
    }
    for (ordinal, port) in spec.ports.iter().enumerate() {
        let same = spec.ports[..ordinal].iter().filter(|other| {
            (
                other.target,
                other.protocol,
                &other.published,
                &other.host_ip,
            ) == (port.target, port.protocol, &port.published, &port.host_ip)
        });
        let ordinal = same.count();
        // A fixed port that is written twice is one port.
        if ordinal > 0 && port.published.is_some() {
            continue;
        }
        all.push(Wanted {
            target: port.target,
            protocol: port.protocol,
            http: port.app_protocol == Some(AppProtocol::Http),
            published: Some(Published {
                asked: port.published.clone(),
                host_ip: port.host_ip.clone(),
                ordinal,
            }),
        });
    }
    all
}

/// The key of a listener: unique in the home, and the same each time.
pub(super) fn key(parts: &[&str]) -> Result<ListenerKey, DriverError> {
    let text: String = parts
        .join("/")
        .chars()
        .map(|c| if c == ':' || c.is_control() { '_' } else { c })
        .collect();
    let text = if text.len() > ListenerKey::LIMIT {
        Digest::of(text.as_bytes()).to_string()
    } else {
        text
    };
    ListenerKey::new(text).map_err(|problem| DriverError::new(Code::INTERNAL, problem))
}

pub(super) fn spec(
    key: ListenerKey,
    address: SocketAddr,
    protocol: Protocol,
    http: bool,
) -> ListenerSpec {
    ListenerSpec {
        protocol: match protocol {
            Protocol::Tcp => HolderProtocol::Tcp,
            Protocol::Udp => HolderProtocol::Udp,
        },
        mode: if http && protocol == Protocol::Tcp {
            Mode::Http
        } else {
            Mode::L4
        },
        ..ListenerSpec::tcp(key, address.ip(), address.port())
    }
}

pub(super) const fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Opens listeners of one service, many in one request where it is known what to ask for.
pub(super) struct Opener<'a> {
    holder: &'a mut AsyncClient,
    /// What was opened by this one, also what was open before.
    opened: Vec<(ListenerSpec, SocketAddr)>,
}

impl Opener<'_> {
    /// Opens all of these that can be opened. One that cannot is opened again by itself, for its error.
    async fn ahead(&mut self, specs: Vec<ListenerSpec>) -> Result<(), DriverError> {
        for some in specs.chunks(BATCH) {
            let requests = some.iter().cloned().map(Request::Bind).collect();
            let replies = self.holder.batch(requests).await.map_err(error::holder)?;
            for (spec, reply) in some.iter().zip(replies) {
                if let Reply::Bound { address } = reply {
                    self.opened.push((spec.clone(), address));
                }
            }
        }
        Ok(())
    }

    pub(super) async fn open(&mut self, spec: ListenerSpec) -> Result<SocketAddr, Opening> {
        let known = self.opened.iter().find(|(opened, _)| *opened == spec);
        if let Some((_, address)) = known {
            return Ok(*address);
        }
        let address = open(self.holder, spec.clone()).await?;
        self.opened.push((spec, address));
        Ok(address)
    }

    pub(super) async fn close(&mut self, keys: &[String]) -> Result<(), DriverError> {
        self.opened
            .retain(|(spec, _)| !keys.iter().any(|key| key == spec.key.as_str()));
        unbind(self.holder, keys).await
    }
}

/// Opens all listeners of a service. What was open before stays as it is; when one cannot be opened,
/// those that are new are closed again.
pub(crate) async fn bind(
    context: &Context,
    holder: &mut AsyncClient,
    service: &Address,
    virtual_address: Ipv4Addr,
    all: &[Wanted],
    before: Option<&ServiceRecord>,
) -> Result<Vec<PortRecord>, DriverError> {
    let mut opener = Opener {
        holder,
        opened: Vec::new(),
    };
    let bound = bind_with(&mut opener, context, service, virtual_address, all, before).await;
    if bound.is_err() {
        let is_new = |key: &str| {
            let kept = before.into_iter().flat_map(ServiceRecord::listeners);
            !kept.into_iter().any(|(_, known, _)| known == key)
        };
        let opened = opener.opened.iter().map(|(spec, _)| spec.key.as_str());
        let new: Vec<String> = opened
            .filter(|key| is_new(key))
            .map(str::to_owned)
            .collect();
        if let Err(error) = opener.close(&new).await {
            tracing::warn!(%service, %error, "ports that were opened in vain could not be closed");
        }
    }
    bound
}

async fn bind_with(
    opener: &mut Opener<'_>,
    context: &Context,
    service: &Address,
    virtual_address: Ipv4Addr,
    all: &[Wanted],
    before: Option<&ServiceRecord>,
) -> Result<Vec<PortRecord>, DriverError> {
    let mut ahead = Vec::new();
    for wanted in all {
        match &wanted.published {
            None => ahead.push(spec_inside(context, service, virtual_address, wanted)?),
            Some(published) => ahead.extend(publish::fixed(context, service, wanted, published)?),
        }
    }
    opener.ahead(ahead).await?;
    let mut bound = Vec::new();
    for wanted in all {
        bound.push(match &wanted.published {
            None => inside(context, opener, service, virtual_address, wanted).await?,
            Some(published) => {
                publish::bind(context, opener, service, wanted, published, before).await?
            }
        });
    }
    Ok(bound)
}

fn spec_inside(
    context: &Context,
    service: &Address,
    virtual_address: Ipv4Addr,
    wanted: &Wanted,
) -> Result<ListenerSpec, DriverError> {
    let (port, protocol) = (wanted.target.to_string(), word(wanted.protocol));
    let key = key(&[&context.deployment, &service.to_string(), &port, protocol])?;
    let at = SocketAddr::new(IpAddr::V4(virtual_address), wanted.target);
    Ok(spec(key, at, wanted.protocol, wanted.http))
}

async fn inside(
    context: &Context,
    opener: &mut Opener<'_>,
    service: &Address,
    virtual_address: Ipv4Addr,
    wanted: &Wanted,
) -> Result<PortRecord, DriverError> {
    let spec = spec_inside(context, service, virtual_address, wanted)?;
    let key = spec.key.to_string();
    let at = SocketAddr::new(spec.address, spec.port);
    let address = match opener.open(spec.clone()).await {
        Err(Opening::Refused(failure)) if failure.code == FailureCode::ListenerDiffers => {
            // The service has another virtual address than it had.
            opener.close(std::slice::from_ref(&key)).await?;
            opener.open(spec).await
        }
        other => other,
    };
    let address = address.map_err(|failed| failed.at(at, service))?;
    Ok(PortRecord {
        target: wanted.target,
        protocol: wanted.protocol,
        http: wanted.http,
        published: None,
        listeners: vec![(key, address)],
    })
}

/// Why a listener was not opened.
pub(super) enum Opening {
    Refused(Failure),
    Failed(DriverError),
}

impl Opening {
    /// As an error about this address.
    pub(super) fn at(self, at: SocketAddr, who: impl std::fmt::Display) -> DriverError {
        let failure = match self {
            Self::Failed(error) => return error,
            Self::Refused(failure) => failure,
        };
        let (code, remedy) = match failure.code {
            FailureCode::AddressInUse => (
                Code::PORT_IN_USE,
                format!(
                    "Stop what listens on port {port} (`ss -ltnp 'sport = :{port}'` shows it; a program that listens on 0.0.0.0 takes the port of every address), or use another port.",
                    port = at.port()
                ),
            ),
            FailureCode::PermissionDenied => (
                Code::TARGET_UNAVAILABLE,
                "Ports this low need root, or a lower `net.ipv4.ip_unprivileged_port_start`; use a port from 1024.".to_owned(),
            ),
            FailureCode::AddressNotAvailable => (
                Code::TARGET_UNAVAILABLE,
                "The address belongs to no interface of this machine: mend `host_ip` of the port.".to_owned(),
            ),
            _ => (Code::NODE_FAILED, "Try again; the port holder's log is in the home.".to_owned()),
        };
        DriverError::new(code, format!("{who} cannot be reached at {at}"))
            .because(failure)
            .remedy(remedy)
    }
}

pub(super) async fn open(
    holder: &mut AsyncClient,
    spec: ListenerSpec,
) -> Result<SocketAddr, Opening> {
    holder.bind(spec).await.map_err(|failed| match failed {
        consort_portholder::ClientError::Refused(failure) => Opening::Refused(failure),
        other => Opening::Failed(error::holder(other)),
    })
}

/// Closes listeners.
pub(crate) async fn unbind(holder: &mut AsyncClient, keys: &[String]) -> Result<(), DriverError> {
    for some in keys.chunks(BATCH) {
        let requests = some
            .iter()
            .filter_map(|key| ListenerKey::new(key.as_str()).ok())
            .map(|key| Request::Unbind { key })
            .collect();
        let replies = holder.batch(requests).await.map_err(error::holder)?;
        for reply in replies {
            if let Reply::Error(failure) = reply {
                return Err(
                    DriverError::new(Code::NODE_FAILED, "a port could not be closed")
                        .because(failure)
                        .retryable(),
                );
            }
        }
    }
    Ok(())
}

/// The name by which others find a service: `api`, `api-eu` for an instance of `for_each`.
pub(crate) fn name_of(service: &Address) -> String {
    match service.key() {
        None => service.name().to_owned(),
        Some(key) => format!("{}-{key}", service.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn targets_and_exposed_ports_are_inside_once_and_published_ports_outside() {
        let spec = ServiceSpec::from_value(&json!({
            "ports": ["8080:80", "127.0.0.1:81:80", "80", "80", "8080:80", "53:53/udp",
                      {"target": 443, "app_protocol": "http"}],
            "expose": ["80", "9000"],
        }))
        .unwrap();
        let texts: Vec<String> = wanted(&spec)
            .iter()
            .map(|port| {
                let http = if port.http { " http" } else { "" };
                let outside = port.published.as_ref().map(|p| {
                    format!(
                        " at {}:{}#{}",
                        p.host_ip.as_deref().unwrap_or("*"),
                        p.asked.as_deref().unwrap_or("any"),
                        p.ordinal
                    )
                });
                format!(
                    "{}/{}{http}{}",
                    port.target,
                    word(port.protocol),
                    outside.unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(
            texts,
            [
                "80/tcp",
                "53/udp",
                "443/tcp http",
                "9000/tcp",
                "80/tcp at *:8080#0",
                "80/tcp at 127.0.0.1:81#0",
                "80/tcp at *:any#0",
                "80/tcp at *:any#1",
                "53/udp at *:53#0",
                "443/tcp http at *:any#0"
            ]
        );
    }
}
