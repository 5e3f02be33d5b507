//! Looking at the host: what must be mirrored, what is mounted where.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{Overlay, Source, View, Wanted};
use crate::spec::{MountSource, Namespaces};

/// Why a view cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("cannot mount {} at {}; create it first", source_path.display(), target.display())]
    NoSource {
        source_path: PathBuf,
        target: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot look up {}", path.display())]
    LookUp {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl View {
    /// The view that the specification asks for; `None` if it is the host's own.
    pub(crate) fn plan(wanted: &Wanted<'_>) -> Result<Option<Self>, PlanError> {
        let spec = wanted.spec;
        if spec.namespaces == Namespaces::None {
            return Ok(None);
        }
        let mut view = Self {
            user_namespace: spec.namespaces == Namespaces::UserMountNs,
            hostname: spec.hostname.clone(),
            ..Self::default()
        };
        view.overlays = overlays(wanted)?;
        // Parents first, so that a target inside another mount lands in that mount.
        view.overlays
            .sort_by_key(|overlay| overlay.target.components().count());
        let mirrored = mirrored(&view.overlays)?;
        if !mirrored.is_empty() {
            view.mirrored = mirrored.into_iter().collect();
            view.staging = Some(wanted.staging.clone());
        }
        Ok(Some(view))
    }
}

fn overlays(wanted: &Wanted<'_>) -> Result<Vec<Overlay>, PlanError> {
    let mut all = Vec::new();
    for mount in &wanted.spec.mounts {
        let source = match &mount.source {
            MountSource::Bind { source: path } => {
                let is_dir = std::fs::metadata(path)
                    .map_err(|source| PlanError::NoSource {
                        source_path: path.clone(),
                        target: mount.target.clone(),
                        source,
                    })?
                    .is_dir();
                Source::Bind {
                    path: path.clone(),
                    is_dir,
                }
            }
            MountSource::Tmpfs { size, mode } => Source::Tmpfs {
                size: *size,
                mode: *mode,
            },
        };
        all.push(Overlay {
            target: resolve(&mount.target)?,
            source,
            read_only: mount.read_only,
        });
    }
    for file in &wanted.spec.secret_files {
        let user = wanted.spec.process.user.as_ref();
        let source = Source::File {
            content: wanted.secrets.expand(&file.content).into_bytes(),
            mode: file.mode,
            uid: file.uid.or_else(|| user.map(|user| user.uid)),
            gid: file.gid.or_else(|| user.map(|user| user.gid)),
        };
        all.push(Overlay {
            target: resolve(&file.target)?,
            source,
            read_only: false,
        });
    }
    if let Some(path) = &wanted.hosts_file {
        let source = Source::Bind {
            path: path.clone(),
            is_dir: false,
        };
        all.push(Overlay {
            target: resolve(Path::new("/etc/hosts"))?,
            source,
            read_only: true,
        });
    }
    Ok(all)
}

/// The target with the symbolic links of the part that exists resolved.
fn resolve(target: &Path) -> Result<PathBuf, PlanError> {
    for existing in target.ancestors() {
        match existing.canonicalize() {
            Ok(real) => {
                let rest = target
                    .strip_prefix(existing)
                    .unwrap_or_else(|_| Path::new(""));
                return Ok(if rest.as_os_str().is_empty() {
                    real
                } else {
                    real.join(rest)
                });
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(source) => {
                return Err(PlanError::LookUp {
                    path: existing.to_owned(),
                    source,
                });
            }
        }
    }
    Ok(target.to_owned())
}

/// The folders of the host on the way to targets that cannot be mounted over as they are. Empty if
/// no new root is needed.
fn mirrored(overlays: &[Overlay]) -> Result<BTreeSet<PathBuf>, PlanError> {
    let mut all = BTreeSet::new();
    for (index, overlay) in overlays.iter().enumerate() {
        let covered = overlays[..index].iter().any(|other| {
            overlay.target.starts_with(&other.target) && overlay.target != other.target
        });
        let fits = std::fs::metadata(&overlay.target).is_ok_and(|found| match &overlay.source {
            Source::Bind { is_dir, .. } => found.is_dir() == *is_dir,
            Source::Tmpfs { .. } => found.is_dir(),
            // Its content needs a tmpfs to stand on: that of the new root.
            Source::File { .. } => false,
        });
        if covered || fits {
            continue;
        }
        all.insert(PathBuf::from("/"));
        let is_file = matches!(overlay.source, Source::File { .. });
        if is_file && std::fs::metadata(&overlay.target).is_ok_and(|found| found.is_file()) {
            continue;
        }
        all.extend(
            overlay
                .target
                .ancestors()
                .skip(1)
                .filter(|path| path.is_dir())
                .map(Path::to_owned),
        );
    }
    Ok(all)
}
