//! Follows the readiness of a target by the `watch` stream of its shim, so that balancing is right
//! while no server runs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use crate::lines::{LineError, decode, encode, read_line};
use crate::targets::TargetSet;

const LINE_LIMIT: usize = 64 * 1024;
/// A shim tells its state at once; one that is silent for longer is not waited for.
const FIRST_WORD: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Follows until the task is aborted. While the shim cannot be heard its last word counts.
pub(crate) async fn follow(targets: Arc<TargetSet>, id: String, shim: Arc<Path>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let heard = follow_once(&targets, &id, &shim).await;
        targets.unheard(&id);
        pause = if heard {
            FIRST_PAUSE
        } else {
            (pause * 2).min(LONGEST_PAUSE)
        };
        sleep(pause).await;
    }
}

/// One connection; whether the shim said anything.
async fn follow_once(targets: &TargetSet, id: &str, shim: &Path) -> bool {
    let Ok(mut stream) = watch(shim).await else {
        return false;
    };
    let mut heard = false;
    loop {
        let line = if heard {
            read_line(&mut stream, LINE_LIMIT).await
        } else {
            // Not cancel-safe: after a silent second the connection is read on by the next call, from
            // its start, as nothing had come.
            match timeout(FIRST_WORD, read_line(&mut stream, LINE_LIMIT)).await {
                Ok(line) => line,
                Err(_elapsed) => {
                    targets.unheard(id);
                    read_line(&mut stream, LINE_LIMIT).await
                }
            }
        };
        match line {
            Ok(Some(line)) => {
                let word = decode::<Value>(&line)
                    .ok()
                    .and_then(|event| Word::of(&event));
                if let Some(Word { ready, draining }) = word {
                    heard = true;
                    targets.observe(id, ready, draining);
                }
            }
            Ok(None) | Err(LineError::Io(_) | LineError::TooLong(_)) => return heard,
        }
    }
}

async fn watch(shim: &Path) -> io::Result<BufReader<UnixStream>> {
    let mut stream = UnixStream::connect(shim).await?;
    stream
        .write_all(&encode(&json!({"request": "watch"}))?)
        .await?;
    Ok(BufReader::with_capacity(1024, stream))
}

/// What a line says of readiness; other lines are not for us.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    ready: Option<bool>,
    draining: Option<bool>,
}

impl Word {
    /// Tolerant: the fields may be at the top or under `state`, and a state's name alone tells too.
    fn of(event: &Value) -> Option<Self> {
        let state = event.get("state");
        let flag = |name: &str| {
            event
                .get(name)
                .or_else(|| state?.get(name))
                .and_then(Value::as_bool)
        };
        let over = matches!(
            state.and_then(Value::as_str),
            Some("exited" | "failed" | "stopped" | "stopping")
        );
        let ready = if over { Some(false) } else { flag("ready") };
        let draining = flag("draining");
        (ready.is_some() || draining.is_some()).then_some(Self { ready, draining })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_needs_and_ignores_the_rest() {
        let word = |text: &str| Word::of(&serde_json::from_str(text).unwrap());
        let said = |ready, draining| Some(Word { ready, draining });
        assert_eq!(
            word(r#"{"event":"state","ready":true,"draining":false,"new":1}"#),
            said(Some(true), Some(false))
        );
        assert_eq!(
            word(r#"{"event":"state","state":{"ready":false}}"#),
            said(Some(false), None)
        );
        assert_eq!(
            word(r#"{"event":"state","state":"exited","ready":true}"#),
            said(Some(false), None)
        );
        assert_eq!(
            word(r#"{"event":"state","draining":true}"#),
            said(None, Some(true))
        );
        assert_eq!(word(r#"{"event":"log","ready":"yes"}"#), None);
        assert_eq!(word("[1,2]"), None);
    }
}
