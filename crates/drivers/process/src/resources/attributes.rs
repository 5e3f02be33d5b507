//! The attributes of a service: what other nodes refer to.

use std::net::Ipv4Addr;

use consort_model::service::{Protocol, ServiceSpec};
use consort_model::{Address, Partial, Value, Why};
use indexmap::IndexMap;

use crate::holder::{Published, Wanted, name_of, wanted};
use crate::machine::Rung;
use crate::record::ServiceRecord;
use crate::shim_spec::FURTHER;

/// What is known of a service when its attributes are made.
pub(super) struct Reach<'a> {
    pub(super) address: &'a Address,
    /// Its settings, of which parts may be unknown.
    pub(super) desired: &'a Partial,
    /// The known ones, read.
    pub(super) spec: &'a ServiceSpec,
    pub(super) virtual_address: Option<Ipv4Addr>,
    /// What is bound already.
    pub(super) record: Option<&'a ServiceRecord>,
    pub(super) rung: Rung,
}

const UNKNOWN: Partial = Partial::Unknown(Why::Apply);

impl Reach<'_> {
    /// All attributes; those that are found out later are unknown.
    pub(super) fn attributes(&self) -> Partial {
        let name = name_of(self.address);
        let ports = self.unknown("ports").or_else(|| self.unknown("expose"));
        let host = match self.rung {
            Rung::Root | Rung::User => Partial::from(Value::from(name.clone())),
            // Names resolve nowhere.
            Rung::None => self.ip(),
        };
        let inside = wanted(self.spec);
        let first = inside
            .iter()
            .find(|port| port.published.is_none() && port.protocol == Protocol::Tcp)
            .map(|port| port.target);
        let or_unknown = |value: Partial| ports.map_or(value, Partial::Unknown);
        let all = [
            ("name", Partial::from(Value::from(name))),
            ("host", host.clone()),
            ("address", self.ip()),
            ("port", or_unknown(Partial::from(Value::from(first)))),
            ("internal_url", or_unknown(internal_url(&host, first))),
            ("url", or_unknown(self.url(&inside))),
            ("ports", or_unknown(self.ports(&inside))),
            ("replicas", self.replicas()),
            (
                "program",
                self.desired
                    .get("program")
                    .cloned()
                    .unwrap_or(Partial::NULL),
            ),
            ("settings", self.settings()),
        ];
        let all = all.into_iter().map(|(key, value)| (key.to_owned(), value));
        Partial::Map(all.collect::<IndexMap<_, _>>())
    }

    fn unknown(&self, key: &str) -> Option<Why> {
        self.desired.get(key).and_then(Partial::unknown)
    }

    fn ip(&self) -> Partial {
        self.virtual_address
            .map_or(UNKNOWN, |ip| Partial::from(Value::from(ip.to_string())))
    }

    fn replicas(&self) -> Partial {
        let why = self.unknown("deploy").or_else(|| self.unknown("scale"));
        let scale = self
            .desired
            .get("scale")
            .and_then(Partial::known)
            .and_then(|n| n.as_u64());
        let replicas = match (self.spec.deploy.replicas, scale) {
            (None, Some(scale)) => scale,
            _ => u64::from(self.spec.replicas()),
        };
        why.map_or_else(|| Partial::from(Value::from(replicas)), Partial::Unknown)
    }

    fn settings(&self) -> Partial {
        let found = FURTHER.iter().filter_map(|key| {
            let value = self.desired.get(key)?;
            (*value != Partial::NULL).then(|| ((*key).to_owned(), value.clone()))
        });
        let found: IndexMap<String, Partial> = found.collect();
        if found.is_empty() {
            Partial::NULL
        } else {
            Partial::Map(found)
        }
    }

    /// The number of a published port: as written, as it is bound, or not known yet.
    fn number(&self, port: &Wanted, published: &Published) -> Option<u16> {
        if let Some(fixed) = published.asked.as_ref().and_then(|text| text.parse().ok()) {
            return Some(fixed);
        }
        let same = self.record?.ports.iter().filter(|known| {
            (known.target, known.protocol) == (port.target, port.protocol)
                && known.published.as_ref().is_some_and(|at| {
                    (&at.asked, &at.host_ip) == (&published.asked, &published.host_ip)
                })
        });
        let found = same.into_iter().nth(published.ordinal)?;
        found.published.as_ref().map(|at| at.port)
    }

    fn url(&self, inside: &[Wanted]) -> Partial {
        let first = inside.iter().find_map(|port| {
            let published = port.published.as_ref()?;
            (port.protocol == Protocol::Tcp).then_some((port, published))
        });
        let Some((port, published)) = first else {
            return Partial::NULL;
        };
        let host = match published.host_ip.as_deref() {
            None | Some("" | "0.0.0.0" | "127.0.0.1" | "::" | "::1") => "localhost".to_owned(),
            Some(ip) if ip.contains(':') => format!("[{ip}]"),
            Some(ip) => ip.to_owned(),
        };
        match self.number(port, published) {
            None => UNKNOWN,
            Some(80) => Partial::from(Value::from(format!("http://{host}"))),
            Some(number) => Partial::from(Value::from(format!("http://{host}:{number}"))),
        }
    }

    /// Published ports, and those that are only inside.
    fn ports(&self, inside: &[Wanted]) -> Partial {
        let is_published = |port: &Wanted| {
            inside.iter().any(|other| {
                other.published.is_some()
                    && (other.target, other.protocol) == (port.target, port.protocol)
            })
        };
        let published = inside.iter().filter(|port| port.published.is_some());
        let only_inside = inside
            .iter()
            .filter(|port| port.published.is_none() && !is_published(port));
        let listed = published.chain(only_inside);
        Partial::List(listed.map(|port| self.port(port)).collect())
    }

    fn port(&self, port: &Wanted) -> Partial {
        let text = |text: String| Partial::from(Value::from(text));
        let protocol = match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        let address = self
            .virtual_address
            .map_or(UNKNOWN, |ip| text(format!("{ip}:{}", port.target)));
        let mut map = IndexMap::from([
            ("target".to_owned(), Partial::from(Value::from(port.target))),
            ("protocol".to_owned(), text(protocol.to_owned())),
            ("address".to_owned(), address),
        ]);
        if let Some(published) = &port.published {
            let number = self.number(port, published);
            let number = number.map_or(UNKNOWN, |number| Partial::from(Value::from(number)));
            map.insert("published".to_owned(), number);
            if let Some(ip) = &published.host_ip {
                map.insert("host_ip".to_owned(), text(ip.clone()));
            }
        }
        Partial::Map(map)
    }
}

fn internal_url(host: &Partial, port: Option<u16>) -> Partial {
    let Some(port) = port else {
        return Partial::NULL;
    };
    match (host.as_str(), port) {
        (None, _) => UNKNOWN,
        (Some(host), 80) => Partial::from(Value::from(format!("http://{host}"))),
        (Some(host), port) => Partial::from(Value::from(format!("http://{host}:{port}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use consort_model::Kind;
    use serde_json::json;

    fn attributes(desired: Value, ip: Option<Ipv4Addr>, rung: Rung) -> Value {
        let desired = Partial::from(desired);
        let known = super::super::known_parts(&desired);
        let spec = ServiceSpec::from_value(&known).unwrap();
        let address = Address::new(Kind::Service, "api");
        let reach = Reach {
            address: &address,
            desired: &desired,
            spec: &spec,
            virtual_address: ip,
            record: None,
            rung,
        };
        serde_json::to_value(reach.attributes()).unwrap()
    }

    #[test]
    fn what_is_written_is_known_before_anything_exists() {
        let unknown = json!({"$unknown": "apply"});
        let found = attributes(
            json!({"ports": ["8080:80", "81"], "deploy": {"replicas": 2}}),
            None,
            Rung::Root,
        );
        assert_eq!(found["url"], "http://localhost:8080");
        assert_eq!(found["internal_url"], "http://api");
        assert_eq!(found["address"], unknown);
        assert_eq!(found["replicas"], 2);
        assert_eq!(found["ports"][0]["published"], 8080);
        assert_eq!(found["ports"][1]["published"], unknown);
    }

    #[test]
    fn without_names_the_address_takes_their_place() {
        let ip = Some(Ipv4Addr::new(127, 64, 0, 1));
        let found = attributes(json!({"expose": ["5432"]}), ip, Rung::None);
        assert_eq!(found["internal_url"], "http://127.64.0.1:5432");
        assert_eq!(found["url"], Value::Null);
        assert_eq!(
            found["ports"],
            json!([{"target": 5432, "protocol": "tcp", "address": "127.64.0.1:5432"}])
        );
    }

    #[test]
    fn unknown_settings_leave_unknown_what_follows_from_them() {
        let unknown = json!({"$unknown": "apply"});
        let found = attributes(
            json!({"ports": [&unknown], "deploy": {"replicas": &unknown}}),
            None,
            Rung::Root,
        );
        for key in ["ports", "url", "internal_url", "replicas"] {
            assert_eq!(found[key], unknown, "{key}");
        }
        assert_eq!(found["name"], "api");
    }
}
