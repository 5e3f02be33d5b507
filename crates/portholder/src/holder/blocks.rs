//! The home's address blocks.

use std::os::fd::{AsFd, OwnedFd};

use super::Holder;
use crate::addresses::{Block, BlockClaim, claim};
use crate::environment::Inherited;
use crate::notice::{chain, notice};
use crate::protocol::{Failure, FailureCode};

/// Begins the names of descriptors that are no listeners; no listener key begins so.
const BLOCK_PREFIX: &str = "@block/";

impl Holder {
    /// Claims until the home holds `count` blocks, and answers with all.
    pub(crate) async fn blocks(&self, count: usize) -> Result<Vec<String>, Failure> {
        if count > self.limits.blocks {
            let text = format!(
                "{count} address blocks are more than {}, the most for one home",
                self.limits.blocks
            );
            return Err(Failure::new(FailureCode::LimitReached, text));
        }
        let _changing = self.changing.lock().await;
        while self.lock().blocks.len() < count {
            let claim = claim(&self.home, &[])
                .map_err(|error| Failure::new(FailureCode::LimitReached, chain(&error)))?;
            let socket = claim
                .as_fd()
                .try_clone_to_owned()
                .map_err(|error| Failure::new(FailureCode::Internal, error.to_string()))?;
            let name = store_name(claim.block());
            self.lock().blocks.push(claim);
            self.with_store(move |store| store.store(&name, socket.as_fd())).await.map_err(|error| {
                Failure::new(FailureCode::NotRecorded, format!("an address block is claimed, but could be lost while this process restarts ({error})"))
            })?;
        }
        Ok(self.lock().block_names())
    }

    /// Takes over recorded blocks: by their descriptors, else by claiming them again.
    pub(crate) fn restore_blocks(&self, blocks: &[String]) {
        for text in blocks {
            match text.parse::<Block>() {
                Ok(block) => self.restore_block(block),
                Err(error) => notice(&format!("the recorded address block was dropped: {error}")),
            }
        }
    }

    fn restore_block(&self, block: Block) {
        let mut inner = self.lock();
        let kept = inner.orphans.take(&store_name(block));
        let adopted = kept
            .into_iter()
            .find_map(|socket: OwnedFd| BlockClaim::adopt(block, socket));
        match adopted.or_else(|| crate::addresses::reclaim(block).ok().flatten()) {
            Some(claim) => inner.blocks.push(claim),
            None => notice(&format!(
                "the address block {block} now belongs to another home; ask for blocks again"
            )),
        }
    }

    /// Takes the descriptors that came from the store, for `restore` and `bind`.
    pub(crate) fn inherit(&self, inherited: Inherited) {
        self.lock().orphans = inherited;
    }

    /// Blocks without a record: they are ours, as their descriptors came from our own store.
    pub(crate) fn adopt_unrecorded_blocks(&self) {
        let mut inner = self.lock();
        for (name, socket) in inner.orphans.take_prefixed(BLOCK_PREFIX) {
            let block = name
                .strip_prefix(BLOCK_PREFIX)
                .and_then(|text| text.parse::<Block>().ok());
            if let Some(claim) = block.and_then(|block| BlockClaim::adopt(block, socket)) {
                inner.blocks.push(claim);
            }
        }
    }

    /// Closes descriptors that no record explains: their `bind` was never answered.
    pub(crate) async fn drop_orphans(&self) {
        let orphans = std::mem::take(&mut self.lock().orphans);
        for name in orphans.names() {
            notice(&format!("closing {name}, which was never recorded"));
            self.forget(name).await;
        }
        orphans.shut();
    }
}

fn store_name(block: Block) -> String {
    format!("{BLOCK_PREFIX}{block}")
}
