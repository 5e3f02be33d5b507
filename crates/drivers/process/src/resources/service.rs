//! The planning side of services: their name, virtual address and ports. Instances are the roll-out's.

use consort_driver::{
    Applied, ApplyRequest, Context, DriverError, Observed, PlanRequest, PlannedChange,
};
use consort_model::service::{MountKind, ServiceSpec};
use consort_model::state::Object;
use consort_model::{Address, Code, Partial, Value};
use consort_portholder::{
    AsyncClient, ListenerInfo, ListenerKey, Reply, Request, TargetSpec, TargetsRequest,
};
use consort_shim::{Client, Found, adopt};

use super::attributes::Reach;
use super::{differs, known_parts, unsupported};
use crate::instance::{InstanceRecord, list};
use crate::layout::{Layout, remove_if_empty, remove_tree};
use crate::machine::{self, Rung};
use crate::record::{self, SERVICES, ServiceRecord};
use crate::runtime::Runtime;
use crate::{addresses, command, error, holder, instance, names, shim_spec};

/// The owner of a service's virtual address.
fn lease(context: &Context, service: &Address) -> String {
    record::key(context, service)
}

pub(super) async fn plan(
    runtime: &Runtime,
    context: &Context,
    request: &PlanRequest,
) -> Result<PlannedChange, DriverError> {
    let settings = known_parts(&request.desired);
    let spec = read_spec(&request.address, &settings)?;
    let rung = runtime.machine.rung();
    check(request, &spec, rung)?;
    let before = record::service(context, &request.address).await?;
    let mut virtual_address = addresses::of(context, &lease(context, &request.address)).await?;
    if let Some(ip) = virtual_address
        && !owns(context, ip).await
    {
        virtual_address = None;
    }
    let reach = Reach {
        address: &request.address,
        desired: &request.desired,
        spec: &spec,
        virtual_address,
        record: before.as_ref(),
        rung,
    };
    // Another block of addresses, after another boot, changes what others see of the service.
    let moved = request.prior.as_ref().is_some_and(|prior| {
        let recorded = prior.attributes.get("address").and_then(Value::as_str);
        let now = virtual_address.map(|ip| ip.to_string());
        now.is_none() || recorded.map(str::to_owned) != now
    });
    Ok(PlannedChange {
        planned: reach.attributes(),
        requires_replacement: Vec::new(),
        changes: moved || differs(request),
        warnings: unsupported::warnings(&settings, &spec, rung),
    })
}

fn read_spec(address: &Address, settings: &Value) -> Result<ServiceSpec, DriverError> {
    ServiceSpec::from_value(settings).map_err(|problem| {
        let message = format!("{address} cannot be read");
        DriverError::new(Code::BLUEPRINT_INVALID, message).because(problem)
    })
}

/// What cannot work here is refused before anything is done.
fn check(request: &PlanRequest, spec: &ServiceSpec, rung: Rung) -> Result<(), DriverError> {
    let address = &request.address;
    let is_known = |key: &str| {
        request
            .desired
            .get(key)
            .is_none_or(|part| part.unknown().is_none())
    };
    if ["process", "image", "command", "entrypoint"]
        .into_iter()
        .all(is_known)
    {
        command::words(address, spec)?;
    }
    let lowest = machine::first_free_port();
    if let Some(port) = holder::wanted(spec)
        .iter()
        .find(|port| port.target < lowest)
    {
        let message = format!(
            "{address} listens on port {}, which this user may not",
            port.target
        );
        return Err(DriverError::new(Code::TARGET_UNAVAILABLE, message).remedy(format!(
            "Use a port from {lowest}, run the server as root, or allow it: `sysctl net.ipv4.ip_unprivileged_port_start={}`.",
            port.target
        )));
    }
    if rung == Rung::None {
        let elsewhere = spec.mounts.iter().find(|mount| {
            mount.kind != MountKind::Bind
                || mount.read_only
                || mount.source.as_deref() != Some(&mount.target)
        });
        let grant = spec.configs.iter().chain(&spec.secrets).next();
        let target = elsewhere.map(|mount| mount.target.clone()).or_else(|| {
            grant.map(|grant| grant.target.clone().unwrap_or_else(|| grant.source.clone()))
        });
        if let Some(target) = target {
            return Err(shim_spec::no_view(address, &target));
        }
    }
    Ok(())
}

pub(super) async fn apply(
    runtime: &Runtime,
    context: &Context,
    request: &ApplyRequest,
) -> Result<Applied, DriverError> {
    let address = &request.address;
    let spec = read_spec(address, &request.desired)?;
    command::words(address, &spec)?;
    let mut client = holder::connect(runtime, context).await?;
    let record = {
        let _changing = runtime.changing.lock().await;
        let before = record::service(context, address).await?;
        let ip = addresses::lease_locked(context, &mut client, &lease(context, address)).await?;
        let ports = holder::bind(
            context,
            &mut client,
            address,
            ip,
            &holder::wanted(&spec),
            before.as_ref(),
        )
        .await?;
        let record = ServiceRecord {
            address: address.clone(),
            name: holder::name_of(address),
            virtual_address: ip,
            networks: networks(&spec),
            container_name: spec.container_name.clone(),
            ports,
        };
        carry_over(&mut client, before.as_ref(), &record).await?;
        record::put(
            context,
            SERVICES,
            &record::key(context, address),
            Some(&record),
        )
        .await?;
        // Closed last: until here the old ports answer, and a second try finds them.
        holder::unbind(&mut client, &stale(before.as_ref(), &record)).await?;
        record
    };
    tell_names(context).await?;
    let desired = Partial::from(request.desired.clone());
    let reach = Reach {
        address,
        desired: &desired,
        spec: &spec,
        virtual_address: Some(record.virtual_address),
        record: Some(&record),
        rung: runtime.machine.rung(),
    };
    let attributes = reach.attributes().known().ok_or_else(|| {
        DriverError::new(
            Code::INTERNAL,
            format!("an attribute of {address} is not known after it was made"),
        )
    })?;
    Ok(Applied {
        id: record::key(context, address),
        attributes,
        ..Applied::default()
    })
}

fn networks(spec: &ServiceSpec) -> std::collections::BTreeMap<String, Vec<String>> {
    if spec.networks.is_empty() {
        return [("default".to_owned(), Vec::new())].into();
    }
    spec.networks.clone()
}

/// Listeners that the service had and has no more.
fn stale(before: Option<&ServiceRecord>, now: &ServiceRecord) -> Vec<String> {
    let kept: Vec<&str> = now.listeners().map(|(_, key, _)| key).collect();
    let old = before.into_iter().flat_map(ServiceRecord::listeners);
    old.map(|(_, key, _)| key.to_owned())
        .filter(|key| !kept.contains(&key.as_str()))
        .collect()
}

/// A port that is published anew reaches the instances that run, before any roll-out.
async fn carry_over(
    client: &mut AsyncClient,
    before: Option<&ServiceRecord>,
    now: &ServiceRecord,
) -> Result<(), DriverError> {
    let Some(before) = before else {
        return Ok(());
    };
    let (all, _) = holder::listing(client).await?;
    let of = |key: &str| {
        all.iter()
            .find(|info: &&ListenerInfo| info.spec.key.as_str() == key)
    };
    for (port, key, _) in now.listeners() {
        if of(key).is_none_or(|info| info.generation.is_some()) {
            continue;
        }
        let same_target = before
            .listeners()
            .filter(|(old, _, _)| (old.target, old.protocol) == (port.target, port.protocol))
            .filter_map(|(_, key, _)| of(key))
            .find_map(|info| Some((info.generation?, info.targets.clone())));
        let (Some((generation, targets)), Ok(key)) = (same_target, ListenerKey::new(key)) else {
            continue;
        };
        let targets: Vec<TargetSpec> = targets;
        let request = Request::Targets(TargetsRequest {
            key,
            generation,
            targets,
        });
        client.ask(&request).await.map_err(error::holder)?;
    }
    Ok(())
}

/// Writes the hosts files of all running instances of the deployment anew, where they differ.
async fn tell_names(context: &Context) -> Result<(), DriverError> {
    let services = record::services(context).await?;
    let layout = Layout::of(context)?;
    error::blocking(move || {
        let running = list(&layout, None)?;
        let of_host = instance::host_names();
        std::thread::scope(|scope| {
            for (folder, record) in &running {
                let (services, of_host) = (&services, &of_host);
                scope.spawn(move || tell(folder, record, services, of_host));
            }
        });
        Ok(())
    })
    .await?
}

fn tell(
    folder: &std::path::Path,
    record: &InstanceRecord,
    services: &[ServiceRecord],
    of_host: &str,
) {
    let content = names::hosts_file(&instance::view(record, services), of_host);
    let file = folder.join("hosts");
    // An instance without a view has no such file.
    let Ok(before) = std::fs::read_to_string(&file) else {
        return;
    };
    if before == content {
        return;
    }
    let told = Client::connect(&record.control, std::time::Duration::from_secs(2))
        .and_then(|mut client| client.hosts(&content));
    if let Err(problem) = told {
        let found = adopt(&[folder.to_owned()]).into_iter().next();
        if matches!(
            found,
            Some((_, Found::Alive { .. } | Found::ShimLost { .. }))
        ) {
            tracing::warn!(instance = %record.id, error = %problem, "the names of services could not be told to the instance");
        }
    }
}

pub(super) async fn delete(
    runtime: &Runtime,
    context: &Context,
    request: &ApplyRequest,
) -> Result<Applied, DriverError> {
    let address = &request.address;
    let _changing = runtime.changing.lock().await;
    if let Some(record) = record::service(context, address).await? {
        let keys: Vec<String> = record
            .listeners()
            .map(|(_, key, _)| key.to_owned())
            .collect();
        // A port holder that does not run has its listeners on record and would open them again.
        let mut client = holder::connect(runtime, context).await?;
        holder::unbind(&mut client, &keys).await?;
    }
    addresses::release(context, &lease(context, address)).await?;
    record::put::<ServiceRecord>(context, SERVICES, &record::key(context, address), None).await?;
    let left = record::services(context).await?;
    if left.is_empty() {
        holder::close_deployment(context).await?;
        release_leftovers(context).await?;
        let layout = Layout::of(context)?;
        remove_if_empty(&layout.instances());
        remove_if_empty(&layout.deployment());
    } else {
        tell_names(context).await?;
    }
    Ok(Applied::default())
}

/// Addresses of starts that were cut short and never tried again.
async fn release_leftovers(context: &Context) -> Result<(), DriverError> {
    let instances = Layout::of(context)?.instances();
    let prefix = InstanceRecord::lease(context, "");
    for (owner, _) in context.facts.fact_list(record::ADDRESSES).await? {
        let Some(id) = owner.strip_prefix(&prefix) else {
            continue;
        };
        let folder = instances.join(instance::checked(id)?);
        if InstanceRecord::load(&folder)?.is_none() {
            addresses::release(context, &owner).await?;
            remove_tree(&folder)?;
        }
    }
    Ok(())
}

/// Does the home own the block of this address? A port holder that does not run owns what it will
/// claim first.
async fn owns(context: &Context, address: std::net::Ipv4Addr) -> bool {
    let Some(mut client) = holder::running(context).await else {
        return true;
    };
    match client.ask(&Request::List).await {
        Ok(Reply::List { blocks, .. }) => holder::is_in(&blocks, address),
        Ok(_) | Err(_) => true,
    }
}

/// Only the names, addresses and ports are looked at: how instances stand is runtime state.
pub(super) async fn read(context: &Context, object: &Object) -> Result<Observed, DriverError> {
    let found: Option<ServiceRecord> = record::get(context, SERVICES, &object.id).await?;
    let Some(record) = found else {
        return Ok(Observed::Gone);
    };
    let mut attributes = object.attributes.clone();
    if !owns(context, record.virtual_address).await {
        // After another boot another home was faster: the service gets another address.
        attributes["address"] = Value::Null;
        return Ok(Observed::Present(attributes));
    }
    let leased = addresses::of(context, &object.id).await?;
    let ip = leased.unwrap_or(record.virtual_address).to_string();
    if attributes
        .get("address")
        .and_then(Value::as_str)
        .is_some_and(|known| known != ip)
    {
        attributes["address"] = Value::String(ip);
    }
    Ok(Observed::Present(attributes))
}
