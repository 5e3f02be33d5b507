//! By which names services find each other: a hosts file, and `<SERVICE>_HOST` and `_PORT`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use consort_shim::protocol::MAX_HOSTS;

use crate::record::ServiceRecord;

/// What an instance's names are made from.
pub(crate) struct View<'a> {
    /// All services of the deployment.
    pub(crate) services: &'a [ServiceRecord],
    /// The networks that the instance is in.
    pub(crate) networks: &'a [String],
    /// Its own address and host name.
    pub(crate) own: Option<(Ipv4Addr, Option<&'a str>)>,
    /// Compose's `extra_hosts`.
    pub(crate) extra: &'a [String],
}

/// The content of the instance's `/etc/hosts`: its own names first, so that they win, then the host's.
pub(crate) fn hosts_file(view: &View<'_>, of_host: &str) -> String {
    let mut out = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    let mut line = |address: &str, names: &str| {
        let line = format!("{address} {names}\n");
        if out.len() + line.len() <= MAX_HOSTS {
            out.push_str(&line);
        }
    };
    if let Some((address, Some(name))) = view.own {
        line(&address.to_string(), name);
    }
    for entry in view.extra {
        if let Some((name, address)) = extra_host(entry) {
            line(address, name);
        }
    }
    for service in view.services {
        let names = service.names_in(view.networks);
        if !names.is_empty() {
            line(&service.virtual_address.to_string(), &names.join(" "));
        }
    }
    for text in of_host.lines() {
        let text = text.split('#').next().unwrap_or_default().trim();
        if let Some((address, names)) = text.split_once(char::is_whitespace)
            && names.trim() != "localhost"
        {
            line(address, names.trim());
        }
    }
    out
}

/// `name=address`, `name:address`; `host-gateway` is this machine.
fn extra_host(entry: &str) -> Option<(&str, &str)> {
    let (name, address) = entry.split_once('=').or_else(|| entry.split_once(':'))?;
    let address = address.trim_matches(['[', ']']);
    let address = if address == "host-gateway" {
        "127.0.0.1"
    } else {
        address
    };
    let plain = !name.is_empty() && !name.contains(char::is_whitespace);
    (plain && address.parse::<std::net::IpAddr>().is_ok()).then_some((name, address))
}

/// `<SERVICE>_HOST` and `<SERVICE>_PORT` of every service in the same networks. They hold addresses,
/// so that they work on every rung.
pub(crate) fn variables(view: &View<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for service in view.services {
        if service.names_in(view.networks).is_empty() {
            continue;
        }
        let prefix = variable(&service.name);
        variables.insert(
            format!("{prefix}_HOST"),
            service.virtual_address.to_string(),
        );
        if let Some(port) = service.first_port() {
            variables.insert(format!("{prefix}_PORT"), port.to_string());
        }
    }
    variables
}

fn variable(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use consort_model::{Address, Kind};

    fn service(name: &str, last: u8, networks: &[(&str, &[&str])]) -> ServiceRecord {
        let aliases = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        ServiceRecord {
            address: Address::new(Kind::Service, name),
            name: name.into(),
            virtual_address: Ipv4Addr::new(127, 64, 0, last),
            networks: networks
                .iter()
                .map(|(n, list)| ((*n).to_owned(), aliases(list)))
                .collect(),
            container_name: None,
            ports: vec![],
        }
    }

    #[test]
    fn names_are_those_of_shared_networks_and_win_over_the_hosts() {
        let services = [
            service("db", 1, &[("back", &["postgres", "db"])]),
            service("web-1", 2, &[("front", &[]), ("back", &["www"])]),
            service("other", 3, &[("else", &[])]),
        ];
        let networks = ["back".to_owned()];
        let extra = [
            "gate:host-gateway".to_owned(),
            "six=::1".to_owned(),
            "bad=x".to_owned(),
        ];
        let own = Some((Ipv4Addr::new(127, 64, 0, 9), Some("me")));
        let view = View {
            services: &services,
            networks: &networks,
            own,
            extra: &extra,
        };
        let text = hosts_file(&view, "127.0.0.1 localhost\n10.0.0.1 printer # old\n");
        assert_eq!(
            text,
            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.64.0.9 me\n\
             127.0.0.1 gate\n::1 six\n127.64.0.1 db postgres\n127.64.0.2 web-1 www\n10.0.0.1 printer\n"
        );
        let variables: Vec<String> = variables(&view)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(variables, ["DB_HOST=127.64.0.1", "WEB_1_HOST=127.64.0.2"]);
    }

    #[test]
    fn a_hosts_file_stays_within_what_a_shim_takes() {
        let long = "10.0.0.1 name\n".repeat(10_000);
        let view = View {
            services: &[],
            networks: &[],
            own: None,
            extra: &[],
        };
        assert!(hosts_file(&view, &long).len() <= MAX_HOSTS);
    }
}
