//! What keeps a store small, safe and honest: retention, garbage collection, backup, the check.

pub(crate) mod backup;
mod garbage;
pub(crate) mod names;
pub(crate) mod restore;
pub(crate) mod retain;
pub(crate) mod verify;
