//! The bounds of a specification.

use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use super::{Check, FORMAT, Mode, MountSource, Namespaces, Probe, Spec};
use crate::{child_caps, signal};

/// Why a specification cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// No file, or no permission.
    #[error("cannot read {}; the instance must be launched again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}; check the free space and permissions", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// More than 4 MiB.
    #[error("{} has {size} bytes; more than 4 MiB are refused", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// Not a specification.
    #[error("{} is not a shim specification", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// From a newer version.
    #[error(
        "the specification has format {found}, this shim knows {FORMAT}; use the newer consort"
    )]
    Format {
        /// What stands there.
        found: u32,
    },
    /// One value.
    #[error("`{field}` of the specification is refused: {reason}")]
    Field {
        /// The path of the field.
        field: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

fn refuse(field: impl Into<String>, reason: impl Into<String>) -> Result<(), SpecError> {
    Err(SpecError::Field {
        field: field.into(),
        reason: reason.into(),
    })
}

impl Spec {
    /// Checks every bound.
    ///
    /// # Errors
    /// [`SpecError::Format`] or [`SpecError::Field`], the first that is found.
    pub fn validate(&self) -> Result<(), SpecError> {
        if self.format == 0 || self.format > FORMAT {
            return Err(SpecError::Format { found: self.format });
        }
        self.check_names()?;
        self.check_process()?;
        self.check_view()?;
        self.check_cgroup()?;
        if self.probes.len() > 8 {
            return refuse("probes", "more than 8");
        }
        for (index, probe) in self.probes.iter().enumerate() {
            check_probe(&format!("probes[{index}]"), probe)?;
        }
        if signal::number(&self.stop.signal).is_none() {
            return refuse(
                "stop.signal",
                format!("{:?} is no signal of this system", self.stop.signal),
            );
        }
        if !(1..=100).contains(&self.logging.max_file) {
            return refuse("logging.max_file", "must be from 1 to 100");
        }
        if self.fd_store > 1024 {
            return refuse("fd_store", "more than 1024");
        }
        if matches!(
            self.mode,
            Mode::OneShot {
                deadline_ms: Some(0)
            }
        ) {
            return refuse("mode.deadline_ms", "must be more than 0");
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), SpecError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.id.is_empty()
            || self.id.len() > 64
            || !self.id.chars().all(plain)
            || self.id.starts_with('.')
        {
            return refuse(
                "id",
                "must be 1 to 64 characters of [A-Za-z0-9._-] and not begin with a dot",
            );
        }
        for (field, text) in [
            ("home", &self.home),
            ("site", &self.site),
            ("address", &self.address),
        ] {
            if text.len() > 512 || text.chars().any(char::is_control) {
                return refuse(
                    field,
                    "must have at most 512 bytes and no control characters",
                );
            }
        }
        let control = self.control.as_os_str();
        if !self.control.is_absolute() || control.len() > 100 {
            return refuse(
                "control",
                "must be absolute and at most 100 bytes long; use a shorter folder",
            );
        }
        if self.secrets.len() > 1024 || self.secrets.iter().any(|token| token.len() < 8) {
            return refuse("secrets", "at most 1024 tokens of at least 8 characters");
        }
        Ok(())
    }

    fn check_process(&self) -> Result<(), SpecError> {
        let process = &self.process;
        if process.program.is_empty() {
            return refuse("process.program", "is empty");
        }
        let texts = process
            .args
            .iter()
            .chain([&process.program])
            .chain(process.arg0.as_ref());
        if texts
            .chain(process.env.values())
            .any(|text| text.contains('\0'))
        {
            return refuse("process", "a text contains a NUL byte");
        }
        if let Some(name) = process
            .env
            .keys()
            .find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return refuse("process.env", format!("{name:?} is no name of a variable"));
        }
        if let Some(cwd) = process.cwd.as_ref().filter(|cwd| !cwd.is_absolute()) {
            return refuse("process.cwd", format!("{} is not absolute", cwd.display()));
        }
        if let Some(name) = process
            .rlimits
            .keys()
            .find(|name| crate::child::resource(name).is_none())
        {
            return refuse("process.rlimits", format!("{name:?} is no resource limit"));
        }
        let capabilities = &process.capabilities;
        for name in capabilities.drop.iter().chain(&capabilities.keep) {
            if child_caps::set_of(name).is_none() {
                return refuse("process.capabilities", format!("{name:?} is no capability"));
            }
        }
        if process.umask.is_some_and(|mask| mask > 0o777) {
            return refuse("process.umask", "must be at most 0o777");
        }
        Ok(())
    }

    fn check_view(&self) -> Result<(), SpecError> {
        if self.mounts.len() > 256 || self.secret_files.len() > 256 {
            return refuse("mounts", "more than 256");
        }
        for (index, mount) in self.mounts.iter().enumerate() {
            check_target(&format!("mounts[{index}].target"), &mount.target)?;
            if let MountSource::Bind { source } = &mount.source {
                check_target(&format!("mounts[{index}].source"), source)?;
            }
        }
        for (index, file) in self.secret_files.iter().enumerate() {
            check_target(&format!("secret_files[{index}].target"), &file.target)?;
        }
        if self.namespaces == Namespaces::None {
            let needs = [
                ("mounts", self.mounts.is_empty()),
                ("hosts", self.hosts.is_none()),
                ("hostname", self.hostname.is_none()),
            ];
            if let Some((field, _)) = needs.into_iter().find(|(_, absent)| !absent) {
                return refuse(
                    field,
                    "needs `namespaces: root_mount_ns` or `user_mount_ns`",
                );
            }
        }
        if self.namespaces == Namespaces::UserMountNs && self.process.user.is_some() {
            return refuse(
                "process.user",
                "a user namespace without privileges has one user: the shim's own",
            );
        }
        if self
            .hosts
            .as_ref()
            .is_some_and(|hosts| hosts.len() > crate::protocol::MAX_HOSTS)
        {
            return refuse("hosts", "more than 48 KiB");
        }
        if self
            .hostname
            .as_ref()
            .is_some_and(|name| name.is_empty() || name.len() > 64)
        {
            return refuse("hostname", "must have 1 to 64 bytes");
        }
        Ok(())
    }

    fn check_cgroup(&self) -> Result<(), SpecError> {
        let Some(cgroup) = &self.cgroup else {
            return Ok(());
        };
        let path = Path::new(&cgroup.name);
        let parts = path.components().count();
        if !path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
            || !(1..=8).contains(&parts)
        {
            return refuse(
                "cgroup.name",
                "must be relative, with 1 to 8 parts and without `..`",
            );
        }
        if cgroup
            .limits
            .cpu_millis
            .is_some_and(|cpu| !(10..=1_000_000).contains(&cpu))
        {
            return refuse("cgroup.limits.cpu_millis", "must be from 10 to 1000000");
        }
        if cgroup
            .limits
            .cpu_shares
            .is_some_and(|shares| !(2..=262_144).contains(&shares))
        {
            return refuse("cgroup.limits.cpu_shares", "must be from 2 to 262144");
        }
        Ok(())
    }
}

fn check_target(field: &str, path: &Path) -> Result<(), SpecError> {
    let normal = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !normal || path == Path::new("/") || path.as_os_str().len() > 4000 {
        return refuse(
            field,
            format!(
                "{} must be absolute, without `..`, and not the root",
                path.display()
            ),
        );
    }
    Ok(())
}

fn check_probe(field: &str, probe: &Probe) -> Result<(), SpecError> {
    if probe.interval_ms == 0
        || probe.timeout_ms == 0
        || probe.start_interval_ms == 0
        || probe.retries == 0
    {
        return refuse(field, "intervals, time-out and retries must be more than 0");
    }
    match &probe.check {
        Check::Exec { argv } if argv.first().is_none_or(String::is_empty) => {
            refuse(format!("{field}.argv"), "names no program")
        }
        Check::Exec { argv } if argv.iter().any(|text| text.contains('\0')) => {
            refuse(format!("{field}.argv"), "contains a NUL byte")
        }
        Check::Exec { .. } => Ok(()),
        Check::Http {
            address,
            path,
            host,
        } => {
            let plain = |text: &str| !text.contains(|c: char| c.is_control() || c == ' ');
            if !path.starts_with('/') || !plain(path) || !host.as_deref().is_none_or(plain) {
                return refuse(
                    format!("{field}.path"),
                    "must start with `/`, without blanks and control characters",
                );
            }
            check_address(field, address)
        }
        Check::Tcp { address } => check_address(field, address),
    }
}

fn check_address(field: &str, address: &str) -> Result<(), SpecError> {
    match address.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => refuse(
            format!("{field}.address"),
            format!("{address:?} is no numeric ADDRESS:PORT"),
        ),
    }
}
