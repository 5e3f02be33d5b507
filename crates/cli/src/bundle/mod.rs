//! The user's side of a blueprint: load it, build what has a build, gather the files that it refers
//! to, and hand the bundle to the server.

mod build;
mod files;

use std::collections::BTreeMap;
use std::path::Path;

use consort_blueprint::source::Disk;
use consort_blueprint::{
    DefinitionMistake, Diagnostic, LoadRequest, Loaded, Render, Severity, Sources,
};
use consort_model::blueprint::Blueprint;
use consort_model::bundle::{Bundle, FORMAT};
use consort_model::{Code, Digest, Problem, Value};
use consort_server::client::Client;

use crate::commands::Session;

pub(crate) use build::Build;

/// A bundle that the server keeps.
pub(crate) struct Bundled {
    /// The name of the deployment.
    pub(crate) name: String,
    /// Of the bundle.
    pub(crate) digest: Digest,
}

/// Loads the blueprint. Mistakes are shown with their places; warnings go to standard error.
pub(crate) fn load(session: &Session, skip_consistency: bool) -> Result<Loaded, Vec<Problem>> {
    let stdin = if session.global.files.iter().any(|file| file == "-") {
        Some(read_stdin()?)
    } else {
        None
    };
    let request = LoadRequest {
        files: session.global.files.clone(),
        working_dir: session.environment.directory.display().to_string(),
        project_dir: session.global.project_directory.clone(),
        name: session.global.project_name.clone(),
        env: session.environment.variables.clone(),
        env_files: session.global.env_files.clone(),
        profiles: session.global.profiles.clone(),
        services: Vec::new(),
        stdin,
        skip_consistency,
    };
    let loaded = consort_blueprint::load(&request, &Disk).map_err(|error| {
        let missing = error
            .diagnostics
            .iter()
            .any(|diagnostic| diagnostic.code() == consort_blueprint::Code::NoBlueprint);
        session.output.note(error.render(render(session)));
        let code = if missing {
            Code::BLUEPRINT_MISSING
        } else {
            Code::BLUEPRINT_INVALID
        };
        vec![Problem::new(code, error.to_string())]
    })?;
    tell(session, &loaded.warnings, &loaded.sources);
    Ok(loaded)
}

/// The typed blueprint.
pub(crate) fn typed(session: &Session, loaded: &Loaded) -> Result<Blueprint, Vec<Problem>> {
    let converted = consort_blueprint::to_blueprint_with(loaded, &check_workflow);
    let (blueprint, diagnostics) = match converted {
        Ok(converted) => converted,
        Err(diagnostics) => {
            tell(session, &diagnostics, &loaded.sources);
            let count = diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity() == Severity::Error)
                .count();
            let plural = if count == 1 { "" } else { "s" };
            return Err(vec![Problem::new(
                Code::BLUEPRINT_INVALID,
                format!("the blueprint has {count} mistake{plural}"),
            )]);
        }
    };
    tell(session, &diagnostics, &loaded.sources);
    Ok(blueprint)
}

/// What is wrong with the definition of a workflow, by pointers into it.
fn check_workflow(definition: &Value) -> Vec<DefinitionMistake> {
    let told = |mistake: consort_workflow::Mistake| DefinitionMistake {
        pointer: mistake.pointer,
        message: mistake.message,
        lint: mistake.lint,
    };
    match consort_workflow::Definition::read(definition.clone(), "blueprint", "workflow") {
        Ok(definition) => definition.lints().iter().cloned().map(told).collect(),
        Err(mistakes) => mistakes.into_iter().map(told).collect(),
    }
}

fn tell(session: &Session, diagnostics: &[Diagnostic], sources: &Sources) {
    if !diagnostics.is_empty() {
        session.output.note(
            consort_blueprint::diagnostic::render_all(diagnostics, 0, sources, render(session))
                .trim_end(),
        );
    }
}

fn render(session: &Session) -> Render {
    Render {
        color: session.output.live,
    }
}

fn read_stdin() -> Result<Vec<u8>, Vec<Problem>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let limit = consort_blueprint::source::MAX_FILE_BYTES + 1;
    std::io::stdin()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            vec![
                Problem::new(Code::FILE_UNREADABLE, "standard input cannot be read")
                    .caused_by(&error),
            ]
        })?;
    Ok(bytes)
}

/// The files of the blueprint, as they are found.
pub(crate) fn files(session: &Session) -> Result<Vec<String>, Vec<Problem>> {
    let loaded = load(session, true)?;
    Ok(loaded
        .sources
        .paths()
        .filter(|path| path.ends_with(".yaml") || path.ends_with(".yml"))
        .map(str::to_owned)
        .collect())
}

/// Replaces a file by rename, so that it is never half-written.
pub(crate) fn replace(path: &str, text: &str) -> std::io::Result<()> {
    let fresh = format!("{path}.{}.new", std::process::id());
    std::fs::write(&fresh, text)?;
    std::fs::set_permissions(&fresh, std::fs::metadata(path)?.permissions())?;
    std::fs::rename(fresh, path)
}

/// Values of inputs from a YAML or JSON file.
pub(crate) fn read_values(text: &[u8], path: &Path) -> Result<BTreeMap<String, Value>, Problem> {
    let wrong = |why: String| {
        Problem::new(
            Code::INPUT_INVALID,
            format!("{} cannot be read: {why}", path.display()),
        )
    };
    let value = consort_blueprint::yaml::plain_value(text).map_err(wrong)?;
    match value {
        Value::Object(object) => Ok(object.into_iter().collect()),
        _ => Err(wrong("a mapping of names to values was expected".into())),
    }
}

/// Loads, builds and hands over.
pub(crate) async fn prepare(
    session: &Session,
    client: &Client,
    build: Build,
) -> Result<Bundled, Vec<Problem>> {
    let loaded = load(session, false)?;
    let blueprint = typed(session, &loaded)?;
    let project = Path::new(&loaded.project_dir);
    let built = build::programs(session, &blueprint, project, build)?;
    let gathered = files::gather(&blueprint, project)?;
    let mut blobs = gathered.contents;
    blobs.extend(built.contents);
    send_blobs(client, blobs).await?;
    let bundle = Bundle {
        format: FORMAT,
        files: gathered.files,
        programs: built.programs,
        project_directory: loaded.project_dir.clone(),
        blueprint,
    };
    let digest = client.bundle_put(&bundle).await?;
    Ok(Bundled {
        name: loaded.name,
        digest,
    })
}

/// Sends what the server does not keep yet.
async fn send_blobs(
    client: &Client,
    mut blobs: BTreeMap<Digest, Vec<u8>>,
) -> Result<(), Vec<Problem>> {
    let missing = client.blob_missing(blobs.keys().copied().collect()).await?;
    for digest in missing {
        if let Some(bytes) = blobs.remove(&digest) {
            client.blob_put(bytes).await?;
        }
    }
    Ok(())
}
