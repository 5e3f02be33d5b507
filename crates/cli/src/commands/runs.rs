//! `runs`.

use std::process::ExitCode;

use consort_model::id::RunId;
use consort_model::{Code, Problem, Timestamp};

use super::{Answer, Session, up};
use crate::args::RunsCommand;
use crate::output::Format;

pub(crate) async fn runs(session: &Session, command: &RunsCommand) -> Answer {
    let client = session.client().await.map_err(|problem| vec![problem])?;
    match command {
        RunsCommand::List { all, limit } => {
            let deployment = if *all {
                None
            } else {
                Some(session.deployment()?)
            };
            let runs = client.run_list(deployment.as_deref(), *limit).await?;
            if session.output.format == Format::Json {
                session.output.json(&runs);
                return Ok(ExitCode::SUCCESS);
            }
            let rows: Vec<Vec<String>> = runs
                .iter()
                .map(|run| {
                    let of = run
                        .subject
                        .as_ref()
                        .map_or_else(|| run.deployment.clone(), ToString::to_string);
                    let took = run
                        .ended
                        .map_or_else(|| "…".into(), |ended| ended.since(run.created).to_string());
                    vec![
                        run.id.to_string(),
                        run.kind.word().into(),
                        of,
                        run.status.word().into(),
                        time(run.created),
                        took,
                    ]
                })
                .collect();
            session
                .output
                .table(&["RUN", "KIND", "OF", "STATUS", "BEGAN", "TOOK"], &rows);
        }
        RunsCommand::Show { run } => {
            let detail = client.run_detail(id(run)?).await?;
            if session.output.format == Format::Json {
                session.output.json(&detail);
                return Ok(ExitCode::SUCCESS);
            }
            let summary = &detail.summary;
            session.output.line(format!(
                "{} {} of {}: {}",
                summary.kind.word(),
                summary.id,
                summary.deployment,
                summary.status.word()
            ));
            session.output.line(format!(
                "began {} by {}",
                summary.created, summary.principal.0
            ));
            let rows: Vec<Vec<String>> = detail
                .steps
                .iter()
                .map(|step| {
                    let took = step
                        .started
                        .zip(step.ended)
                        .map_or_else(String::new, |(from, to)| to.since(from).to_string());
                    vec![
                        step.step.clone(),
                        step.status.clone(),
                        took,
                        step.detail.clone().unwrap_or_default(),
                    ]
                })
                .collect();
            if !rows.is_empty() {
                session.output.line("");
                session.output.table(&["STEP", "STATUS", "TOOK", ""], &rows);
            }
            if let Some(output) = &detail.output {
                session.output.line(format!("\noutput: {output}"));
            }
            session.output.problems(&detail.problems);
        }
        RunsCommand::Watch { run } => return up::watch(session, &client, id(run)?, None).await,
        RunsCommand::Cancel { run, now } => client.run_cancel(id(run)?, *now).await?,
        RunsCommand::Resume { run } => {
            let run = id(run)?;
            client.run_resume(run).await?;
            return up::watch(session, &client, run, None).await;
        }
        RunsCommand::Resolve {
            run,
            step,
            happened,
            ..
        } => client.run_resolve(id(run)?, step, *happened).await?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn id(text: &str) -> Result<RunId, Vec<Problem>> {
    text.parse().map_err(|error: consort_model::id::IdError| {
        vec![Problem::new(Code::USAGE, error.to_string())]
    })
}

/// To the second: what people compare.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_string()
        .get(..19)
        .map(|text| text.replace('T', " "))
        .unwrap_or_default()
}
