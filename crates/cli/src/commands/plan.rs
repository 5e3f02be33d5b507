//! `plan`, and what `up` shares with it.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use consort_engine::control::PlanRequest;
use consort_model::plan::{Mode, Plan as MadePlan};
use consort_model::{Address, Code, Digest, Problem, Value};
use serde::{Deserialize, Serialize};

use super::{Answer, Session};
use crate::args::{Plan, Planning};
use crate::bundle::{Build, Bundled};
use crate::output::Format;

pub(crate) async fn plan(session: &Session, plan: &Plan) -> Answer {
    let client = session.client().await.map_err(|problem| vec![problem])?;
    let request = if plan.destroy {
        let deployment = session.deployment()?;
        let mode = Mode::Destroy { volumes: false };
        PlanRequest {
            deployment,
            bundle: None,
            inputs: BTreeMap::new(),
            mode,
            only: Vec::new(),
            replace: Vec::new(),
            refresh: true,
        }
    } else {
        // Nothing is built in silence: what was not built is known after the build.
        let build = if plan.planning.build {
            Build::Always
        } else {
            Build::Never
        };
        let bundled = crate::bundle::prepare(session, &client, build).await?;
        let mode = if plan.refresh_only {
            Mode::RefreshOnly
        } else {
            Mode::Apply
        };
        make_request(session, &plan.planning, bundled, mode)?
    };
    let kept = client.plan(&request).await?;
    if let Some(file) = &plan.out {
        PlanFile {
            format: 1,
            digest: kept.digest,
            plan: Some(kept.plan.clone()),
        }
        .write(file)
        .map_err(|problem| vec![problem])?;
        session.output.note(format!(
            "Kept as {}; `consort up {}` carries out exactly this plan.",
            file.display(),
            file.display()
        ));
    }
    match session.output.format {
        Format::Json => session.output.json(&kept),
        Format::Text => {
            let style = consort_planner::present::Style {
                colour: session.output.color,
                ..Default::default()
            };
            session
                .output
                .text(consort_planner::present::render(&kept.plan, &style));
        }
    }
    let changes = !kept.plan.is_empty();
    Ok(if plan.detailed_exitcode && changes {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

/// Shows a plan that is about to be carried out, on standard error.
pub(crate) fn show(session: &Session, plan: &MadePlan) {
    let style = consort_planner::present::Style {
        colour: session.output.live,
        ..Default::default()
    };
    session
        .output
        .note(consort_planner::present::render(plan, &style).trim_end());
}

/// The request for a plan of a bundle.
pub(crate) fn make_request(
    session: &Session,
    planning: &Planning,
    bundled: Bundled,
    mode: Mode,
) -> Result<PlanRequest, Vec<Problem>> {
    Ok(PlanRequest {
        deployment: bundled.name,
        bundle: Some(bundled.digest),
        inputs: inputs(session, planning).map_err(|problem| vec![problem])?,
        mode,
        only: addresses(&planning.only)?,
        replace: addresses(&planning.replace)?,
        refresh: !planning.no_refresh,
    })
}

fn addresses(texts: &[String]) -> Result<Vec<Address>, Vec<Problem>> {
    let (read, wrong): (Vec<_>, Vec<_>) = texts
        .iter()
        .map(|text| text.parse::<Address>())
        .partition(Result::is_ok);
    let problems: Vec<Problem> = wrong
        .into_iter()
        .filter_map(Result::err)
        .map(|error| Problem::new(Code::USAGE, error.to_string()))
        .collect();
    if problems.is_empty() {
        Ok(read.into_iter().filter_map(Result::ok).collect())
    } else {
        Err(problems)
    }
}

/// Values of inputs: files first, then the environment, then the command line.
fn inputs(session: &Session, planning: &Planning) -> Result<BTreeMap<String, Value>, Problem> {
    let mut values = BTreeMap::new();
    for file in &planning.inputs.inputs {
        let text = std::fs::read(file).map_err(|error| {
            Problem::new(
                Code::FILE_UNREADABLE,
                format!("{} cannot be read", file.display()),
            )
            .caused_by(&error)
        })?;
        values.extend(crate::bundle::read_values(&text, file)?);
    }
    for (name, value) in &session.environment.variables {
        if let Some(input) = name.strip_prefix("CONSORT_INPUT_") {
            values.insert(input.to_owned(), Value::String(value.clone()));
        }
    }
    for text in &planning.inputs.input {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Problem::new(
                Code::USAGE,
                format!("`--input {text}` has no `=`; write `--input NAME=VALUE`"),
            )
        })?;
        values.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    Ok(values)
}

/// A plan file: the digest, and a copy for people.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PlanFile {
    /// The version of this form.
    pub(crate) format: u32,
    /// What is carried out is what the server keeps under it.
    pub(crate) digest: Digest,
    /// The copy.
    #[serde(default)]
    pub(crate) plan: Option<MadePlan>,
}

impl PlanFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let unreadable = |error: &(dyn std::error::Error + 'static)| {
            Problem::new(
                Code::FILE_UNREADABLE,
                format!("{} cannot be read", path.display()),
            )
            .caused_by(error)
        };
        let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
        let file: Self = serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("{} is no plan file", path.display());
            Problem::new(Code::PLAN_TAMPERED, message).caused_by(&error)
        })?;
        if file.format != 1 {
            let message = format!(
                "{} is of form {}, this version reads form 1",
                path.display(),
                file.format
            );
            return Err(Problem::new(Code::PLAN_UNKNOWN, message));
        }
        Ok(file)
    }

    fn write(&self, path: &Path) -> Result<(), Problem> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            Problem::new(
                Code::FILE_UNREADABLE,
                format!("{} cannot be written", path.display()),
            )
            .caused_by(error)
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(&error))?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(&error))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| failed(&error))
    }
}
