//! Leases of loopback addresses: one per service, one per instance, one per deployment. They are
//! facts, so they outlive the server; the blocks that they are taken from are held by the port holder.

use std::net::Ipv4Addr;

use consort_driver::{Context, DriverError};
use consort_model::{Code, Value};
use consort_portholder::AsyncClient;
use consort_portholder::addresses::{Block, VirtualAddresses};

use crate::error;
use crate::record::ADDRESSES;
use crate::runtime::Runtime;

/// More blocks than this one home does not get.
const MOST_BLOCKS: usize = 64;

/// The address of `owner`: the one that it has, else a free one. The same until it is released.
pub(crate) async fn lease(
    runtime: &Runtime,
    context: &Context,
    holder: &mut AsyncClient,
    owner: &str,
) -> Result<Ipv4Addr, DriverError> {
    let _changing = runtime.changing.lock().await;
    lease_locked(context, holder, owner).await
}

/// [`lease`], by one who holds `changing` already.
pub(crate) async fn lease_locked(
    context: &Context,
    holder: &mut AsyncClient,
    owner: &str,
) -> Result<Ipv4Addr, DriverError> {
    let mut given = all(context).await?;
    let before = given.get(owner);
    let (_, blocks) = crate::holder::listing(holder).await?;
    let mut blocks: Vec<Block> = blocks.iter().filter_map(|text| text.parse().ok()).collect();
    loop {
        match given.allocate(&blocks, owner) {
            Ok(address) if before == Some(address) => return Ok(address),
            Ok(address) => {
                let value = Value::String(address.to_string());
                context
                    .facts
                    .fact_put(ADDRESSES, owner, Some(value))
                    .await?;
                return Ok(address);
            }
            Err(full) if blocks.len() >= MOST_BLOCKS => {
                return Err(DriverError::new(
                    Code::TARGET_UNAVAILABLE,
                    "this home has no address left",
                )
                .because(full)
                .remedy("Take deployments down, or use a second home."));
            }
            Err(_) => {
                blocks = holder
                    .blocks(blocks.len() + 1)
                    .await
                    .map_err(error::holder)?
            }
        }
    }
}

/// The address that `owner` has.
pub(crate) async fn of(context: &Context, owner: &str) -> Result<Option<Ipv4Addr>, DriverError> {
    let found = context.facts.fact_get(ADDRESSES, owner).await?;
    Ok(found.and_then(|value| value.as_str()?.parse().ok()))
}

/// Gives an address back.
pub(crate) async fn release(context: &Context, owner: &str) -> Result<(), DriverError> {
    context.facts.fact_put(ADDRESSES, owner, None).await
}

async fn all(context: &Context) -> Result<VirtualAddresses, DriverError> {
    let facts = context.facts.fact_list(ADDRESSES).await?;
    let map: consort_model::Object = facts.into_iter().collect();
    serde_json::from_value(Value::Object(map)).map_err(|error| {
        DriverError::new(
            Code::STORE_CORRUPT,
            "the leases of addresses cannot be understood",
        )
        .because(error)
    })
}
