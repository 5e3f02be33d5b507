//! The folder of a store: its files, its lock, and what is kept back for a full disk.

mod files;
mod lock;
mod reserve;

use std::path::{Path, PathBuf};

pub(crate) use files::{
    create_private, free_bytes, make_dir, make_private, refuse_network, remove_if_there, sync_dir,
    write_private,
};
pub(crate) use lock::Lock;
pub(crate) use reserve::Reserve;

/// The name of the database in its folder.
pub(crate) const DATABASE: &str = "state.db";
/// The name of the key in its folder, unless another file was named.
pub(crate) const KEY: &str = "key";
/// The name of the folder of large blobs.
pub(crate) const BLOBS: &str = "blobs";

/// The database of a folder.
pub(crate) fn database(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}
