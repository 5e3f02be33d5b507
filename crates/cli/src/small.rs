//! The small programs inside this binary, and where they are. A release build embeds the shim and the
//! port holder and extracts them by digest; any other build executes itself again.

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use consort_model::{Code, Digest, Problem};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A program and the arguments before its own.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// The shim.
pub(crate) fn shim(home: &Path) -> Result<Program, Problem> {
    find(home, "consort-shim", SHIM, "__shim")
}

/// The port holder.
pub(crate) fn holder(home: &Path) -> Result<Program, Problem> {
    find(home, "consort-portholder", PORTHOLDER, "__portholder")
}

/// The helper of expressions.
pub(crate) fn helper() -> Result<Program, Problem> {
    itself("__jq")
}

fn itself(command: &str) -> Result<Program, Problem> {
    // The path may be that of a file that was replaced since: the running one is meant.
    let path = std::env::current_exe().map_err(|error| {
        Problem::new(Code::INTERNAL, "it is not known where this program is").caused_by(&error)
    })?;
    Ok(Program {
        path,
        arguments: vec![command.to_owned()],
    })
}

fn find(
    home: &Path,
    name: &str,
    embedded: Option<&[u8]>,
    command: &str,
) -> Result<Program, Problem> {
    let Some(bytes) = embedded else {
        return itself(command);
    };
    let path = extract(home, name, bytes).map_err(|error| {
        Problem::new(
            Code::FILE_UNREADABLE,
            format!("`{name}` cannot be put into the home"),
        )
        .caused_by(&error)
    })?;
    Ok(Program {
        path,
        arguments: Vec::new(),
    })
}

/// Puts a program under its digest into the home, once.
fn extract(home: &Path, name: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    let folder = home.join("bin");
    let path = folder.join(format!("{name}-{}", Digest::of(bytes).short()));
    if std::fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
        return Ok(path);
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    let fresh = folder.join(format!(".{name}.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o700)
        .open(&fresh)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    // A program that is open for writing cannot be executed.
    drop(file);
    std::fs::rename(&fresh, &path)?;
    Ok(path)
}

/// Evaluates expressions until nobody asks any more, with bounds on what that may take.
pub(crate) fn expressions() -> ExitCode {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let bound = |resource, limit: u64| {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        setrlimit(resource, limit)
    };
    let bounded = bound(Resource::As, 512 << 20).and_then(|()| bound(Resource::Core, 0));
    if bounded.is_err() {
        return ExitCode::FAILURE;
    }
    let served =
        consort_expression::helper::serve(std::io::stdin().lock(), std::io::stdout().lock());
    if served.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The port holder inside this binary.
pub(crate) fn port_holder(arguments: &[OsString]) -> ExitCode {
    consort_portholder::run_blocking(arguments.iter().cloned())
}
