//! Space that is kept back, so that cancel and clean-up can still be recorded on a full disk.

use std::io;
use std::path::{Path, PathBuf};

use consort_journal::StoreError;
use rustix::fs::{FallocateFlags, fallocate};

use super::{create_private, free_bytes, remove_if_there};
use crate::error::with_file;

/// What must be free besides the reserve before it is made again.
const MARGIN: u64 = 64 << 10;

/// A file that only takes up space.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    size: u64,
    /// The reserve was given up, and the space has not come back yet.
    low: bool,
}

impl Reserve {
    /// The reserve of a folder, made if there is space for it.
    pub(crate) fn of(dir: &Path, size: u64) -> Self {
        let mut reserve = Self {
            path: dir.join("reserve"),
            size,
            low: false,
        };
        let there = std::fs::metadata(&reserve.path).map_or(0, |file| file.len());
        reserve.low = there < size;
        reserve.refresh();
        reserve
    }

    /// Is there so little space that nothing new should be begun?
    pub(crate) fn is_low(&self) -> bool {
        self.low
    }

    /// Gives the space up.
    pub(crate) fn release(&mut self) {
        self.low = true;
        if let Err(error) = remove_if_there(&self.path) {
            tracing::error!(%error, "the disk is full, and the reserve cannot be given up");
        }
    }

    /// Takes the space again, if it is there.
    pub(crate) fn refresh(&mut self) {
        if !self.low {
            return;
        }
        let enough = self.size.saturating_mul(2).saturating_add(MARGIN);
        if !free_bytes(&self.path.with_file_name(".")).is_ok_and(|free| free >= enough) {
            return;
        }
        match self.make() {
            Ok(()) => self.low = false,
            Err(error) => tracing::warn!(%error, "no space can be kept back"),
        }
    }

    fn make(&self) -> Result<(), StoreError> {
        remove_if_there(&self.path)?;
        if self.size == 0 {
            return Ok(());
        }
        let doing = "keep space back in";
        let file = create_private(&self.path).map_err(with_file(doing, &self.path))?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.size) {
            Ok(()) => Ok(()),
            // Not every file system can; written bytes take up space everywhere.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                let mut zeros = io::Read::take(io::repeat(0), self.size);
                io::copy(&mut zeros, &mut &file)
                    .map(drop)
                    .map_err(with_file(doing, &self.path))
            }
            Err(error) => {
                remove_if_there(&self.path)?;
                Err(with_file(doing, &self.path)(error.into()))
            }
        }
    }
}
