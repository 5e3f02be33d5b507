//! What appears in the view of an instance: mounts, volumes, configs, secrets.

use std::path::{Path, PathBuf};

use consort_driver::{Context, DriverError};
use consort_model::service::{Mount, MountKind};
use consort_model::{Address, Code, Kind};
use consort_shim::spec::{Mount as ShimMount, MountSource, SecretFile, User};

use super::Source;
use crate::layout::private;
use crate::machine::Rung;
use crate::record::{self, FILES, FileRecord};

/// Collects what appears in the view of an instance.
pub(super) struct Files<'a> {
    context: &'a Context,
    source: &'a Source<'a>,
    rung: Rung,
    user: Option<&'a User>,
    pub(super) mounts: Vec<ShimMount>,
    pub(super) secret_files: Vec<SecretFile>,
}

impl<'a> Files<'a> {
    pub(super) fn new(
        context: &'a Context,
        source: &'a Source<'a>,
        rung: Rung,
        user: Option<&'a User>,
    ) -> Self {
        Self {
            context,
            source,
            rung,
            user,
            mounts: Vec::new(),
            secret_files: Vec::new(),
        }
    }

    pub(super) fn bind(&mut self, source: PathBuf, target: PathBuf, read_only: bool) {
        self.mounts.push(ShimMount {
            target,
            source: MountSource::Bind { source },
            read_only,
        });
    }

    pub(super) async fn all(&mut self) -> Result<(), DriverError> {
        for (number, mount) in self.source.spec.mounts.iter().enumerate() {
            self.mount(number, mount).await?;
        }
        for grant in &self.source.spec.configs {
            let target = grant
                .target
                .clone()
                .unwrap_or_else(|| format!("/{}", grant.source));
            self.file(Kind::Config, &grant.source, target, "/").await?;
        }
        for grant in &self.source.spec.secrets {
            let target = grant.target.clone().unwrap_or_else(|| grant.source.clone());
            self.file(Kind::Secret, &grant.source, target, "/run/secrets")
                .await?;
        }
        if self.rung == Rung::None {
            self.refuse_views()?;
        }
        Ok(())
    }

    async fn mount(&mut self, number: usize, mount: &Mount) -> Result<(), DriverError> {
        let target = absolute(&mount.target)?;
        match (mount.kind, &mount.source) {
            (MountKind::Tmpfs, _) => self.mounts.push(ShimMount {
                target,
                source: MountSource::Tmpfs {
                    size: None,
                    mode: 0o1777,
                },
                read_only: mount.read_only,
            }),
            (MountKind::Bind, Some(source)) => {
                let source = self.context.project_directory.join(source);
                // As Compose's short form does.
                if !source.exists() {
                    std::fs::create_dir_all(&source).map_err(crate::error::file(format!(
                        "{} cannot be made",
                        source.display()
                    )))?;
                }
                self.bind(source, target, mount.read_only);
            }
            (MountKind::Bind, None) => {
                let message = format!("the bind at {} has no source", mount.target);
                return Err(DriverError::new(Code::BLUEPRINT_INVALID, message));
            }
            (MountKind::Volume, Some(name)) => {
                let folder = self.volume(name).await?;
                self.bind(folder, target, mount.read_only);
            }
            (MountKind::Volume, None) => {
                let folder = self
                    .source
                    .directory
                    .join("volumes")
                    .join(number.to_string());
                self.prepare(&folder)?;
                self.bind(folder, target, mount.read_only);
            }
        }
        Ok(())
    }

    async fn volume(&self, name: &str) -> Result<PathBuf, DriverError> {
        let key = record::key(self.context, &Address::new(Kind::Volume, name));
        let folder = match record::get(self.context, FILES, &key).await? {
            Some(FileRecord::Path(path)) => PathBuf::from(path),
            Some(FileRecord::Text(_)) | None => {
                let message = format!("the volume `{name}` does not exist");
                return Err(DriverError::new(Code::NODE_FAILED, message)
                    .remedy("Declare it under `volumes`; `consort up` makes it."));
            }
        };
        self.prepare(&folder)?;
        Ok(folder)
    }

    /// Makes a volume's folder; an empty one belongs to the user of the service, as on Docker.
    fn prepare(&self, folder: &Path) -> Result<(), DriverError> {
        private(folder)?;
        let is_empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if let (Some(user), true) = (self.user, is_empty) {
            std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid)).map_err(
                crate::error::file(format!("{} cannot be given to its user", folder.display())),
            )?;
        }
        Ok(())
    }

    async fn file(
        &mut self,
        kind: Kind,
        name: &str,
        target: String,
        base: &str,
    ) -> Result<(), DriverError> {
        let address = Address::new(kind, name);
        let target = absolute(&Path::new(base).join(target).display().to_string())?;
        let found = record::get(self.context, FILES, &record::key(self.context, &address)).await?;
        match found {
            Some(FileRecord::Path(path)) => self.bind(PathBuf::from(path), target, true),
            Some(FileRecord::Text(content)) => self.secret_files.push(SecretFile {
                target,
                content,
                mode: 0o444,
                uid: None,
                gid: None,
            }),
            None => {
                let message = format!("{address} does not exist");
                return Err(DriverError::new(Code::NODE_FAILED, message)
                    .remedy("Declare it at the top level; `consort up` makes it."));
            }
        }
        Ok(())
    }

    /// Without namespaces, only what is seen where it is can be seen at all.
    fn refuse_views(&mut self) -> Result<(), DriverError> {
        let in_place = |mount: &ShimMount| matches!(&mount.source, MountSource::Bind { source } if *source == mount.target && !mount.read_only);
        self.mounts.retain(|mount| !in_place(mount));
        let first = self.mounts.first().map(|mount| &mount.target);
        let Some(target) = first.or_else(|| self.secret_files.first().map(|file| &file.target))
        else {
            return Ok(());
        };
        Err(no_view(self.source.address, &target.display().to_string()))
    }
}

/// Why something cannot be mounted on the lowest rung.
pub(crate) fn no_view(address: &Address, target: &str) -> DriverError {
    let message =
        format!("{address} wants something mounted at {target}, which this machine does not allow");
    DriverError::new(Code::TARGET_UNAVAILABLE, message).remedy(
        "Allow user namespaces (`sysctl user.max_user_namespaces`), run the server as root, or choose `target: docker`.",
    )
}

fn absolute(target: &str) -> Result<PathBuf, DriverError> {
    let path = Path::new(target);
    if path.is_absolute() {
        // `/data/` and `/data/.` are `/data`.
        return Ok(path.components().collect());
    }
    let message = format!("the target `{target}` of a mount is not absolute");
    Err(DriverError::new(Code::BLUEPRINT_INVALID, message).remedy("Begin it with `/`."))
}
