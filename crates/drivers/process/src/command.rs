//! What is executed, and where.

use std::path::{Path, PathBuf};

use consort_driver::{Context, DriverError};
use consort_model::service::ServiceSpec;
use consort_model::{Address, Code};

use crate::program::Program;

/// Where another user finds the program, whose folder lies in a home that only its owner can enter.
pub(crate) const PROGRAM_VIEW: &str = "/consort-program";

/// A program with its arguments, and its working folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandPlan {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) cwd: PathBuf,
}

/// The words of the command.
///
/// # Errors
/// When there is none: an image cannot be run here.
pub(crate) fn words(address: &Address, spec: &ServiceSpec) -> Result<Vec<String>, DriverError> {
    let own = spec
        .process
        .as_ref()
        .and_then(|process| process.command.as_ref());
    if let Some(own) = own.filter(|own| !own.0.is_empty()) {
        return Ok(own.0.clone());
    }
    let in_image = spec.image.is_some();
    let parts = spec.entrypoint.iter().chain(&spec.command);
    let words: Vec<String> = parts.flat_map(|part| part.0.clone()).collect();
    if in_image {
        return Err(image_needs_process(address));
    }
    if words.is_empty() {
        let message = format!("{address} does not say what to run");
        return Err(DriverError::new(Code::BLUEPRINT_INVALID, message)
            .remedy("Add `process: {command: […]}`, or `command`."));
    }
    Ok(words)
}

/// Why a service of which only an image is known cannot run here, with both ways out.
pub(crate) fn image_needs_process(address: &Address) -> DriverError {
    let message = format!("{address} has an image, which the target process cannot run");
    DriverError::new(Code::TARGET_UNAVAILABLE, message).remedy(
        "Say what to run without the image (`process: {command: […]}`), or choose `target: docker`.",
    )
}

/// Resolves the command: a name or relative path that is an artifact runs from the program's copy, an
/// other relative path from the service's folder, an other name from PATH.
pub(crate) fn plan(
    context: &Context,
    spec: &ServiceSpec,
    words: &[String],
    program: Option<&Program>,
    seen_at: Option<&Path>,
) -> Result<CommandPlan, DriverError> {
    let Some((first, args)) = words.split_first() else {
        return Err(DriverError::new(Code::INTERNAL, "a command has no words"));
    };
    let folder = folder(context, spec, program, seen_at);
    let artifact = program.and_then(|program| {
        let path = program.artifact(first)?;
        match seen_at {
            Some(view) => Some(view.join(path.strip_prefix(&program.folder).ok()?)),
            None => Some(path),
        }
    });
    let first = match artifact {
        Some(path) => path.display().to_string(),
        None if first.contains('/') && !first.starts_with('/') => {
            folder.join(first).display().to_string()
        }
        None => first.clone(),
    };
    let cwd = match &spec.working_dir {
        Some(written) => folder.join(written),
        None => folder,
    };
    Ok(CommandPlan {
        program: first,
        args: args.to_vec(),
        cwd,
    })
}

/// Where relative paths begin: the program's copy, else the service's folder.
fn folder(
    context: &Context,
    spec: &ServiceSpec,
    program: Option<&Program>,
    seen_at: Option<&Path>,
) -> PathBuf {
    match (program, seen_at) {
        (Some(_), Some(view)) => view.to_owned(),
        (Some(program), None) => program.folder.clone(),
        (None, _) => {
            let own = spec
                .process
                .as_ref()
                .and_then(|process| process.context.as_ref());
            match own {
                Some(own) => context.project_directory.join(own),
                None => context.project_directory.clone(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use consort_model::Kind;
    use serde_json::{Value, json};

    fn words_of(service: Value) -> Result<Vec<String>, String> {
        let spec = ServiceSpec::from_value(&service).unwrap();
        words(&Address::new(Kind::Service, "api"), &spec).map_err(|error| error.to_string())
    }

    #[test]
    fn the_process_command_wins_and_an_image_alone_is_refused() {
        let ran = |service| words_of(service).unwrap().join(" ");
        assert_eq!(
            ran(json!({"image": "x", "process": {"command": "./api --x"}, "command": "no"})),
            "./api --x"
        );
        assert_eq!(
            ran(json!({"entrypoint": ["python3"], "command": ["-m", "http.server"]})),
            "python3 -m http.server"
        );
        assert_eq!(ran(json!({"command": "sleep 1"})), "sleep 1");
        for service in [
            json!({"image": "x"}),
            json!({"image": "x", "command": "y"}),
            json!({}),
        ] {
            assert!(words_of(service.clone()).is_err(), "{service}");
        }
    }
}
