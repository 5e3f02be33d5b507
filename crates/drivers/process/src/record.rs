//! Runtime facts that the target keeps: who has which address, and how each service is reached.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use consort_driver::{Context, DriverError};
use consort_model::service::Protocol;
use consort_model::{Address, Code, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Addresses of 127/8 that were given out, by the name of their owner.
pub(crate) const ADDRESSES: &str = "process/addresses";
/// [`ServiceRecord`]s.
pub(crate) const SERVICES: &str = "process/services";
/// [`FileRecord`]s of configs and secrets, and paths of volumes.
pub(crate) const FILES: &str = "process/files";
/// Where a deployment's own address is published: `{"port": 8080, "host_ip": "127.0.0.1"}`.
pub(crate) const PUBLISHED: &str = "process/published";

/// How a service is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceRecord {
    /// Which.
    pub(crate) address: Address,
    /// The name by which others find it.
    pub(crate) name: String,
    /// Its stable virtual address.
    pub(crate) virtual_address: Ipv4Addr,
    /// Its networks, with its other names there.
    pub(crate) networks: BTreeMap<String, Vec<String>>,
    /// A fixed name of its own.
    #[serde(default)]
    pub(crate) container_name: Option<String>,
    /// Its ports at the virtual address and outside.
    pub(crate) ports: Vec<PortRecord>,
}

/// One listener set of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortRecord {
    /// The port that instances listen on.
    pub(crate) target: u16,
    /// TCP or UDP.
    pub(crate) protocol: Protocol,
    /// The port holder proxies HTTP.
    pub(crate) http: bool,
    /// Where it is published; none at the virtual address.
    #[serde(default)]
    pub(crate) published: Option<PublishedRecord>,
    /// The listeners at the port holder: key and address.
    pub(crate) listeners: Vec<(String, SocketAddr)>,
}

/// Where a port is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublishedRecord {
    /// As written: a port, a range, or nothing for any.
    pub(crate) asked: Option<String>,
    /// As written: the address, or nothing for all.
    pub(crate) host_ip: Option<String>,
    /// The port.
    pub(crate) port: u16,
}

impl ServiceRecord {
    /// Every listener, with the port of the instances behind it.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = (&PortRecord, &str, SocketAddr)> {
        self.ports.iter().flat_map(|port| {
            let each = port.listeners.iter();
            each.map(move |(key, address)| (port, key.as_str(), *address))
        })
    }
    /// All names by which it is found in one of these networks.
    pub(crate) fn names_in<'a>(&'a self, networks: &[String]) -> Vec<&'a str> {
        let shared: Vec<&Vec<String>> = self
            .networks
            .iter()
            .filter(|(network, _)| networks.contains(network))
            .map(|(_, aliases)| aliases)
            .collect();
        if shared.is_empty() {
            return Vec::new();
        }
        let aliases = shared.into_iter().flatten().map(String::as_str);
        let mut names: Vec<&str> = vec![&self.name];
        names.extend(self.container_name.as_deref());
        for alias in aliases {
            if !names.contains(&alias) {
                names.push(alias);
            }
        }
        names
    }
    /// The first TCP port at the virtual address.
    pub(crate) fn first_port(&self) -> Option<u16> {
        let at_virtual =
            |port: &&PortRecord| port.published.is_none() && port.protocol == Protocol::Tcp;
        self.ports.iter().find(at_virtual).map(|port| port.target)
    }
}

/// What a config or secret is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileRecord {
    /// A file of this machine, or a folder for a volume.
    Path(String),
    /// Text, with tokens for secrets.
    Text(String),
}

/// The key of a node's fact.
pub(crate) fn key(context: &Context, address: &Address) -> String {
    format!("{}/{address}", context.deployment)
}

/// Reads a fact of this form.
pub(crate) async fn get<T: DeserializeOwned>(
    context: &Context,
    scope: &str,
    key: &str,
) -> Result<Option<T>, DriverError> {
    let found = context.facts.fact_get(scope, key).await?;
    found.map(|value| parse(scope, key, value)).transpose()
}

/// Writes a fact, or removes it.
pub(crate) async fn put<T: Serialize>(
    context: &Context,
    scope: &str,
    key: &str,
    value: Option<&T>,
) -> Result<(), DriverError> {
    let value = value
        .map(serde_json::to_value)
        .transpose()
        .map_err(|error| {
            DriverError::new(
                Code::INTERNAL,
                format!("the fact {scope} {key} cannot be written"),
            )
            .because(error)
        })?;
    context.facts.fact_put(scope, key, value).await
}

/// All services of the context's deployment, by their keys.
pub(crate) async fn services(context: &Context) -> Result<Vec<ServiceRecord>, DriverError> {
    let prefix = format!("{}/", context.deployment);
    let all = context.facts.fact_list(SERVICES).await?;
    all.into_iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .map(|(key, value)| parse(SERVICES, &key, value))
        .collect()
}

/// The record of one service.
pub(crate) async fn service(
    context: &Context,
    address: &Address,
) -> Result<Option<ServiceRecord>, DriverError> {
    get(context, SERVICES, &key(context, &address.node())).await
}

fn parse<T: DeserializeOwned>(scope: &str, key: &str, value: Value) -> Result<T, DriverError> {
    serde_json::from_value(value).map_err(|error| {
        let message = format!("the fact {scope} {key} cannot be understood");
        DriverError::new(Code::STORE_CORRUPT, message).because(error)
    })
}
