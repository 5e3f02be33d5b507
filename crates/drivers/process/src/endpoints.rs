//! Where services can be reached.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use consort_driver::{Context, DriverError, Endpoints};
use consort_model::{Address, Code};

use crate::runtime::Runtime;
use crate::{holder, record};

#[async_trait]
impl Endpoints for Runtime {
    async fn dial(
        &self,
        context: &Context,
        service: &Address,
        port: u16,
    ) -> Result<SocketAddr, DriverError> {
        let Some(record) = record::service(context, service).await? else {
            let message = format!("{service} is not there");
            return Err(DriverError::new(Code::NODE_UNKNOWN, message));
        };
        let mut inside = record
            .ports
            .iter()
            .filter(|known| known.published.is_none());
        if !inside.any(|known| known.target == port) {
            let message = format!("{service} has no port {port}");
            return Err(DriverError::new(Code::NODE_UNKNOWN, message)
                .remedy("Add it to `ports` or `expose` of the service."));
        }
        // Only a running port holder answers there.
        holder::connect(self, context).await?;
        Ok(SocketAddr::new(IpAddr::V4(record.virtual_address), port))
    }

    async fn resolve_name(
        &self,
        context: &Context,
        name: &str,
    ) -> Result<Option<Address>, DriverError> {
        let wanted = name.trim_end_matches('.');
        let services = record::services(context).await?;
        let is_called = |service: &&record::ServiceRecord| {
            let networks: Vec<String> = service.networks.keys().cloned().collect();
            let names = service.names_in(&networks);
            names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
        };
        let found = services.iter().find(is_called);
        Ok(found.map(|service| service.address.clone()))
    }

    async fn deployment_url(&self, context: &Context) -> Result<String, DriverError> {
        holder::deployment_url(self, context).await
    }
}
