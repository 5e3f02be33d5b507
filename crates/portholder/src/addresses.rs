//! Address blocks in 127/8, and addresses within them.
//!
//! A home owns whole blocks `127.A.B.0/24` with A from 64 to 127: 16,384 blocks, of which each home
//! takes as many as it needs. A block is owned while an abstract Unix socket named after it is bound
//! (`\0consort-block-127.A.B`), so that two homes never share one, of whichever user, and a block is
//! free again when its owner ends. Abstract sockets and 127/8 are both per network namespace.
//!
//! Within a block `.1` to `.250` are given out: one per service (its virtual address) and one per
//! instance; `.251` to `.254` are the home's own, see [`Block::reserved`]. A home that needs more than
//! 250 claims a further block. `127.0.0.0/10` is left to everyone else.

mod block;
mod claim;
mod virtual_addresses;

pub use block::Block;
pub use claim::{BlockClaim, ClaimError, claim, reclaim};
pub use virtual_addresses::{NoAddressLeft, VirtualAddresses};
