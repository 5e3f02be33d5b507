//! `explain`: a key of the blueprint, or the code of an error.

use std::process::ExitCode;

use consort_model::code::CODES;
use consort_model::{Code, Problem};

use super::{Answer, Session};

pub(crate) fn explain(session: &Session, subject: Option<&str>) -> Answer {
    let Some(subject) = subject else {
        session
            .output
            .line("consort explain KEY    a key of the blueprint: services.*.healthcheck.interval");
        session
            .output
            .line("consort explain CODE   the code of an error:");
        CODES.iter().for_each(|entry| {
            session
                .output
                .line(format!("  {:<28} {}", entry.name, entry.when))
        });
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(entry) = CODES.iter().find(|entry| entry.name == subject) {
        session.output.line(format!(
            "{}\n\n{}\n{}",
            entry.name, entry.when, entry.remedy
        ));
        session.output.line(format!(
            "\nexit code {}, HTTP status {}",
            entry.exit, entry.status
        ));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(text) = consort_blueprint::explain::explain(subject) {
        session.output.line(text.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let near = consort_model::text::nearest(subject, CODES.iter().map(|entry| entry.name))
        .map(str::to_owned)
        .or_else(|| consort_blueprint::explain::nearest(subject));
    let problem = Problem::new(
        Code::USAGE,
        format!("`{subject}` is neither a key of the blueprint nor a code"),
    );
    Err(vec![match near {
        Some(near) => problem.remedy(format!("Did you mean `{near}`?")),
        None => problem,
    }])
}
