//! The port holder of the home: found, or started under a shim that keeps its descriptors.

mod deployment;
mod listeners;
mod publish;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use consort_driver::{Context, DriverError};
use consort_model::Code;
use consort_portholder::addresses::Block;
use consort_portholder::{AsyncClient, ListenerInfo, Reply, Request};
use consort_shim::spec::{Cgroup, Logging, Process, Restart, RestartPolicy, Spec, Stop};
use consort_shim::{Client, Found, LaunchError, SecretValues, adopt, launch};

pub(crate) use deployment::{close as close_deployment, url as deployment_url};
pub(crate) use listeners::{Published, Wanted, bind, name_of, unbind, wanted};

use crate::error;
use crate::layout::{Layout, private, remove_tree};
use crate::runtime::Runtime;
use crate::shim_spec::cgroup_home;

/// A change waits for a file to be synced and for the shim that keeps descriptors.
const ANSWER: Duration = Duration::from_secs(20);
/// A new port holder opens its socket in milliseconds; on a machine that is busy it may take longer.
const START: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// A connection to the port holder, which is started if it does not run.
pub(crate) async fn connect(
    runtime: &Runtime,
    context: &Context,
) -> Result<AsyncClient, DriverError> {
    if let Some(client) = running(context).await {
        return Ok(client);
    }
    let _starting = runtime.starting_holder.lock().await;
    if let Some(client) = running(context).await {
        return Ok(client);
    }
    start(runtime, context).await?;
    let give_up = tokio::time::Instant::now() + START;
    let socket = Layout::of_home(context).holder_socket();
    loop {
        match AsyncClient::connect(&socket, ANSWER).await {
            Ok(client) => return Ok(client),
            Err(failed) if tokio::time::Instant::now() > give_up => {
                let folder = Layout::of_home(context).holder();
                return Err(error::holder(failed)
                    .remedy(format!("Its log is in {}.", folder.join("shim").display())));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// A connection to the port holder, if it runs.
pub(crate) async fn running(context: &Context) -> Option<AsyncClient> {
    AsyncClient::connect(&Layout::of_home(context).holder_socket(), ANSWER)
        .await
        .ok()
}

/// The listeners of the home and its address blocks, of which it gets one if it has none.
pub(crate) async fn listing(
    client: &mut AsyncClient,
) -> Result<(Vec<ListenerInfo>, Vec<String>), DriverError> {
    for _ in 0..2 {
        // Asking for a block is recorded even if it changes nothing; looking costs less.
        match client.ask(&Request::List).await.map_err(error::holder)? {
            Reply::List { listeners, blocks } if !blocks.is_empty() => {
                return Ok((listeners, blocks));
            }
            _ => client.blocks(1).await.map_err(error::holder)?,
        };
    }
    Err(DriverError::new(Code::NODE_FAILED, "the port holder holds no address block").retryable())
}

/// Is this address in one of these blocks, as the port holder lists them?
pub(crate) fn is_in(blocks: &[String], address: std::net::Ipv4Addr) -> bool {
    let block = Block::of(address).map(|block| block.to_string());
    block.is_some_and(|block| blocks.contains(&block))
}

/// Lets the shim of the port holder start it, unless it is about to.
async fn start(runtime: &Runtime, context: &Context) -> Result<(), DriverError> {
    let layout = Layout::of_home(context);
    let folder = layout.holder().join("shim");
    private(&folder)?;
    private(&context.socket_directory)?;
    let spec = spec(runtime, context, &layout);
    let launcher = runtime.launcher();
    error::blocking(move || {
        let found = adopt(std::slice::from_ref(&folder)).into_iter().next();
        match found.map(|(_, found)| found) {
            // Its shim starts it again by itself.
            Some(Found::Alive { status, .. }) if !status.state.is_over() => return Ok(()),
            Some(Found::Stuck { .. }) => return Ok(()),
            Some(Found::Alive { mut client, .. }) => {
                let _ = client.shutdown(None);
                wait_until_gone(&mut client);
            }
            Some(Found::ShimLost { .. })
            | Some(Found::Exited(_))
            | Some(Found::Gone { .. })
            | Some(Found::OtherBoot)
            | None => {}
        }
        let unusable = |failed| {
            DriverError::new(Code::INTERNAL, "the port holder cannot be described").because(failed)
        };
        spec.store(&folder).map_err(unusable)?;
        match launch(&folder, &launcher, &SecretValues::default()) {
            Ok(_) | Err(LaunchError::AlreadyRunning { .. }) => Ok(()),
            Err(failed) => Err(error::launch(failed)),
        }
    })
    .await?
}

fn spec(runtime: &Runtime, context: &Context, layout: &Layout) -> Spec {
    let (program, arguments) = &runtime.options.port_holder;
    let text = |path: PathBuf| path.display().to_string();
    let mut args = arguments.clone();
    args.extend([
        "--state-dir".into(),
        text(layout.holder().join("state")),
        "--control".into(),
        text(layout.holder_socket()),
        "--home".into(),
        context.home.to_string(),
    ]);
    let process = Process {
        program: program.display().to_string(),
        args,
        env: BTreeMap::from([("PATH".to_owned(), runtime.path.clone())]),
        ..Process::default()
    };
    Spec {
        control: layout.holder_shim_socket(),
        process,
        cgroup: Some(Cgroup {
            name: format!("{}/portholder", cgroup_home(context)),
            ..Cgroup::default()
        }),
        restart: Restart {
            policy: RestartPolicy::Always,
            initial_ms: 10,
            cap_ms: 2_000,
            ..Restart::default()
        },
        stop: Stop {
            grace_ms: 5_000,
            ..Stop::default()
        },
        logging: Logging {
            max_size: 1 << 20,
            ..Logging::default()
        },
        fd_store: 1_024,
        ..crate::shim_spec::empty("portholder", &context.home.to_string(), "the port holder")
    }
}

/// Ends the port holder and removes what it kept.
pub(crate) async fn end(context: &Context) -> Result<(), DriverError> {
    let layout = Layout::of_home(context);
    let folder = layout.holder();
    error::blocking(move || {
        crate::instance::end_blocking(&folder.join("shim"), Some(Duration::from_secs(5)))?;
        remove_tree(&folder)?;
        for socket in [layout.holder_socket(), layout.holder_shim_socket()] {
            let _ = std::fs::remove_file(socket);
        }
        Ok(())
    })
    .await?
}

/// Reads events until the shim closes its connection; bounded.
pub(crate) fn wait_until_gone(client: &mut Client) {
    let give_up = std::time::Instant::now() + Duration::from_secs(30);
    while std::time::Instant::now() < give_up {
        if client.next_event(Duration::from_millis(200)).is_err() {
            return;
        }
    }
}
