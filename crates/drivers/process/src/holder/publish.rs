//! Published ports: one listener for each address of the machine, all with the same port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use consort_driver::{Context, DriverError};
use consort_model::{Address, Code};
use consort_portholder::{AsyncClient, FailureCode, ListenerKey};

use super::listeners::{Opening, Published, Wanted, key, open, spec, unbind, word};
use crate::error;
use crate::machine;
use crate::record::{PortRecord, PublishedRecord, ServiceRecord};

/// Free ports of one address may be taken at another: so often another is tried.
const TRIES: usize = 16;

/// Opens a published port on all its addresses.
pub(super) async fn bind(
    context: &Context,
    holder: &mut AsyncClient,
    service: &Address,
    wanted: &Wanted,
    published: &Published,
    before: Option<&ServiceRecord>,
) -> Result<PortRecord, DriverError> {
    let addresses = addresses(published.host_ip.as_deref())?;
    let known = before.and_then(|record| port_before(record, wanted, published));
    let mut last = None;
    for port in candidates(published.asked.as_deref(), known)? {
        let opened = on_all(
            context, holder, service, wanted, published, &addresses, port,
        )
        .await;
        match opened {
            Ok((port, listeners)) => {
                return Ok(PortRecord {
                    target: wanted.target,
                    protocol: wanted.protocol,
                    http: wanted.http,
                    published: Some(PublishedRecord {
                        asked: published.asked.clone(),
                        host_ip: published.host_ip.clone(),
                        port,
                    }),
                    listeners,
                });
            }
            Err((at, Opening::Refused(failure))) if failure.code == FailureCode::AddressInUse => {
                last = Some((at, Opening::Refused(failure)));
            }
            Err((at, failed)) => return Err(failed.at(at, service)),
        }
    }
    match last {
        Some((at, failed)) => Err(failed.at(at, service)),
        None => Err(DriverError::new(
            Code::PORT_IN_USE,
            format!("no port is free for {service}"),
        )),
    }
}

/// The addresses to listen on. Those of IPv6 are all in one, since nothing else of ours uses IPv6.
fn addresses(host_ip: Option<&str>) -> Result<Vec<IpAddr>, DriverError> {
    let Some(text) = host_ip.filter(|text| !text.is_empty() && *text != "0.0.0.0") else {
        let mut all: Vec<IpAddr> = machine::addresses().into_iter().map(IpAddr::V4).collect();
        if host_ip != Some("0.0.0.0") {
            all.push(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        }
        return Ok(all);
    };
    let text = if text == "localhost" {
        "127.0.0.1"
    } else {
        text
    };
    match text.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => Err(DriverError::new(
            Code::BLUEPRINT_INVALID,
            format!("`{text}` is not an IP address"),
        )
        .remedy("Mend `host_ip` of the port.")),
    }
}

/// The ports to try: the one that it had, then those that are asked for; 0 is any.
fn candidates(asked: Option<&str>, known: Option<u16>) -> Result<Vec<u16>, DriverError> {
    let Some(text) = asked else {
        let any = std::iter::repeat_n(0, TRIES);
        return Ok(known.into_iter().chain(any).collect());
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first > 0 && first <= last => Ok(known
            .into_iter()
            .chain((first..=last).filter(|port| Some(*port) != known))
            .collect()),
        _ => Err(DriverError::new(
            Code::BLUEPRINT_INVALID,
            format!("`{text}` is not a port or a range of ports"),
        )),
    }
}

fn port_before(record: &ServiceRecord, wanted: &Wanted, published: &Published) -> Option<u16> {
    let same = |port: &&PortRecord| {
        (port.target, port.protocol) == (wanted.target, wanted.protocol)
            && port.published.as_ref().is_some_and(|before| {
                (&before.asked, &before.host_ip) == (&published.asked, &published.host_ip)
            })
    };
    let found = record.ports.iter().filter(same).nth(published.ordinal)?;
    found.published.as_ref().map(|published| published.port)
}

type Opened = (u16, Vec<(String, SocketAddr)>);

/// One port on all addresses, or on none. An address that this machine does not have (any more, or
/// IPv6 that is switched off) is left out as long as there is another.
async fn on_all(
    context: &Context,
    holder: &mut AsyncClient,
    service: &Address,
    wanted: &Wanted,
    published: &Published,
    addresses: &[IpAddr],
    port: u16,
) -> Result<Opened, (SocketAddr, Opening)> {
    let mut listeners: Vec<(String, SocketAddr)> = Vec::new();
    let mut port = port;
    for address in addresses {
        let at = SocketAddr::new(*address, port);
        let key = match key_of(context, service, wanted, published, *address) {
            Ok(key) => key,
            Err(failed) => return Err((at, Opening::Failed(failed))),
        };
        let opened = reopen(holder, key.clone(), at, wanted).await;
        match opened {
            Ok(bound) => {
                port = bound.port();
                listeners.push((key.to_string(), bound));
            }
            Err(Opening::Refused(failure))
                if addresses.len() > 1
                    && (failure.code == FailureCode::AddressNotAvailable
                        || address.is_ipv6() && failure.code != FailureCode::AddressInUse) => {}
            Err(failed) => {
                let keys: Vec<String> = listeners.into_iter().map(|(key, _)| key).collect();
                return match unbind(holder, &keys).await {
                    Ok(()) => Err((at, failed)),
                    Err(worse) => Err((at, Opening::Failed(worse))),
                };
            }
        }
    }
    if listeners.is_empty() {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
        let failed = DriverError::new(
            Code::TARGET_UNAVAILABLE,
            "this machine has no address to publish at",
        );
        return Err((nowhere, Opening::Failed(failed)));
    }
    Ok((port, listeners))
}

/// Opens a listener; one of this key on another port is closed first.
async fn reopen(
    holder: &mut AsyncClient,
    key: ListenerKey,
    at: SocketAddr,
    wanted: &Wanted,
) -> Result<SocketAddr, Opening> {
    let spec = spec(key.clone(), at, wanted.protocol, wanted.http);
    match open(holder, spec.clone()).await {
        Err(Opening::Refused(failure)) if failure.code == FailureCode::ListenerDiffers => {
            let closed = holder.unbind(&key).await;
            closed.map_err(|failed| Opening::Failed(error::holder(failed)))?;
            open(holder, spec).await
        }
        other => other,
    }
}

fn key_of(
    context: &Context,
    service: &Address,
    wanted: &Wanted,
    published: &Published,
    address: IpAddr,
) -> Result<ListenerKey, DriverError> {
    let asked = published.asked.as_deref().unwrap_or("any");
    let ordinal = published.ordinal.to_string();
    key(&[
        &context.deployment,
        &service.to_string(),
        &wanted.target.to_string(),
        word(wanted.protocol),
        "at",
        &address.to_string(),
        asked,
        &ordinal,
    ])
}
