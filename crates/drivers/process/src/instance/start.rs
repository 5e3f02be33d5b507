//! Starting an instance, once per key.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use consort_driver::{Context, DriverError, InstanceRequest, InstanceStatus};
use consort_model::address::Part;
use consort_model::service::{Protocol, ServiceSpec};
use consort_model::{Address, Digest};
use consort_shim::spec::Spec;
use consort_shim::{Found, LaunchError, launch};

use super::InstanceRecord;
use super::look::{look, one};
use super::stop::sweep_blocking;
use crate::layout::{Layout, private, remove_tree};
use crate::runtime::Runtime;
use crate::shim_spec::{self, Source};
use crate::{addresses, error, holder, names, program, record, secrets};

pub(super) async fn start(
    runtime: &Runtime,
    context: &Context,
    request: InstanceRequest,
) -> Result<InstanceStatus, DriverError> {
    let layout = Layout::of(context)?;
    let (id, folder) = place(&layout, &request)?;
    if let Some(record) = InstanceRecord::load(&folder)? {
        match look(folder.clone()).await? {
            // The start was cut short before there was a process: nothing was begun.
            Found::Gone { .. } if !begun(&folder) => {}
            _ => return one(runtime, context, &folder, &record).await,
        }
    }
    private(&folder)?;
    private(&layout.shim_sockets())?;
    let begun = begin(runtime, context, &request, &id, &folder).await;
    let (record, spec) = match begun {
        Ok(begun) => begun,
        Err(failed) => return Err(give_up(context, &id, &folder, failed).await),
    };
    let values = match secrets::values(context, &spec.secrets).await {
        Ok(values) => values,
        Err(failed) => return Err(give_up(context, &id, &folder, failed).await),
    };
    let (launcher, at) = (runtime.launcher(), folder.clone());
    let launched = error::blocking(move || launch(&at, &launcher, &values)).await?;
    match launched {
        Ok(_) | Err(LaunchError::AlreadyRunning { .. }) => {
            one(runtime, context, &folder, &record).await
        }
        // It may run: its folder stays, and a second call finds out.
        Err(failed @ (LaunchError::TimedOut { .. } | LaunchError::Died { .. })) => {
            Err(error::launch(failed))
        }
        Err(failed) => Err(give_up(context, &id, &folder, error::launch(failed)).await),
    }
}

/// Was there ever a process?
fn begun(folder: &Path) -> bool {
    folder.join(consort_shim::record::PID_FILE).exists()
}

/// The id of an instance and its folder. The same key gives the same place.
fn place(layout: &Layout, request: &InstanceRequest) -> Result<(String, PathBuf), DriverError> {
    let key = Digest::of(request.key.0.as_bytes()).to_string();
    for length in [6, 12, 24] {
        let id = format!("{}-{}", stem(&request.address), &key[..length]);
        let folder = layout.instances().join(&id);
        match InstanceRecord::load(&folder)? {
            Some(other) if other.key != request.key.0 => {}
            _ => return Ok((id, folder)),
        }
    }
    let message = format!("no name is left for {}", request.address);
    Err(DriverError::new(consort_model::Code::INTERNAL, message))
}

/// `api-1`, of at most 39 characters: an id has 64.
fn stem(address: &Address) -> String {
    let number = match address.part() {
        Some(Part::Instance(number)) => *number,
        Some(Part::Task(_)) | None => 1,
    };
    let name: String = holder::name_of(address)
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .take(28)
        .collect();
    format!("{}-{number}", name.trim_start_matches('-'))
}

/// Everything that must be there before the shim is started.
async fn begin(
    runtime: &Runtime,
    context: &Context,
    request: &InstanceRequest,
    id: &str,
    folder: &Path,
) -> Result<(InstanceRecord, Spec), DriverError> {
    let layout = Layout::of(context)?;
    let program = match request.program {
        Some(digest) => Some(program::ensure(runtime, context, digest).await?),
        None => None,
    };
    let mut client = holder::connect(runtime, context).await?;
    let ip = addresses::lease(
        runtime,
        context,
        &mut client,
        &InstanceRecord::lease(context, id),
    )
    .await?;
    drop(client);
    let record = InstanceRecord {
        key: request.key.0.clone(),
        id: id.to_owned(),
        address: request.address.clone(),
        version: request.version,
        ip,
        control: layout.control(id),
        networks: networks(&request.spec),
        hostname: request.spec.hostname.clone(),
        extra_hosts: request.spec.extra_hosts.clone(),
        asked: context.now,
    };
    let services = record::services(context).await?;
    let view = view(&record, &services);
    let mut environment = names::variables(&view);
    environment.extend(ports(&request.spec, ip));
    environment.extend(request.environment.iter().cloned());
    environment.extend(given(&request.spec));
    let source = Source {
        address: &request.address,
        id,
        directory: folder,
        spec: &request.spec,
        program: program.as_ref(),
        further: request.service.get("settings"),
        environment,
        hosts: names::hosts_file(&view, &host_names()),
        shared: None,
    };
    let mut spec = shim_spec::build(runtime, context, source).await?;
    spec.restart = shim_spec::restart(&request.spec.restart);
    spec.probes = shim_spec::probes(&request.spec, listens(&request.spec, ip));
    spec.secrets = secrets::tokens(&spec);
    spec.store(folder).map_err(|refused| {
        let message = format!("{} cannot be run as it is described", request.address);
        DriverError::new(consort_model::Code::BLUEPRINT_INVALID, message).because(refused)
    })?;
    record.store(folder)?;
    Ok((record, spec))
}

/// What an instance can see by name.
pub(crate) fn view<'a>(
    record: &'a InstanceRecord,
    services: &'a [record::ServiceRecord],
) -> names::View<'a> {
    names::View {
        services,
        networks: &record.networks,
        own: Some((record.ip, record.hostname.as_deref())),
        extra: &record.extra_hosts,
    }
}

pub(crate) fn networks(spec: &ServiceSpec) -> Vec<String> {
    if spec.networks.is_empty() {
        return vec!["default".to_owned()];
    }
    spec.networks.keys().cloned().collect()
}

/// The names that the host itself has.
pub(crate) fn host_names() -> String {
    let text = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    if text.len() > 1 << 20 {
        String::new()
    } else {
        text
    }
}

/// `HOST`, `PORT` and `PORT_<target>`: where the instance shall listen.
fn ports(spec: &ServiceSpec, ip: Ipv4Addr) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([("HOST".to_owned(), ip.to_string())]);
    let targets = spec
        .ports
        .iter()
        .map(|port| port.target)
        .chain(spec.expose.iter().copied());
    for target in targets {
        variables
            .entry("PORT".into())
            .or_insert_with(|| target.to_string());
        variables.insert(format!("PORT_{target}"), target.to_string());
    }
    variables
}

/// Variables as written; those without a value are left out.
pub(crate) fn given(spec: &ServiceSpec) -> impl Iterator<Item = (String, String)> {
    let all = spec.environment.iter();
    all.filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
}

fn listens(spec: &ServiceSpec, ip: Ipv4Addr) -> Option<SocketAddr> {
    let first = spec
        .ports
        .iter()
        .find(|port| port.protocol == Protocol::Tcp)?;
    Some(SocketAddr::new(IpAddr::V4(ip), first.target))
}

/// Clears away what a failed start has left.
async fn give_up(context: &Context, id: &str, folder: &Path, failed: DriverError) -> DriverError {
    let at = folder.to_owned();
    let cleared = error::blocking(move || {
        if at.join(consort_shim::spec::FILE).exists() {
            sweep_blocking(&at)?;
        }
        remove_tree(&at)
    })
    .await
    .and_then(|cleared| cleared);
    let released = addresses::release(context, &InstanceRecord::lease(context, id)).await;
    if let Err(error) = cleared.and(released) {
        tracing::warn!(instance = id, %error, "what a failed start has left could not be cleared away");
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use consort_model::Kind;

    #[test]
    fn ids_are_plain_and_short() {
        let service = Address::new(Kind::Service, "api");
        assert_eq!(stem(&service.clone().instance(2)), "api-2");
        assert_eq!(stem(&service.with_key("e u/1").instance(1)), "api-e_u_1-1");
        let long = Address::new(Kind::Service, "x".repeat(100)).instance(4_000_000_000);
        assert!(stem(&long).len() <= 39);
    }
}
