//! `ps`, `logs`, `exec`, `stop`, `start`, `restart`, `scale`, `events`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use base64::Engine as _;
use consort_driver::{LogLine, LogQuery};
use consort_engine::control::{ExecEvent, ExecRequest, ServiceAction};
use consort_model::{Address, Code, Kind, Problem, Timestamp, text};
use futures_util::StreamExt;

use super::{Answer, Session, up};
use crate::args::{Exec, Logs};
use crate::output::Format;

fn one(problem: Problem) -> Vec<Problem> {
    vec![problem]
}

pub(crate) async fn ps(session: &Session) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let services = client.services(&deployment).await?;
    if session.output.format == Format::Json {
        session.output.json(&services);
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = Vec::new();
    for service in &services {
        let ports = service.ports.join(", ");
        if service.instances.is_empty() {
            let status = if service.stopped {
                "stopped"
            } else {
                "nothing runs"
            };
            rows.push(vec![
                service.name.clone(),
                status.into(),
                String::new(),
                String::new(),
                ports.clone(),
            ]);
        }
        for instance in &service.instances {
            let name = instance
                .address
                .to_string()
                .trim_start_matches("services.")
                .to_owned();
            let mut status = instance.phase.clone();
            if instance.restarts > 0 {
                status.push_str(&format!(" (restarted {} times)", instance.restarts));
            }
            if let Some(ended) = &instance.ended {
                status.push_str(&format!(": {ended}"));
            }
            let pid = instance.pid.map_or_else(String::new, |pid| pid.to_string());
            rows.push(vec![
                name,
                status,
                pid,
                instance.version.clone(),
                ports.clone(),
            ]);
        }
    }
    session
        .output
        .table(&["NAME", "STATUS", "PID", "VERSION", "PORTS"], &rows);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn logs(session: &Session, logs: &Logs) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let query = LogQuery {
        of: logs
            .of
            .iter()
            .map(|text| node(text))
            .collect::<Result<_, _>>()
            .map_err(one)?,
        since: logs.since.as_deref().map(since).transpose().map_err(one)?,
        until: None,
        tail: logs.tail,
        follow: logs.follow,
    };
    let mut lines = client.logs(&deployment, &query).await?;
    while let Some(line) = lines.next().await {
        print_line(session, &line.map_err(one)?, logs.timestamps);
    }
    Ok(ExitCode::SUCCESS)
}

/// A service by its name, or an address.
fn node(text: &str) -> Result<Address, Problem> {
    if text.contains(['.', '[']) {
        return text
            .parse()
            .map_err(|error: consort_model::address::AddressError| {
                Problem::new(Code::USAGE, error.to_string())
            });
    }
    let (name, number) = text
        .split_once('#')
        .map_or((text, None), |(name, number)| (name, Some(number)));
    let address = Address::new(Kind::Service, name);
    match number {
        None => Ok(address),
        Some(number) => match number.parse() {
            Ok(number) if number > 0 => Ok(address.instance(number)),
            _ => Err(Problem::new(
                Code::USAGE,
                format!("`{text}`: instances count from 1"),
            )),
        },
    }
}

/// `10m` ago, or a time.
fn since(text: &str) -> Result<Timestamp, Problem> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    if let Ok(span) = text.parse::<consort_model::time::Span>() {
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let ago = i64::try_from(span.millis()).unwrap_or(i64::MAX);
        return Ok(Timestamp::from_millis(now.saturating_sub(ago)));
    }
    Timestamp::parse(text).ok_or_else(|| {
        Problem::new(Code::USAGE, format!("`--since {text}` is neither a span such as `10m` nor a time such as `2026-01-01T12:00:00Z`"))
    })
}

pub(crate) fn print_line(session: &Session, line: &LogLine, timestamps: bool) {
    if session.output.format == Format::Json {
        session
            .output
            .line(serde_json::to_string(line).unwrap_or_default());
        return;
    }
    let name = line.of.to_string();
    let name = name
        .trim_start_matches("services.")
        .trim_start_matches("workloads.");
    let at = if timestamps {
        format!("{} ", line.at)
    } else {
        String::new()
    };
    // A log line must not steer the terminal; a pipe gets it as it is.
    let shown = if session.environment.stdout_terminal {
        text::printable(&line.text, true)
    } else {
        line.text.clone()
    };
    session.output.line(format!("{at}{name} | {shown}"));
}

pub(crate) async fn exec(session: &Session, exec: &Exec) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let stdin = if session.environment.stdin_terminal {
        None
    } else {
        read_stdin().map_err(one)?
    };
    let request = ExecRequest {
        service: exec.service.clone(),
        index: exec.index,
        command: exec.command.clone(),
        stdin,
    };
    let mut events = client.exec(&deployment, &request).await?;
    while let Some(event) = events.next().await {
        match event.map_err(one)? {
            ExecEvent::Stdout(data) => write_raw(&mut std::io::stdout(), &data),
            ExecEvent::Stderr(data) => write_raw(&mut std::io::stderr(), &data),
            ExecEvent::Exit(code) => {
                return Ok(ExitCode::from(
                    u8::try_from(code.rem_euclid(256)).unwrap_or(1),
                ));
            }
        }
    }
    Err(vec![Problem::new(
        Code::SERVER_UNREACHABLE,
        "the command ended without an exit code",
    )])
}

fn read_stdin() -> Result<Option<String>, Problem> {
    use std::io::Read;
    let mut text = String::new();
    let limit = 4 << 20;
    let read = std::io::stdin().take(limit + 1).read_to_string(&mut text);
    read.map_err(|error| {
        Problem::new(Code::USAGE, "standard input cannot be read as text").caused_by(&error)
    })?;
    if text.len() as u64 > limit {
        return Err(Problem::new(
            Code::REQUEST_TOO_LARGE,
            "standard input of `exec` may have 4 MiB",
        ));
    }
    Ok((!text.is_empty()).then_some(text))
}

fn write_raw(to: &mut dyn Write, data: &str) {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(data)
        .unwrap_or_default();
    // A reader that is gone does not want more.
    let _ = to.write_all(&bytes).and_then(|()| to.flush());
}

pub(crate) async fn act(session: &Session, action: ServiceAction, services: &[String]) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let run = client.service_action(&deployment, action, services).await?;
    up::watch(session, &client, run, None).await
}

pub(crate) async fn scale(session: &Session, replicas: &[String]) -> Answer {
    let mut numbers = BTreeMap::new();
    for text in replicas {
        let read = text
            .split_once('=')
            .and_then(|(name, number)| Some((name.to_owned(), number.parse().ok()?)));
        let (name, number) = read.ok_or_else(|| {
            vec![Problem::new(
                Code::USAGE,
                format!("`{text}` is not of the form SERVICE=NUMBER"),
            )]
        })?;
        numbers.insert(name, number);
    }
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let run = client.scale(&deployment, numbers).await?;
    up::watch(session, &client, run, None).await
}

pub(crate) async fn events(session: &Session) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let mut feed = client.feed(Some(&deployment)).await?;
    while let Some(event) = feed.next().await {
        let event = event.map_err(one)?;
        if session.output.format == Format::Json {
            session
                .output
                .line(serde_json::to_string(&event).unwrap_or_default());
        } else {
            session.output.line(format!(
                "{} {} {}",
                event.at,
                event.subject,
                text::printable(&event.text, false)
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
