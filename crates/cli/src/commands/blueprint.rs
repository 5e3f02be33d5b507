//! `validate`, `config`, `fmt`, `graph`, `schema`: about the blueprint alone; no server is needed.

use std::process::ExitCode;

use consort_model::{Code, Problem};

use super::{Answer, Session};
use crate::args::{Config, Fmt, Graph};
use crate::output::Format;

pub(crate) fn validate(session: &Session) -> Answer {
    let loaded = crate::bundle::load(session, false)?;
    let blueprint = crate::bundle::typed(session, &loaded)?;
    match session.output.format {
        Format::Json => session.output.json(&serde_json::json!({
            "valid": true, "name": blueprint.name, "nodes": blueprint.nodes.len(), "warnings": blueprint.warnings,
        })),
        Format::Text => {
            let count = blueprint.nodes.len();
            session.output.line(format!("`{}` is valid: {count} nodes, {} outputs", blueprint.name, blueprint.outputs.len()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn config(session: &Session, config: &Config) -> Answer {
    let loaded = crate::bundle::load(session, config.no_consistency)?;
    if config.services {
        let document = consort_blueprint::compose_json::compose_json(&loaded);
        let services = document
            .get("services")
            .and_then(|services| services.as_object().cloned())
            .unwrap_or_default();
        services.keys().for_each(|name| session.output.line(name));
        return Ok(ExitCode::SUCCESS);
    }
    let json = config.format == "json" || session.output.format == Format::Json;
    session
        .output
        .text(consort_blueprint::emit::config(&loaded, json));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn fmt(session: &Session, fmt: &Fmt) -> Answer {
    let mut unusual = false;
    for path in crate::bundle::files(session)? {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            vec![
                Problem::new(
                    Code::FILE_UNREADABLE,
                    format!("{path} cannot be read or written"),
                )
                .caused_by(error),
            ]
        };
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let formatted = consort_blueprint::fmt::format(&text).map_err(|problem| {
            vec![Problem::new(
                Code::BLUEPRINT_INVALID,
                format!("{path} cannot be formatted: {problem}"),
            )]
        })?;
        if formatted == text {
            continue;
        }
        unusual = true;
        if fmt.check {
            session
                .output
                .line(format!("{path} is not in its usual form"));
        } else {
            crate::bundle::replace(&path, &formatted).map_err(|error| failed(&error))?;
            session.output.note(format!("formatted {path}"));
        }
    }
    Ok(if fmt.check && unusual {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

pub(crate) fn graph(session: &Session, graph: &Graph) -> Answer {
    let loaded = crate::bundle::load(session, false)?;
    let blueprint = crate::bundle::typed(session, &loaded)?;
    let format = if session.output.format == Format::Json {
        "json"
    } else {
        graph.format.as_str()
    };
    let mut programs = consort_planner::evaluate::Programs::default();
    let graph = consort_planner::graph::Declarations::of(&blueprint, &mut programs)?;
    match format {
        "dot" => session.output.text(graph.dot()),
        "json" => session.output.json(&graph.json()),
        _ => session.output.text(graph.text()),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn schema(session: &Session) -> Answer {
    session.output.json(&consort_blueprint::schema::schema());
    Ok(ExitCode::SUCCESS)
}
