//! Starting a task, once per key.

use std::path::Path;
use std::time::Duration;

use consort_driver::{Context, DriverError, TaskRequest};
use consort_model::Code;
use consort_shim::spec::{Mode, Spec};
use consort_shim::{Client, Found, LaunchError, launch};

use super::record::{TaskRecord, id};
use crate::instance::{given, host_names, look, networks, sweep_blocking};
use crate::layout::{Layout, private, remove_tree};
use crate::runtime::Runtime;
use crate::shim_spec::{self, Source};
use crate::{error, names, program, record, secrets};

pub(super) async fn start(
    runtime: &Runtime,
    context: &Context,
    request: TaskRequest,
) -> Result<(), DriverError> {
    let layout = Layout::of(context)?;
    let id = id(&request.key.0);
    let folder = layout.tasks().join(&id);
    if let Some(record) = TaskRecord::load(&folder)? {
        match look(folder.clone()).await? {
            // The start was cut short before there was a process.
            Found::Gone { .. } if !record.launched && !begun(&folder) => {}
            _ => return Ok(()),
        }
    }
    private(&folder)?;
    private(&layout.shim_sockets())?;
    let started = run(runtime, context, &layout, &request, &id, &folder).await;
    match started {
        Ok(()) => Ok(()),
        Err(failed) if failed.ambiguity == consort_driver::Ambiguity::Ambiguous => Err(failed),
        Err(failed) => {
            let cleared = error::blocking(move || {
                if folder.join(consort_shim::spec::FILE).exists() {
                    sweep_blocking(&folder)?;
                }
                remove_tree(&folder)
            });
            if let Err(error) = cleared.await.and_then(|cleared| cleared) {
                tracing::warn!(task = %request.address, %error, "what a failed start has left could not be cleared away");
            }
            Err(failed)
        }
    }
}

fn begun(folder: &Path) -> bool {
    folder.join(consort_shim::record::PID_FILE).exists()
}

async fn run(
    runtime: &Runtime,
    context: &Context,
    layout: &Layout,
    request: &TaskRequest,
    id: &str,
    folder: &Path,
) -> Result<(), DriverError> {
    let mut record = TaskRecord {
        key: request.key.0.clone(),
        address: request.address.clone(),
        control: layout.control(id),
        time_limit: request.time_limit,
        asked: context.now,
        enforced: false,
        launched: false,
    };
    let spec = describe(runtime, context, request, id, folder).await?;
    let values = secrets::values(context, &spec.secrets).await?;
    spec.store(folder).map_err(|refused| {
        let message = format!("{} cannot be run as it is described", request.address);
        DriverError::new(Code::BLUEPRINT_INVALID, message).because(refused)
    })?;
    record.store(folder)?;
    let (launcher, at) = (runtime.launcher(), folder.to_owned());
    let limited = request.cpus.is_some();
    let enforced = error::blocking(move || {
        match launch(&at, &launcher, &values) {
            Ok(_) | Err(LaunchError::AlreadyRunning { .. }) => {}
            Err(failed) => return Err(error::launch(failed)),
        }
        Ok(limited && is_enforced(&spec))
    })
    .await??;
    record.launched = true;
    record.enforced = enforced;
    record.store(folder)
}

/// What the shim says of the quota; a shim that has gone already has enforced what the machine can.
fn is_enforced(spec: &Spec) -> bool {
    let told = Client::connect(&spec.control, Duration::from_secs(1))
        .and_then(|mut client| client.state());
    match told {
        Ok(status) => !status
            .not_enforced
            .iter()
            .any(|text| text.starts_with("cpu_millis")),
        Err(_) => crate::machine::cgroups().can_limit("cpu"),
    }
}

async fn describe(
    runtime: &Runtime,
    context: &Context,
    request: &TaskRequest,
    id: &str,
    folder: &Path,
) -> Result<Spec, DriverError> {
    let program = match request.program {
        Some(digest) => Some(program::ensure(runtime, context, digest).await?),
        None => None,
    };
    let services = record::services(context).await?;
    let networks = networks(&request.spec);
    let view = names::View {
        services: &services,
        networks: &networks,
        own: None,
        extra: &request.spec.extra_hosts,
    };
    let mut environment = names::variables(&view);
    environment.extend(request.environment.iter().cloned());
    environment.extend(given(&request.spec));
    let source = Source {
        address: &request.address,
        id,
        directory: folder,
        spec: &request.spec,
        program: program.as_ref(),
        further: None,
        environment,
        hosts: names::hosts_file(&view, &host_names()),
        shared: Some(&request.run_directory),
    };
    let mut spec = shim_spec::build(runtime, context, source).await?;
    spec.mode = Mode::OneShot {
        deadline_ms: Some(request.time_limit.millis().max(1)),
    };
    if let Some(cgroup) = &mut spec.cgroup {
        let lease = request.cpus.map(|cpus| u64::from(cpus.0).max(10));
        // Of two bounds the lower one holds.
        cgroup.limits.cpu_millis = lower(lease, cgroup.limits.cpu_millis);
        cgroup.limits.memory = lower(request.memory.map(|bytes| bytes.0), cgroup.limits.memory);
    }
    Ok(spec)
}

fn lower(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
