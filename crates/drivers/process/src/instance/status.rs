//! What a shim says, as the engine sees it.

use std::net::IpAddr;

use consort_driver::{InstanceStatus, Phase};
use consort_model::Timestamp;
use consort_shim::Found;
use consort_shim::protocol::{Health, State, Status};
use consort_shim::record::Exit;

use super::InstanceRecord;

/// The status of an instance from what was found of it.
pub(crate) fn status_of(record: &InstanceRecord, found: &Found) -> InstanceStatus {
    match found {
        Found::Alive { status, .. } => alive(record, status),
        Found::Exited(exit) => over(record, exit),
        Found::ShimLost { pid } => InstanceStatus {
            pid: u32::try_from(*pid).ok(),
            ..of(record, Phase::Running)
        },
        // A shim that is just beginning, or too busy to answer: it may run.
        Found::Stuck { .. } => of(record, Phase::Starting),
        Found::Gone { reason } => InstanceStatus {
            ended: Some(reason.clone()),
            ..of(record, Phase::Exited)
        },
        Found::OtherBoot => InstanceStatus {
            ended: Some("the machine was booted since".into()),
            ..of(record, Phase::Exited)
        },
    }
}

fn of(record: &InstanceRecord, phase: Phase) -> InstanceStatus {
    InstanceStatus {
        address: record.address.clone(),
        id: record.id.clone(),
        version: record.version,
        phase,
        pid: None,
        restarts: 0,
        ip: Some(IpAddr::V4(record.ip)),
        started: None,
        ended: None,
        exit_code: None,
        draining: false,
    }
}

/// The status from the word of a living shim.
pub(super) fn alive(record: &InstanceRecord, status: &Status) -> InstanceStatus {
    let phase = match status.state {
        State::Starting => Phase::Starting,
        State::Running => match status.health {
            Health::Unhealthy => Phase::Unhealthy,
            Health::Starting => Phase::Running,
            Health::None | Health::Healthy => Phase::Ready,
        },
        State::Stopping => Phase::Stopping,
        State::Backoff => Phase::BackingOff,
        State::Exited => Phase::Exited,
        State::Failed => Phase::Failed,
    };
    let last = status.exit.as_ref().or(match phase {
        Phase::BackingOff => status.last_exit.as_ref(),
        _ => None,
    });
    InstanceStatus {
        pid: status.pid.and_then(|pid| u32::try_from(pid).ok()),
        restarts: u32::try_from(status.restarts).unwrap_or(u32::MAX),
        started: status.started_at.as_deref().and_then(Timestamp::parse),
        ended: last.map(|exit| ended(exit, None)),
        exit_code: last.and_then(own_exit_code),
        draining: status.draining,
        ..of(record, phase)
    }
}

fn over(record: &InstanceRecord, exit: &Exit) -> InstanceStatus {
    let phase = if exit.failed {
        Phase::Failed
    } else {
        Phase::Exited
    };
    InstanceStatus {
        started: started(exit),
        ended: Some(ended(exit, None)),
        exit_code: own_exit_code(exit),
        restarts: u32::try_from(exit.restarts).unwrap_or(u32::MAX),
        draining: exit.stopped,
        ..of(record, phase)
    }
}

fn own_exit_code(exit: &Exit) -> Option<i32> {
    exit.code.filter(|_| !exit.stopped)
}

/// When the run that ended began.
pub(crate) fn started(exit: &Exit) -> Option<Timestamp> {
    Timestamp::parse(&exit.started_at)
}

/// `exit code 1`, `signal SIGKILL (out of memory)`, `took longer than 5m0s`.
pub(crate) fn ended(exit: &Exit, limit: Option<consort_model::time::Span>) -> String {
    let mut text = if exit.timed_out {
        match limit {
            Some(limit) => format!("took longer than {limit}"),
            None => "took longer than its limit".to_owned(),
        }
    } else if let Some(error) = &exit.error {
        error.clone()
    } else if let Some(code) = exit.code {
        format!("exit code {code}")
    } else if let Some(signal) = exit.signal {
        format!("signal {}", signal_name(signal))
    } else {
        "it is not known how it ended".to_owned()
    };
    if exit.oom {
        text.push_str(" (out of memory)");
    }
    text
}

fn signal_name(number: i32) -> String {
    let names = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (31, "SIGSYS"),
    ];
    let found = names.iter().find(|(known, _)| *known == number);
    found.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let code = |code| Exit {
            code: Some(code),
            ..Exit::default()
        };
        let killed = Exit {
            signal: Some(9),
            oom: true,
            ..Exit::default()
        };
        let late = Exit {
            signal: Some(15),
            timed_out: true,
            ..Exit::default()
        };
        let limit = consort_model::time::Span::from_secs(300);
        assert_eq!(ended(&code(1), None), "exit code 1");
        assert_eq!(ended(&killed, None), "signal SIGKILL (out of memory)");
        assert_eq!(ended(&late, Some(limit)), "took longer than 5m0s");
        assert_eq!(
            ended(
                &Exit {
                    unknown: true,
                    ..Exit::default()
                },
                None
            ),
            "it is not known how it ended"
        );
    }
}
