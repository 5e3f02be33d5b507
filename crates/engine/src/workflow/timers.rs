//! Fires timers: all that are due, in the order of `(due, run, timer)`. Sleeps at most a minute, so
//! that a change of the wall clock is noticed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use consort_journal::{Batch, Timer, TimerChange};
use consort_model::id::TimerId;
use consort_model::revision::Principal;
use consort_model::run::RunKind;
use consort_model::{Code, Problem};
use consort_workflow::Input;
use tokio_util::sync::CancellationToken;

use super::host::{Host, delivered, is_passing};
use crate::clock;
use crate::engine::Engine;

/// So many timers are fired at once: after a long stop they come in slices.
const PAGE: u32 = 256;
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// Fires timers.
pub(super) async fn dispatch(engine: Arc<Engine>, host: Arc<Host>, stop: CancellationToken) {
    let mut foreign = BTreeSet::new();
    loop {
        let wait = match fire(&engine, &host, &mut foreign).await {
            Ok(wait) => wait,
            Err(problem) => {
                tracing::warn!(%problem, "timers wait");
                PAUSE
            }
        };
        // Each arm is cancel-safe: a notice that came before is kept.
        tokio::select! {
            () = stop.cancelled() => return,
            () = host.timer.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Fires what is due; how long to sleep then.
async fn fire(
    engine: &Arc<Engine>,
    host: &Arc<Host>,
    foreign: &mut BTreeSet<TimerId>,
) -> Result<Duration, Problem> {
    let due = engine.store.timer_due(clock::now(), PAGE).await?;
    if due.is_empty() {
        let next = engine.store.timer_next().await?;
        let wait = next.map_or(LONGEST_SLEEP, |next| next.since(clock::now()).to_std());
        return Ok(wait.min(LONGEST_SLEEP));
    }
    let mut sent = Vec::new();
    for timer in &due {
        if foreign.contains(&timer.timer) {
            continue;
        }
        let row = engine.store.run_get(timer.run).await?;
        match row.map(|row| row.summary) {
            Some(run) if run.kind == RunKind::Workflow && !run.status.is_ended() => {
                let input = Input::TimerFired { timer: timer.timer };
                sent.push(host.send(engine, timer.run, input));
            }
            Some(run) if !run.status.is_ended() => {
                // Timers of other machines are theirs to fire.
                foreign.insert(timer.timer);
            }
            _ => clear(engine, timer).await?,
        }
    }
    let idle = sent.is_empty();
    for answer in sent {
        match delivered(answer.await) {
            Err(problem) if is_passing(&problem) => return Err(problem),
            // It has been logged where it went wrong; the timer stays for the next look.
            Err(problem) if problem.code != Code::JOURNAL_FENCED => return Ok(PAUSE),
            Err(problem) => return Err(problem),
            Ok(()) => {}
        }
    }
    Ok(if idle { PAUSE } else { Duration::ZERO })
}

async fn clear(engine: &Engine, timer: &Timer) -> Result<(), Problem> {
    let mut batch = Batch::new(Principal::system(), clock::now());
    batch.timers.push(TimerChange::Clear {
        run: timer.run,
        timer: timer.timer,
    });
    engine.store.append(batch).await?;
    Ok(())
}
