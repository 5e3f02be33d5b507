//! Where the traffic of a service goes.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use consort_driver::{Context, DriverError, Route};
use consort_model::{Address, Code};
use consort_portholder::{
    AsyncClient, FailureCode, ListenerKey, Reply, Request, TargetSpec, TargetState, TargetsRequest,
};
use consort_shim::Client;
use tokio::time::{Instant, sleep};

use super::{InstanceRecord, find};
use crate::layout::Layout;
use crate::record::{self, PortRecord, ServiceRecord};
use crate::runtime::Runtime;
use crate::{error, holder};

/// Between two looks at the count of connections.
const PAUSE: Duration = Duration::from_millis(25);
/// A shim answers from its loop.
const SHIM: Duration = Duration::from_secs(1);
/// Targets and listeners of one request must fit into one line of the protocol.
const BATCH: usize = 64;

pub(super) async fn set(
    runtime: &Runtime,
    context: &Context,
    route: Route,
) -> Result<(), DriverError> {
    let Some(service) = record::service(context, &route.service).await? else {
        if route.targets.is_empty() {
            return Ok(());
        }
        let message = format!("{} has no address yet", route.service);
        return Err(DriverError::new(Code::NODE_FAILED, message).remedy("Apply the service first."));
    };
    let layout = Layout::of(context)?;
    let mut targets = Vec::new();
    for target in &route.targets {
        // An instance that is gone takes no traffic.
        if let Some((_, record)) = find(&layout, &target.id)? {
            targets.push((record, target.draining));
        }
    }
    let mut client = holder::connect(runtime, context).await?;
    // A port holder that has lost its state gets the listeners back; else this changes nothing.
    ensure_bound(context, &mut client, &service).await?;
    send(&mut client, &service, route.generation, &targets).await?;
    let marks: Vec<(PathBuf, bool)> = targets
        .into_iter()
        .map(|(record, draining)| (record.control, draining))
        .collect();
    error::blocking(move || mark(&marks)).await
}

async fn ensure_bound(
    context: &Context,
    client: &mut AsyncClient,
    service: &ServiceRecord,
) -> Result<(), DriverError> {
    let (open, blocks) = holder::listing(client).await?;
    if !holder::is_in(&blocks, service.virtual_address) {
        let message = format!(
            "the address {} of {} belongs to another home now",
            service.virtual_address, service.address
        );
        return Err(DriverError::new(Code::NODE_FAILED, message)
            .remedy("`consort up` gives the service another address."));
    }
    let missing = service.listeners().any(|(_, key, _)| {
        !open
            .iter()
            .any(|info| info.spec.key.as_str() == key && info.address.is_some())
    });
    if !missing {
        return Ok(());
    }
    let ports = &service.ports;
    let wanted: Vec<holder::Wanted> = (0..ports.len()).map(|at| again(ports, at)).collect();
    holder::bind(
        context,
        client,
        &service.address,
        service.virtual_address,
        &wanted,
        Some(service),
    )
    .await
    .map(drop)
}

/// What is recorded, as it is wanted again.
fn again(ports: &[PortRecord], at: usize) -> holder::Wanted {
    let port = &ports[at];
    let is_same = |other: &&PortRecord| {
        let asked = |port: &PortRecord| {
            let at = port.published.as_ref();
            at.map(|at| (at.asked.clone(), at.host_ip.clone()))
        };
        (other.target, other.protocol, asked(other)) == (port.target, port.protocol, asked(port))
    };
    holder::Wanted {
        target: port.target,
        protocol: port.protocol,
        http: port.http,
        published: port.published.as_ref().map(|published| holder::Published {
            asked: published.asked.clone(),
            host_ip: published.host_ip.clone(),
            ordinal: ports[..at].iter().filter(is_same).count(),
        }),
    }
}

async fn send(
    client: &mut AsyncClient,
    service: &ServiceRecord,
    generation: u64,
    targets: &[(InstanceRecord, bool)],
) -> Result<(), DriverError> {
    let mut requests = Vec::new();
    for (port, key, _) in service.listeners() {
        let key = ListenerKey::new(key)
            .map_err(|problem| DriverError::new(Code::STORE_CORRUPT, problem))?;
        requests.push(Request::Targets(TargetsRequest {
            key,
            generation,
            targets: targets
                .iter()
                .map(|target| spec(target, port.target))
                .collect(),
        }));
    }
    let per_batch = (BATCH / targets.len().max(1)).max(1);
    for some in requests.chunks(per_batch) {
        let replies = client.batch(some.to_vec()).await.map_err(error::holder)?;
        for reply in replies {
            if let Reply::Error(failure) = reply {
                return Err(refused(&service.address, failure));
            }
        }
    }
    Ok(())
}

fn refused(service: &Address, failure: consort_portholder::Failure) -> DriverError {
    let (code, retryable) = match failure.code {
        FailureCode::StaleGeneration => (Code::JOURNAL_FENCED, false),
        _ => (Code::NODE_FAILED, true),
    };
    let message = format!("the traffic of {service} cannot be switched");
    let error = DriverError::new(code, message).because(failure);
    if retryable { error.retryable() } else { error }
}

fn spec((record, draining): &(InstanceRecord, bool), port: u16) -> TargetSpec {
    TargetSpec {
        id: record.id.clone(),
        address: IpAddr::V4(record.ip),
        port,
        // Its shim has the last word on readiness, which the port holder follows.
        state: if *draining {
            TargetState::Draining
        } else {
            TargetState::Ready
        },
        watch: Some(record.control.clone()),
    }
}

/// Tells the shims who drains. The port holder knows it already: a shim that is away misses nothing
/// but its own status.
fn mark(marks: &[(PathBuf, bool)]) {
    std::thread::scope(|scope| {
        for (control, draining) in marks {
            scope.spawn(|| {
                let told = Client::connect(control, SHIM).and_then(|mut client| {
                    if client.state()?.draining == *draining {
                        return Ok(());
                    }
                    client.set_draining(*draining)
                });
                if let Err(error) = told {
                    tracing::debug!(%error, "a shim was not told whether it drains");
                }
            });
        }
    });
}

pub(super) async fn drained(
    runtime: &Runtime,
    context: &Context,
    service: &Address,
    id: &str,
    limit: Duration,
) -> Result<u64, DriverError> {
    let Some(record) = record::service(context, service).await? else {
        return Ok(0);
    };
    let give_up = Instant::now() + limit;
    let mut client = holder::connect(runtime, context).await?;
    loop {
        let counts = client.counts(None).await.map_err(error::holder)?;
        let ours = counts.iter().filter(|counts| {
            record
                .listeners()
                .any(|(_, key, _)| counts.key.as_str() == key)
        });
        let targets = ours
            .flat_map(|counts| &counts.targets)
            .filter(|target| target.id == id);
        let open: u64 = targets.map(|target| target.open).sum();
        if open == 0 || Instant::now() >= give_up {
            return Ok(open);
        }
        sleep(PAUSE).await;
    }
}
