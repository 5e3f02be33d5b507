//! `output`, `state`, `describe`, `drift`.

use std::process::ExitCode;

use consort_model::plan::Difference;
use consort_model::{Address, Code, Problem, Value, secret};

use super::{Answer, Session};
use crate::args::StateCommand;
use crate::output::Format;

fn one(problem: Problem) -> Vec<Problem> {
    vec![problem]
}

fn address(text: &str) -> Result<Address, Vec<Problem>> {
    text.parse()
        .map_err(|error: consort_model::address::AddressError| {
            vec![Problem::new(Code::USAGE, error.to_string())]
        })
}

fn shown(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    consort_model::text::printable(&secret::masked(&text), false)
}

pub(crate) async fn outputs(session: &Session, name: Option<&str>) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let outputs = client.outputs(&deployment, name).await?;
    if let Some(name) = name {
        let found = outputs
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value);
        let names = outputs.iter().map(|(name, _)| name.as_str());
        let near =
            consort_model::text::nearest(name, names).map(|near| format!("Did you mean `{near}`?"));
        let value = found.ok_or_else(|| {
            let problem = Problem::new(Code::NODE_UNKNOWN, format!("there is no output `{name}`"));
            vec![near.map_or(problem.clone(), |near| problem.remedy(near))]
        })?;
        match session.output.format {
            Format::Json => session.output.json(value),
            // Asked for by name: the value itself, for scripts.
            Format::Text => session.output.line(
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            ),
        }
        return Ok(ExitCode::SUCCESS);
    }
    match session.output.format {
        Format::Json => session
            .output
            .json(&outputs.into_iter().collect::<consort_model::Object>()),
        Format::Text => outputs
            .iter()
            .for_each(|(name, value)| session.output.line(format!("{name} = {}", shown(value)))),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn state(session: &Session, command: &StateCommand) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let entries = client.state_list(&deployment).await?;
    match command {
        StateCommand::List if session.output.format == Format::Json => {
            session.output.json(&entries)
        }
        StateCommand::List => {
            let rows: Vec<Vec<String>> = entries
                .iter()
                .map(|entry| {
                    let id = entry
                        .object
                        .as_ref()
                        .map_or_else(|| "(none)".into(), |object| object.id.clone());
                    vec![
                        entry.address.to_string(),
                        entry.type_name.clone(),
                        entry.generation.to_string(),
                        id,
                    ]
                })
                .collect();
            session
                .output
                .table(&["ADDRESS", "TYPE", "GENERATION", "ID"], &rows);
        }
        StateCommand::Show { address: text } => {
            let wanted = address(text)?;
            let entry = entries
                .iter()
                .find(|entry| entry.address == wanted)
                .ok_or_else(|| {
                    let names: Vec<String> = entries
                        .iter()
                        .map(|entry| entry.address.to_string())
                        .collect();
                    let near = consort_model::text::nearest(text, names.iter().map(String::as_str));
                    let problem = Problem::new(
                        Code::NODE_UNKNOWN,
                        format!("nothing is recorded of `{wanted}`"),
                    );
                    vec![near.map_or(problem.clone(), |near| {
                        problem.remedy(format!("Did you mean `{near}`?"))
                    })]
                })?;
            match session.output.format {
                Format::Json => session.output.json(entry),
                Format::Text => {
                    session.output.line(format!(
                        "{} ({}, {})",
                        entry.address, entry.type_name, entry.generation
                    ));
                    attributes(session, entry.attributes());
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn attributes(session: &Session, attributes: Option<&Value>) {
    for (name, value) in attributes.and_then(Value::as_object).into_iter().flatten() {
        session.output.line(format!("  {name} = {}", shown(value)));
    }
}

pub(crate) async fn describe(session: &Session, text: &str) -> Answer {
    let address = address(text)?;
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let found = client.describe(&deployment, &address).await?;
    if session.output.format == Format::Json {
        session.output.json(&found);
        return Ok(ExitCode::SUCCESS);
    }
    let out = &session.output;
    out.line(found.address.to_string());
    if let Some(entry) = &found.recorded {
        out.line(format!(
            "  type       {} by {}",
            entry.type_name, entry.driver
        ));
        out.line(format!(
            "  generation {}, changed {}",
            entry.generation, entry.changed
        ));
        out.line("\nattributes");
        attributes(session, entry.attributes());
    }
    if let Some(service) = &found.service {
        out.line(format!(
            "\ninstances ({} of {} ready)",
            service.ready, service.replicas
        ));
        for instance in &service.instances {
            let ended = instance
                .ended
                .as_ref()
                .map_or_else(String::new, |ended| format!(": {ended}"));
            out.line(format!("  {} {}{ended}", instance.id, instance.phase));
        }
    }
    for (title, list) in [
        ("depends on", &found.depends_on),
        ("needed by", &found.dependents),
    ] {
        if !list.is_empty() {
            out.line(format!("\n{title}"));
            list.iter()
                .for_each(|address| out.line(format!("  {address}")));
        }
    }
    if !found.runs.is_empty() {
        out.line("\nlast runs");
        for run in &found.runs {
            out.line(format!(
                "  {} {} {}",
                run.id,
                run.kind.word(),
                run.status.word()
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn drift(session: &Session, only: &[String]) -> Answer {
    let only: Vec<Address> = only
        .iter()
        .map(|text| address(text))
        .collect::<Result<_, _>>()?;
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let report = client.drift(&deployment, &only).await?;
    let clean = report.drifted.is_empty() && report.gone.is_empty();
    if session.output.format == Format::Json {
        session.output.json(&report);
    } else {
        for (address, differences) in &report.drifted {
            session.output.line(format!("~ {address}"));
            differences.iter().for_each(|difference| {
                session
                    .output
                    .line(format!("    {}", difference_line(difference)))
            });
        }
        report
            .gone
            .iter()
            .for_each(|address| session.output.line(format!("- {address} is gone")));
        report
            .unreachable
            .iter()
            .for_each(|(address, why)| session.output.note(format!("? {address}: {why}")));
        let count = report.checked;
        session.output.note(if clean {
            format!("No drift: {count} nodes are as recorded.")
        } else {
            format!(
                "{} of {count} nodes differ from what is recorded. `consort up` puts them right.",
                report.drifted.len() + report.gone.len()
            )
        });
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

fn difference_line(difference: &Difference) -> String {
    let after = serde_json::to_value(&difference.after).unwrap_or_default();
    if difference.sensitive {
        return format!("{}: (secret) differs", difference.path);
    }
    format!(
        "{}: {} -> {}",
        difference.path,
        shown(&difference.before),
        shown(&after)
    )
}
