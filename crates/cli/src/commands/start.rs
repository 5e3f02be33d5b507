//! `workflow`, `workload`, `job`, `estimate`.

use std::process::ExitCode;

use consort_engine::control::WorkloadReport;
use consort_model::{Address, Code, Kind, Problem, Value};
use consort_server::client::{Client, Start};

use super::{Answer, Session, runs, up};
use crate::args::{JobCommand, WorkflowCommand, WorkloadCommand};
use crate::output::Format;

fn one(problem: Problem) -> Vec<Problem> {
    vec![problem]
}

pub(crate) async fn workflow(session: &Session, command: &WorkflowCommand) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    match command {
        WorkflowCommand::List => {
            let entries = client.state_list(&deployment).await?;
            let workflows: Vec<_> = entries
                .iter()
                .filter(|entry| entry.address.kind() == Kind::Workflow)
                .collect();
            if session.output.format == Format::Json {
                session.output.json(&workflows);
                return Ok(ExitCode::SUCCESS);
            }
            let rows: Vec<Vec<String>> = workflows
                .iter()
                .map(|entry| {
                    let digest = entry
                        .attributes()
                        .and_then(|a| a.get("digest"))
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    let exposed = entry
                        .object
                        .as_ref()
                        .and_then(|object| object.desired.get("expose"));
                    let exposed = exposed
                        .filter(|value| !value.is_null())
                        .map_or_else(String::new, Value::to_string);
                    vec![
                        entry.address.name().to_owned(),
                        digest.chars().take(12).collect(),
                        exposed,
                    ]
                })
                .collect();
            session
                .output
                .table(&["WORKFLOW", "DEFINITION", "EXPOSED"], &rows);
            Ok(ExitCode::SUCCESS)
        }
        WorkflowCommand::Start {
            name,
            input,
            detach,
        } => {
            let input: Value = serde_json::from_str(input).map_err(|error| {
                one(Problem::new(Code::USAGE, "`--input` is not JSON").caused_by(&error))
            })?;
            let address = Address::new(Kind::Workflow, name);
            begin(
                session,
                &client,
                &deployment,
                &address,
                &input,
                None,
                *detach,
            )
            .await
        }
    }
}

pub(crate) async fn job(session: &Session, command: &JobCommand) -> Answer {
    let JobCommand::Start { name, detach } = command;
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let address = Address::new(Kind::Job, name);
    begin(
        session,
        &client,
        &deployment,
        &address,
        &Value::Null,
        None,
        *detach,
    )
    .await
}

pub(crate) async fn workload(session: &Session, command: &WorkloadCommand) -> Answer {
    let client = session.client().await.map_err(one)?;
    match command {
        WorkloadCommand::Report { run } => {
            let report = client.workload_report(runs::id(run)?).await?;
            tell(session, &report);
            Ok(ExitCode::SUCCESS)
        }
        WorkloadCommand::Start {
            name,
            deadline,
            detach,
        } => {
            let deployment = session.deployment()?;
            let address = Address::new(Kind::Workload, name);
            begin(
                session,
                &client,
                &deployment,
                &address,
                &Value::Null,
                deadline.as_deref(),
                *detach,
            )
            .await
        }
    }
}

async fn begin(
    session: &Session,
    client: &Client,
    deployment: &str,
    address: &Address,
    input: &Value,
    deadline: Option<&str>,
    detach: bool,
) -> Answer {
    let answer = client
        .start(
            deployment,
            Start {
                address,
                input,
                deadline,
                estimate_only: false,
                key: None,
            },
        )
        .await?;
    let Some(run) = answer.run else {
        return Ok(ExitCode::SUCCESS);
    };
    if detach {
        match session.output.format {
            Format::Json => session.output.json(&answer),
            Format::Text => session.output.line(run.to_string()),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let code = up::watch(session, client, run, None).await?;
    if address.kind() == Kind::Workload && session.output.format == Format::Text {
        tell(session, &client.workload_report(run).await?);
    } else if session.output.format == Format::Text
        && let Some(output) = client.run_detail(run).await?.output
    {
        session.output.line(output.to_string());
    }
    Ok(code)
}

pub(crate) async fn estimate(
    session: &Session,
    workload: Option<&str>,
    deadline: Option<&str>,
) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let names: Vec<String> = match workload {
        Some(name) => vec![name.to_owned()],
        None => {
            let entries = client.state_list(&deployment).await?;
            let of = entries
                .iter()
                .filter(|entry| entry.address.kind() == Kind::Workload);
            of.map(|entry| entry.address.name().to_owned()).collect()
        }
    };
    if names.is_empty() {
        return Err(one(Problem::new(
            Code::NODE_UNKNOWN,
            format!("`{deployment}` has no workloads"),
        )));
    }
    for name in names {
        let address = Address::new(Kind::Workload, &name);
        let start = Start {
            address: &address,
            input: &Value::Null,
            deadline,
            estimate_only: true,
            key: None,
        };
        if let Some(report) = client.start(&deployment, start).await?.workload {
            tell(session, &report);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(session: &Session, report: &WorkloadReport) {
    let out = &session.output;
    if out.format == Format::Json {
        out.json(report);
        return;
    }
    let fleet: Vec<String> = report
        .fleet
        .iter()
        .map(|(name, count)| format!("{count} x {name}"))
        .collect();
    out.line(format!("{}: {}", report.workload, report.objective));
    out.line(format!("  fleet    {}", fleet.join(", ")));
    out.line(format!(
        "  planned  {} for {} (list price, not billed)",
        report.planned.0, report.planned.1
    ));
    if let Some((time, cost)) = &report.actual {
        out.line(format!("  actual   {time} for {cost}"));
    }
    if let Err(why) = &report.enforced {
        out.line(format!(
            "  shares of processors are not enforced here: {why}"
        ));
    }
    let rows: Vec<Vec<String>> = report
        .tasks
        .iter()
        .map(|task| {
            let span = |pair: &(consort_model::time::Span, consort_model::time::Span)| {
                format!("{} to {}", pair.0, pair.1)
            };
            let actual = task.actual.as_ref().map_or_else(String::new, span);
            vec![
                task.task.clone(),
                task.node_type.clone(),
                span(&task.planned),
                actual,
                task.status.clone(),
            ]
        })
        .collect();
    out.table(&["TASK", "ON", "PLANNED", "ACTUAL", "STATUS"], &rows);
}
