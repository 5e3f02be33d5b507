//! Names of services as addresses. What was found is kept until the deployment changes or a
//! connection fails.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use super::super::host::hold;
use super::failure::{Failure, chain};
use crate::engine::Engine;

/// So many names are kept.
const MOST: usize = 4_096;

type Key = (String, String, u16);

/// What names stand for; `None`: no service, ask the resolver of the system.
#[derive(Default)]
pub(super) struct Names(Mutex<HashMap<Key, Option<SocketAddr>>>);

impl Names {
    /// Where this host is, if it is an address or a service of the deployment.
    pub(super) async fn find(
        &self,
        engine: &Engine,
        deployment: &str,
        host: &str,
        port: u16,
    ) -> Result<Option<SocketAddr>, Failure> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Some(SocketAddr::new(ip, port)));
        }
        let key = (deployment.to_owned(), host.to_ascii_lowercase(), port);
        if let Some(known) = hold(&self.0).get(&key) {
            return Ok(*known);
        }
        let found = ask(engine, deployment, host, port).await?;
        let mut names = hold(&self.0);
        if names.len() >= MOST {
            names.clear();
        }
        names.insert(key, found);
        Ok(found)
    }

    pub(super) fn forget(&self, deployment: &str) {
        hold(&self.0).retain(|(of, _, _), _| of != deployment);
    }
}

async fn ask(
    engine: &Engine,
    deployment: &str,
    host: &str,
    port: u16,
) -> Result<Option<SocketAddr>, Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Failure::unreachable(format!("`{host}` cannot be reached: {}", chain(error)))
    };
    let found = engine
        .deployment(deployment)
        .await
        .map_err(|problem| failed(&problem))?;
    // Without its target a deployment has no services to be called.
    let Ok(target) = engine.target(found.target) else {
        return Ok(None);
    };
    let context = engine.context(deployment, engine.home.directory.clone());
    let endpoints = target.endpoints();
    let service = endpoints
        .resolve_name(&context, host)
        .await
        .map_err(|error| failed(&error))?;
    let Some(service) = service else {
        return Ok(None);
    };
    let address = endpoints
        .dial(&context, &service, port)
        .await
        .map_err(|error| failed(&error))?;
    Ok(Some(address))
}
