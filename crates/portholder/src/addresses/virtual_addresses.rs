//! Who has which address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Block;

/// The addresses that a home has given out, by the name of their owner (`shop/services.api`,
/// `shop/services.api#2`). The caller keeps it; the same name gets the same address until it is
/// released.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VirtualAddresses {
    given: BTreeMap<String, Ipv4Addr>,
}

/// Every address of the blocks is given out: claim a further block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "all {given} addresses of this home's address blocks are given out; a further block is needed for {name}"
)]
pub struct NoAddressLeft {
    /// Who asked.
    pub name: String,
    /// How many are given out.
    pub given: usize,
}

impl VirtualAddresses {
    /// The address of `name`: the one that it has if that is in one of the blocks, else the lowest free.
    ///
    /// # Errors
    /// [`NoAddressLeft`] if none is free.
    pub fn allocate(&mut self, blocks: &[Block], name: &str) -> Result<Ipv4Addr, NoAddressLeft> {
        if let Some(address) = self.get(name)
            && Block::of(address).is_some_and(|block| blocks.contains(&block))
        {
            return Ok(address);
        }
        let taken: BTreeSet<_> = self.given.values().copied().collect();
        let all = blocks
            .iter()
            .flat_map(|block| (1..=Block::ADDRESSES).map(|host| block.address(host)));
        let free = all.into_iter().find(|address| !taken.contains(address));
        let address = free.ok_or_else(|| NoAddressLeft {
            name: name.to_owned(),
            given: self.given.len(),
        })?;
        self.given.insert(name.to_owned(), address);
        Ok(address)
    }

    /// The address of `name`, if it has one.
    pub fn get(&self, name: &str) -> Option<Ipv4Addr> {
        self.given.get(name).copied()
    }

    /// Frees the address of `name`.
    pub fn release(&mut self, name: &str) -> Option<Ipv4Addr> {
        self.given.remove(name)
    }

    /// All names with their addresses, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Ipv4Addr)> {
        self.given
            .iter()
            .map(|(name, address)| (name.as_str(), *address))
    }
}
