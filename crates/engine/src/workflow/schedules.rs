//! Starts workflows by the clock. A tick is known by its nominal time, which is the key of its run:
//! it starts once, also over restarts. Of the ticks that were missed only the last one is made up
//! for.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use consort_journal::{RunFilter, RuntimeChange, StartKey};
use consort_model::revision::Principal;
use consort_model::run::RunKind;
use consort_model::time::Span;
use consort_model::{Digest, Problem, Timestamp, Value};
use consort_workflow::Schedule;
use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::begin::{Begin, begin};
use super::host::Host;
use super::registered::Registered;
use crate::clock;
use crate::engine::Engine;

const LONGEST_SLEEP: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
/// Runs are started at least this far apart: a schedule of nothing would never rest.
const SHORTEST: Span = Span::from_millis(10);

/// When a workflow is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    /// The tick that has come and was not started.
    now: Option<Timestamp>,
    /// The one after it.
    next: Option<Timestamp>,
}

/// Starts what is due.
pub(super) async fn dispatch(engine: Arc<Engine>, host: Arc<Host>, stop: CancellationToken) {
    loop {
        let wait = match tick(&engine, &host).await {
            Ok(Some(next)) => next.since(clock::now()).to_std().min(LONGEST_SLEEP),
            Ok(None) => LONGEST_SLEEP,
            Err(problem) => {
                tracing::warn!(%problem, "schedules wait");
                PAUSE
            }
        };
        // Each arm is cancel-safe: a notice that came before is kept.
        tokio::select! {
            () = stop.cancelled() => return,
            () = host.schedule.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Starts what is due in all deployments; when to look again.
async fn tick(engine: &Arc<Engine>, host: &Arc<Host>) -> Result<Option<Timestamp>, Problem> {
    let mut next: Option<Timestamp> = None;
    for deployment in engine.store.deployment_list().await? {
        let known = host.registered(engine, &deployment.name).await?;
        for workflow in known.usable() {
            let Some(schedule) = workflow.definition.schedule() else {
                continue;
            };
            let due = due(engine, &deployment.name, workflow, schedule).await?;
            if let Some(tick) = due.now
                && let Err(problem) = start(engine, host, &deployment.name, workflow, tick).await
            {
                tracing::error!(workflow = %workflow.address, %problem, "a scheduled run did not start");
                next = soonest(next, Some(clock::now().plus(Span::from_secs(1))));
            }
            next = soonest(next, due.next);
        }
    }
    Ok(next)
}

fn soonest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn scope(deployment: &str) -> String {
    format!("workflow-schedules/{deployment}")
}

async fn due(
    engine: &Engine,
    deployment: &str,
    workflow: &Registered,
    schedule: &Schedule,
) -> Result<Due, Problem> {
    let now = clock::now();
    if let Schedule::On(_) = schedule {
        return Ok(Due {
            now: None,
            next: None,
        });
    }
    let key = workflow.address.to_string();
    let last = engine.store.runtime_get(&scope(deployment), &key).await?;
    let last = last
        .and_then(|value| value.as_i64())
        .map(Timestamp::from_millis);
    let since = last.map_or(workflow.changed, |last| last.max(workflow.changed));
    Ok(match schedule {
        Schedule::Every(span) => every(*span, workflow.changed, since, now),
        Schedule::Cron(text) => cron(text, since, now),
        Schedule::After(span) => after(engine, deployment, workflow, *span, last).await?,
        Schedule::On(_) => Due {
            now: None,
            next: None,
        },
    })
}

/// Ticks at whole intervals after the workflow was registered.
fn every(span: Span, base: Timestamp, since: Timestamp, now: Timestamp) -> Due {
    let step = i64::try_from(span.max(SHORTEST).millis()).unwrap_or(i64::MAX);
    let passed = (now.millis() - base.millis()).max(0) / step;
    let at = |count: i64| {
        Timestamp::from_millis(base.millis().saturating_add(step.saturating_mul(count)))
    };
    let tick = (passed > 0).then(|| at(passed));
    Due {
        now: tick.filter(|tick| *tick > since),
        next: Some(at(passed + 1)),
    }
}

/// Five fields, in UTC.
fn cron(text: &str, since: Timestamp, now: Timestamp) -> Due {
    let none = Due {
        now: None,
        next: None,
    };
    let Ok(cron) = Cron::from_str(text) else {
        tracing::error!(cron = %text, "a schedule cannot be read");
        return none;
    };
    let Some(zoned) = zoned(now) else { return none };
    let time = |found: Zoned| Timestamp::from_millis(found.timestamp().as_millisecond());
    let tick = cron
        .find_previous_occurrence(&zoned, true)
        .ok()
        .map(time)
        .filter(|tick| *tick > since);
    Due {
        now: tick,
        next: cron.find_next_occurrence(&zoned, false).ok().map(time),
    }
}

fn zoned(time: Timestamp) -> Option<Zoned> {
    let stamp = jiff::Timestamp::from_millisecond(time.millis()).ok()?;
    Some(stamp.to_zoned(TimeZone::UTC))
}

/// The first run at once, each other so long after the end of the one before.
async fn after(
    engine: &Engine,
    deployment: &str,
    workflow: &Registered,
    span: Span,
    last: Option<Timestamp>,
) -> Result<Due, Problem> {
    let runs = engine.store.run_list(RunFilter {
        deployment: Some(deployment.to_owned()),
        kind: Some(RunKind::Workflow),
        subject: Some(workflow.address.clone()),
        limit: Some(1),
        ..RunFilter::default()
    });
    let before = runs.await?.into_iter().next();
    let due = match before.map(|row| row.summary) {
        None => workflow.changed,
        Some(run) if !run.status.is_ended() => {
            return Ok(Due {
                now: None,
                next: None,
            });
        }
        Some(run) => run
            .ended
            .unwrap_or(run.created)
            .plus(span.max(SHORTEST))
            .max(workflow.changed),
    };
    let is_new = last.is_none_or(|last| due > last);
    let has_come = due <= clock::now();
    Ok(Due {
        now: (has_come && is_new).then_some(due),
        next: (!has_come).then_some(due),
    })
}

async fn start(
    engine: &Arc<Engine>,
    host: &Arc<Host>,
    deployment: &str,
    workflow: &Registered,
    tick: Timestamp,
) -> Result<(), Problem> {
    let identity = format!(
        "schedule:{deployment}:{}:{}",
        workflow.address,
        tick.millis()
    );
    let key = StartKey {
        digest: Digest::of(identity.as_bytes()),
        key: identity,
    };
    let fact = RuntimeChange {
        scope: scope(deployment),
        key: workflow.address.to_string(),
        value: Some(tick.millis().into()),
    };
    let run = Begin::new(deployment, workflow, Value::Null, Principal::system())
        .key(key)
        .fact(fact);
    begin(engine, host, run).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn an_interval_ticks_from_its_registration_and_makes_up_for_one() {
        let minute = Span::from_secs(60);
        let due = |since, now| every(minute, at(10), at(since), at(now));
        assert_eq!(due(10, 69).now, None);
        assert_eq!(due(10, 69).next, Some(at(70)));
        assert_eq!(due(10, 75).now, Some(at(70)));
        assert_eq!(due(70, 75).now, None);
        assert_eq!(
            due(70, 400).now,
            Some(at(370)),
            "one for all that were missed"
        );
    }

    #[test]
    fn cron_ticks_in_utc_and_not_before_it_was_registered() {
        let day = 86_400;
        let due = |since, now| cron("0 2 * * *", at(since), at(now));
        assert_eq!(due(day, day + 7_199).now, None);
        assert_eq!(due(day, day + 7_199).next, Some(at(day + 7_200)));
        assert_eq!(due(day, day + 7_205).now, Some(at(day + 7_200)));
        assert_eq!(due(day + 7_200, day + 7_300).now, None);
    }
}
