//! What can be set about a store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use consort_journal::StoreError;

/// Called when nothing of the store can be trusted any more: it must end the process. If it comes
/// back, the store answers every write with the same error from then on.
pub type FatalHook = Arc<dyn Fn(&StoreError) + Send + Sync>;

/// `EX_IOERR` of sysexits: the process ended because the store failed at a commit.
pub const EXIT_FATAL: i32 = 74;

/// Settings of a store. The defaults are right for a server.
#[derive(Clone)]
pub struct Options {
    /// The file with the key that secrets are sealed with; `key` in the folder if `None`. Made at
    /// first use.
    pub key_file: Option<PathBuf>,
    /// Bytes kept back for clean-up on a full disk.
    pub reserve: u64,
    /// Threads that read.
    pub readers: usize,
    /// For how long blobs that nothing names yet are kept. A plan that waits for approval must be
    /// named somewhere (a runtime fact will do) to live longer.
    pub blob_grace: Duration,
    /// What to do when a commit fails.
    pub on_fatal: FatalHook,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key_file: None,
            reserve: 16 << 20,
            readers: 2,
            blob_grace: Duration::from_secs(24 * 3600),
            on_fatal: Arc::new(|error| {
                tracing::error!(%error, "the store failed; stopping, to recover from the file");
                std::process::exit(EXIT_FATAL);
            }),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key_file,
            reserve,
            readers,
            blob_grace,
            on_fatal: _,
        } = self;
        f.debug_struct("Options")
            .field("key_file", key_file)
            .field("reserve", reserve)
            .field("readers", readers)
            .field("blob_grace", blob_grace)
            .finish_non_exhaustive()
    }
}
