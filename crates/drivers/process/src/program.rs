//! Built programs: read-only copies under their digest, made from blobs and shared by instances, so
//! that a rebuild changes nothing that runs, and a rollback finds the old program.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use consort_driver::{Context, DriverError};
use consort_model::bundle::BuiltProgram;
use consort_model::{Code, Digest};

use crate::error;
use crate::layout::{Layout, private, remove_tree};
use crate::runtime::Runtime;

/// More files than this are not one program.
const MOST_FILES: usize = 100_000;

/// A program on the disk.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) folder: PathBuf,
    artifacts: std::collections::BTreeSet<String>,
}

impl Program {
    /// The path of an artifact of this name.
    pub(crate) fn artifact(&self, name: &str) -> Option<PathBuf> {
        let name = plain(name);
        self.artifacts
            .contains(name)
            .then(|| self.folder.join(name))
    }
}

/// The copy of this program, made now if it is not there, or not as it must be.
pub(crate) async fn ensure(
    runtime: &Runtime,
    context: &Context,
    digest: Digest,
) -> Result<Program, DriverError> {
    let built = description(context, digest).await?;
    let layout = Layout::of_home(context);
    let folder = layout.programs().join(digest.to_string());
    let program = Program {
        folder: folder.clone(),
        artifacts: built
            .artifacts
            .keys()
            .map(|path| plain(path).to_owned())
            .collect(),
    };
    let _copying = runtime.copying.lock().await;
    let is_known = runtime
        .verified
        .lock()
        .is_ok_and(|known| known.contains(&digest));
    let (there, wanted) = (folder.clone(), built.clone());
    let complete = error::blocking(move || is_complete(&there, &wanted, !is_known)).await?;
    if !complete {
        copy(context, &layout, &folder, &built).await?;
    }
    if let Ok(mut known) = runtime.verified.lock() {
        known.insert(digest);
    }
    Ok(program)
}

fn plain(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

async fn description(context: &Context, digest: Digest) -> Result<BuiltProgram, DriverError> {
    let bytes = context.facts.blob(digest).await?;
    let broken = |message: String| DriverError::new(Code::STORE_CORRUPT, message);
    let built: BuiltProgram = serde_json::from_slice(&bytes).map_err(|error| {
        broken(format!(
            "the program {} cannot be understood",
            digest.short()
        ))
        .because(error)
    })?;
    if built.artifacts.len() > MOST_FILES {
        let message = format!(
            "the program {} has more than {MOST_FILES} files",
            digest.short()
        );
        return Err(broken(message));
    }
    let outside = built.artifacts.keys().find(|path| !is_inside(path));
    if let Some(path) = outside {
        return Err(broken(format!(
            "the artifact `{path}` lies outside of its program"
        )));
    }
    Ok(built)
}

fn is_inside(path: &str) -> bool {
    let path = Path::new(path);
    path.components().next().is_some()
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn is_complete(folder: &Path, built: &BuiltProgram, thoroughly: bool) -> bool {
    folder.is_dir()
        && built.artifacts.iter().all(|(path, file)| {
            let path = folder.join(path);
            let same_size = fs::symlink_metadata(&path)
                .is_ok_and(|found| found.is_file() && found.len() == file.size);
            same_size
                && (!thoroughly
                    || fs::read(&path).is_ok_and(|bytes| Digest::of(&bytes) == file.digest))
        })
}

/// Writes all files beside the place and moves the folder there: it is there whole, or not at all.
async fn copy(
    context: &Context,
    layout: &Layout,
    folder: &Path,
    built: &BuiltProgram,
) -> Result<(), DriverError> {
    private(&layout.programs())?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let fresh = layout
        .programs()
        .join(format!(".{name}.{}.{count}", std::process::id()));
    remove_tree(&fresh)?;
    for (path, file) in &built.artifacts {
        let bytes = context.facts.blob(file.digest).await?;
        if Digest::of(&bytes) != file.digest {
            let message = format!("the content of the artifact `{path}` is not what was built");
            return Err(DriverError::new(Code::STORE_CORRUPT, message));
        }
        let (target, executable) = (fresh.join(path), file.executable);
        error::blocking(move || write(&target, &bytes, executable)).await??;
    }
    let (fresh, folder) = (fresh, folder.to_owned());
    error::blocking(move || put_in_place(&fresh, &folder)).await?
}

fn write(path: &Path, bytes: &[u8], executable: bool) -> Result<(), DriverError> {
    let failed = || error::file(format!("{} cannot be written", path.display()));
    if let Some(parent) = path.parent() {
        private(parent)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.sync_all().map_err(failed())?;
    let mode = if executable { 0o555 } else { 0o444 };
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(failed())
}

fn put_in_place(fresh: &Path, folder: &Path) -> Result<(), DriverError> {
    private(fresh)?;
    // Other users may run the program: they see the folder mounted elsewhere, not the home above it.
    open_folders(fresh, 0);
    let failed = || error::file(format!("{} cannot be put in place", folder.display()));
    let moved = fs::rename(fresh, folder);
    match moved {
        Ok(()) => Ok(()),
        // An incomplete or a concurrent copy is there: the new one is right in both cases.
        Err(_) if folder.exists() => {
            let old = fresh.with_extension("old");
            fs::rename(folder, &old).map_err(failed())?;
            let placed = fs::rename(fresh, folder).map_err(failed());
            // What still runs from the old copy keeps its files open.
            remove_tree(&old)?;
            placed
        }
        Err(problem) => Err(failed()(problem)),
    }
}

fn open_folders(folder: &Path, depth: usize) {
    if depth > 64 {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_folders(&entry.path(), depth + 1);
        }
    }
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_stay_inside_their_program() {
        for (path, inside) in [
            ("target/release/api", true),
            ("api", true),
            ("", false),
            ("/etc/passwd", false),
            ("../x", false),
            ("a/../../x", false),
            ("./a", true),
        ] {
            assert_eq!(is_inside(path), inside, "{path}");
        }
    }
}
