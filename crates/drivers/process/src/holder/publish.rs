//! Published ports: one listener for each address of the machine, all with the same port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use consort_driver::{Context, DriverError};
use consort_model::{Address, Code};
use consort_portholder::{FailureCode, ListenerKey, ListenerSpec};

use super::listeners::{Opener, Opening, Published, Wanted, key, spec, word};
use crate::machine;
use crate::record::{PortRecord, PublishedRecord, ServiceRecord};

/// Free ports of one address may be taken at another: so often another is tried.
const TRIES: usize = 16;

/// Opens a published port on all its addresses.
pub(super) async fn bind(
    context: &Context,
    opener: &mut Opener<'_>,
    service: &Address,
    wanted: &Wanted,
    published: &Published,
    before: Option<&ServiceRecord>,
) -> Result<PortRecord, DriverError> {
    let addresses = addresses(published.host_ip.as_deref())?;
    let known = before.and_then(|record| port_before(record, wanted, published));
    let kept: Vec<&str> = before
        .iter()
        .flat_map(|record| record.listeners().map(|(_, key, _)| key))
        .collect();
    let place = Place {
        context,
        service,
        wanted,
        published,
        addresses: &addresses,
        kept: &kept,
    };
    let mut last = None;
    for port in candidates(published.asked.as_deref(), known)? {
        let opened = place.on_all(opener, port).await;
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

/// The listeners of a port with a fixed number, which need no trying.
pub(super) fn fixed(
    context: &Context,
    service: &Address,
    wanted: &Wanted,
    published: &Published,
) -> Result<Vec<ListenerSpec>, DriverError> {
    let number = published.asked.as_ref().and_then(|text| text.parse().ok());
    let Some(number) = number else {
        return Ok(Vec::new());
    };
    let each = addresses(published.host_ip.as_deref())?.into_iter();
    let spec = |address| {
        let key = key_of(context, service, wanted, published, address)?;
        let at = SocketAddr::new(address, number);
        Ok(spec(key, at, wanted.protocol, wanted.http))
    };
    each.map(spec).collect()
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

/// Where one port is published.
struct Place<'a> {
    context: &'a Context,
    service: &'a Address,
    wanted: &'a Wanted,
    published: &'a Published,
    addresses: &'a [IpAddr],
    /// Listeners that the service had before: they are not closed when something fails.
    kept: &'a [&'a str],
}

impl Place<'_> {
    /// One port on all addresses, or on none. An address that this machine does not have (any more,
    /// or IPv6 that is switched off) is left out as long as there is another.
    async fn on_all(
        &self,
        opener: &mut Opener<'_>,
        port: u16,
    ) -> Result<Opened, (SocketAddr, Opening)> {
        let mut listeners: Vec<(String, SocketAddr)> = Vec::new();
        let mut port = port;
        for address in self.addresses {
            let at = SocketAddr::new(*address, port);
            let key = match key_of(
                self.context,
                self.service,
                self.wanted,
                self.published,
                *address,
            ) {
                Ok(key) => key,
                Err(failed) => return Err((at, Opening::Failed(failed))),
            };
            match reopen(opener, key.clone(), at, self.wanted).await {
                Ok(bound) => {
                    port = bound.port();
                    listeners.push((key.to_string(), bound));
                }
                Err(Opening::Refused(failure)) if self.can_do_without(*address, failure.code) => {}
                Err(failed) => return Err((at, self.undo(opener, listeners, failed).await)),
            }
        }
        if listeners.is_empty() {
            let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            let message = "this machine has no address to publish at";
            let failed = DriverError::new(Code::TARGET_UNAVAILABLE, message);
            return Err((nowhere, Opening::Failed(failed)));
        }
        Ok((port, listeners))
    }

    fn can_do_without(&self, address: IpAddr, code: FailureCode) -> bool {
        let is_missing = code == FailureCode::AddressNotAvailable
            || address.is_ipv6() && code != FailureCode::AddressInUse;
        self.addresses.len() > 1 && is_missing
    }

    async fn undo(
        &self,
        opener: &mut Opener<'_>,
        listeners: Vec<(String, SocketAddr)>,
        failed: Opening,
    ) -> Opening {
        let keys: Vec<String> = listeners
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| !self.kept.contains(&key.as_str()))
            .collect();
        match opener.close(&keys).await {
            Ok(()) => failed,
            Err(worse) => Opening::Failed(worse),
        }
    }
}

/// Opens a listener. One of this key that listens there already stays, also if any port was asked for
/// when it was opened; one on another port is closed first.
async fn reopen(
    opener: &mut Opener<'_>,
    key: ListenerKey,
    at: SocketAddr,
    wanted: &Wanted,
) -> Result<SocketAddr, Opening> {
    let spec = spec(key.clone(), at, wanted.protocol, wanted.http);
    let differs = |opened: &Result<SocketAddr, Opening>| matches!(opened, Err(Opening::Refused(failure)) if failure.code == FailureCode::ListenerDiffers);
    let opened = opener.open(spec.clone()).await;
    if !differs(&opened) {
        return opened;
    }
    let of_any_port = ListenerSpec {
        port: 0,
        ..spec.clone()
    };
    if let Ok(bound) = opener.open(of_any_port).await
        && bound.port() == at.port()
    {
        return Ok(bound);
    }
    let closed = opener.close(&[key.to_string()]).await;
    closed.map_err(Opening::Failed)?;
    opener.open(spec).await
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
