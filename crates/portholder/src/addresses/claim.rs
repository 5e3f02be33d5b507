//! Taking a block.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::Block;

/// A block that this process owns until the claim is dropped (or, if the descriptor was handed to a
/// store, until that lets it go too).
#[derive(Debug)]
pub struct BlockClaim {
    block: Block,
    socket: OwnedFd,
}

impl BlockClaim {
    /// The block.
    pub fn block(&self) -> Block {
        self.block
    }

    /// Takes over a claim whose socket came from a descriptor store, if it is the block's socket.
    pub fn adopt(block: Block, socket: OwnedFd) -> Option<Self> {
        let listener = UnixListener::from(socket);
        let address = listener.local_addr().ok()?;
        (address.as_abstract_name() == Some(block.socket_name().as_bytes())).then(|| Self {
            block,
            socket: listener.into(),
        })
    }
}

impl AsFd for BlockClaim {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Why no block could be taken.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// All are owned by other homes.
    #[error(
        "all {} address blocks in 127.64.0.0/10 are owned by other homes of this machine; end one of them",
        Block::COUNT
    )]
    NoneFree,
    /// The kernel refused.
    #[error("cannot mark the address block {block} as owned")]
    Socket {
        /// The block.
        block: Block,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// Takes the first free block: `preferred` in their order (what the home owned before), then the
/// candidates of `home`.
///
/// # Errors
/// [`ClaimError`] if all are taken or the kernel refuses for another reason.
pub fn claim(home: &str, preferred: &[Block]) -> Result<BlockClaim, ClaimError> {
    for block in preferred.iter().copied().chain(Block::candidates(home)) {
        if let Some(claim) = reclaim(block)? {
            return Ok(claim);
        }
    }
    Err(ClaimError::NoneFree)
}

/// Takes this one block, or answers `None` if another process owns it.
///
/// # Errors
/// [`ClaimError::Socket`] if the kernel refuses for another reason.
pub fn reclaim(block: Block) -> Result<Option<BlockClaim>, ClaimError> {
    let bound = SocketAddr::from_abstract_name(block.socket_name())
        .and_then(|name| UnixListener::bind_addr(&name));
    match bound {
        Ok(listener) => Ok(Some(BlockClaim {
            block,
            socket: listener.into(),
        })),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(source) => Err(ClaimError::Socket { block, source }),
    }
}
