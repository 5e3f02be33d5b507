//! What a document must hold beyond the form of its keys.

mod consistency;
mod cycles;
mod logical;

pub use consistency::consistency;
pub use logical::logical;
