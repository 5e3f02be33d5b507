//! Single instances: started once per key, watched, stopped, removed, routed to.

mod look;
mod record;
mod route;
mod start;
mod status;
mod stop;
mod wait;

use std::time::Duration;

use async_trait::async_trait;
use consort_driver::{
    Context, DriverError, InstanceRequest, InstanceRuntime, InstanceStatus, Route, StopMode,
};
use consort_model::{Address, Code};
use consort_shim::logs::Reader;

pub(crate) use look::{look, rescue};
pub(crate) use record::{InstanceRecord, find, list, read_json, write_json};
pub(crate) use start::{given, host_names, networks, view};
pub(crate) use status::{ended, started, status_of};
pub(crate) use stop::{end_blocking, sweep_blocking};
pub(crate) use wait::until_over;

use crate::error;
use crate::layout::Layout;
use crate::runtime::Runtime;

/// More lines than this are not a message.
const MOST_TAIL: usize = 10_000;

#[async_trait]
impl InstanceRuntime for Runtime {
    async fn instance_start(
        &self,
        context: &Context,
        request: InstanceRequest,
    ) -> Result<InstanceStatus, DriverError> {
        let started = start::start(self, context, request).await;
        self.tell();
        started
    }

    async fn instance_list(
        &self,
        context: &Context,
        service: Option<&Address>,
    ) -> Result<Vec<InstanceStatus>, DriverError> {
        look::all(self, context, service).await
    }

    async fn instance_wait(
        &self,
        context: &Context,
        service: &Address,
        seen: &[InstanceStatus],
        limit: Duration,
    ) -> Result<Vec<InstanceStatus>, DriverError> {
        wait::wait(self, context, service, seen, limit).await
    }

    async fn instance_stop(
        &self,
        context: &Context,
        id: &str,
        mode: StopMode,
    ) -> Result<(), DriverError> {
        let stopped = stop::stop(self, context, id, mode).await;
        self.tell();
        stopped
    }

    async fn instance_remove(&self, context: &Context, id: &str) -> Result<(), DriverError> {
        let removed = stop::remove(context, id).await;
        self.tell();
        removed
    }

    async fn route_set(&self, context: &Context, route: Route) -> Result<(), DriverError> {
        let set = route::set(self, context, route).await;
        self.tell();
        set
    }

    async fn route_drained(
        &self,
        context: &Context,
        service: &Address,
        id: &str,
        limit: Duration,
    ) -> Result<u64, DriverError> {
        route::drained(self, context, service, id, limit).await
    }

    async fn instance_tail(
        &self,
        context: &Context,
        id: &str,
        lines: usize,
    ) -> Result<Vec<String>, DriverError> {
        let directory = Layout::of(context)?.instances().join(checked(id)?);
        error::blocking(move || tail(&directory, lines.min(MOST_TAIL))).await?
    }
}

fn tail(directory: &std::path::Path, lines: usize) -> Result<Vec<String>, DriverError> {
    let failed = || error::file(format!("the log in {} cannot be read", directory.display()));
    let mut reader = Reader::tail(directory, lines).map_err(failed())?;
    let mut found = Vec::new();
    while found.len() < lines {
        let Some(record) = reader.next_record().map_err(failed())? else {
            break;
        };
        found.push(String::from_utf8_lossy(&record.text).into_owned());
    }
    Ok(found)
}

/// An id becomes part of a path: it must be one.
pub(crate) fn checked(id: &str) -> Result<&str, DriverError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !id.is_empty() && id.len() <= 64 && !id.starts_with('.') && id.bytes().all(plain) {
        return Ok(id);
    }
    Err(DriverError::new(
        Code::NODE_UNKNOWN,
        format!("there is no instance `{id}`"),
    ))
}
