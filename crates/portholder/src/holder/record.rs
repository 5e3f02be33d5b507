//! Writing the state file: many changes share one write.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use tokio::sync::Mutex;

use super::Holder;
use crate::notice::{chain, notice};
use crate::protocol::{Failure, FailureCode};
use crate::state::{Saved, SavedListener, save};

/// Counts changes, and knows up to which one the file is current.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    changes: AtomicU64,
    recorded: Mutex<u64>,
}

impl Holder {
    /// Returns when every change made before the call is in the file. Changes that arrive during a
    /// write share the next one.
    pub(crate) async fn record(&self) -> Result<(), Failure> {
        let mine = self.recorder.changes.fetch_add(1, SeqCst) + 1;
        let mut recorded = self.recorder.recorded.lock().await;
        if *recorded >= mine {
            return Ok(());
        }
        let covered = self.recorder.changes.load(SeqCst);
        let (saved, dir) = (self.snapshot(), self.state_dir.clone());
        let written = tokio::task::spawn_blocking(move || save(&dir, &saved)).await;
        let reason = match written {
            Ok(Ok(())) => {
                *recorded = covered;
                return Ok(());
            }
            Ok(Err(error)) => chain(&error),
            Err(_ended) => "the process is ending".to_owned(),
        };
        let text = format!(
            "the change is in effect, but {} could not be written ({reason}), so a restart would lose it; free some space and repeat the request",
            self.state_dir.join("ports.json").display()
        );
        notice(&text);
        Err(Failure::new(FailureCode::NotRecorded, text))
    }

    fn snapshot(&self) -> Saved {
        let inner = self.lock();
        let listeners = inner.listeners.values().map(|bound| {
            let record = bound.shared.targets.record();
            SavedListener {
                spec: bound.shared.spec.clone(),
                port: bound.port,
                generation: record.generation,
                targets: record.targets,
            }
        });
        Saved::new(listeners.collect(), inner.block_names())
    }
}
