//! A deployment's own address: its exposed workflows, and the place where its services post events.
//! The port holder keeps requests there waiting while the server is away.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use consort_driver::{Context, DriverError};
use consort_portholder::{AsyncClient, FailureCode, ListenerSpec, Mode, UnixUpstream};
use serde::Deserialize;

use super::listeners::{Opening, key, open, unbind};
use super::{connect, running};
use crate::record::{self, PUBLISHED};
use crate::runtime::Runtime;
use crate::{addresses, error, machine};

/// The port of the address where ports below 1024 are not for everyone.
const HIGH_PORT: u16 = 8080;

/// Where the address is published.
#[derive(Debug, Deserialize)]
struct Published {
    port: u16,
    #[serde(default)]
    host_ip: Option<Ipv4Addr>,
}

fn owner(context: &Context) -> String {
    format!("{}/deployment", context.deployment)
}

/// The URL of the deployment's address, which is made if it is not there.
pub(crate) async fn url(runtime: &Runtime, context: &Context) -> Result<String, DriverError> {
    let mut holder = connect(runtime, context).await?;
    let address = addresses::lease(runtime, context, &mut holder, &owner(context)).await?;
    let port = if machine::first_free_port() <= 80 {
        80
    } else {
        HIGH_PORT
    };
    let at = SocketAddr::new(IpAddr::V4(address), port);
    listen(runtime, context, &mut holder, "inside", at).await?;
    if let Some(published) =
        record::get::<Published>(context, PUBLISHED, &context.deployment).await?
    {
        let host = published.host_ip.unwrap_or(Ipv4Addr::LOCALHOST);
        let at = SocketAddr::new(IpAddr::V4(host), published.port);
        listen(runtime, context, &mut holder, "published", at).await?;
    }
    Ok(if port == 80 {
        format!("http://{address}")
    } else {
        format!("http://{address}:{port}")
    })
}

async fn listen(
    runtime: &Runtime,
    context: &Context,
    holder: &mut AsyncClient,
    which: &str,
    at: SocketAddr,
) -> Result<(), DriverError> {
    let key = key(&[&context.deployment, "deployment", which])?;
    let upstream = UnixUpstream {
        socket: runtime.options.server_socket.clone(),
        // Nothing but this is reachable from here: the server's other paths are for its owner alone.
        path_prefix: format!("/v1/deployments/{}/exposed", context.deployment),
        headers: Default::default(),
    };
    let spec = ListenerSpec {
        mode: Mode::UnixHttp(upstream),
        ..ListenerSpec::tcp(key.clone(), at.ip(), at.port())
    };
    let opened = match open(holder, spec.clone()).await {
        Err(Opening::Refused(failure)) if failure.code == FailureCode::ListenerDiffers => {
            holder.unbind(&key).await.map_err(error::holder)?;
            open(holder, spec).await
        }
        other => other,
    };
    opened
        .map(drop)
        .map_err(|failed| failed.at(at, format_args!("deployment `{}`", context.deployment)))
}

/// Closes the address and gives it back.
pub(crate) async fn close(context: &Context) -> Result<(), DriverError> {
    if let Some(mut holder) = running(context).await {
        let mut keys = Vec::new();
        for which in ["inside", "published"] {
            keys.push(key(&[&context.deployment, "deployment", which])?.to_string());
        }
        unbind(&mut holder, &keys).await?;
    }
    addresses::release(context, &owner(context)).await
}
