//! From a service or task to the specification of its shim.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use consort_driver::{Context, DriverError};
use consort_model::service::{
    HealthCheck, HealthTest, Mount, MountKind, RestartPolicy as ServiceRestart, RestartWhen,
    ServiceSpec,
};
use consort_model::{Address, Code, Digest, Kind, Value};
use consort_shim::spec::{
    Capabilities, Cgroup, Check, FORMAT, Limits, Logging, Mode, Mount as ShimMount, MountSource,
    Namespaces, Probe, Process, Restart, RestartPolicy, Rlimit, SecretFile, Spec, Stop, User,
};

use crate::command::{self, PROGRAM_VIEW};
use crate::layout::{Layout, private};
use crate::machine::Rung;
use crate::program::Program;
use crate::record::{self, FILES, FileRecord};
use crate::runtime::Runtime;
use crate::users;

/// The cgroup of a home: two homes never share one.
pub(crate) fn cgroup_home(context: &Context) -> String {
    format!(
        "consort/{}",
        Digest::of(context.home.to_string().as_bytes()).short()
    )
}

/// A specification with nothing in it but names.
pub(crate) fn empty(id: &str, home: &str, address: &str) -> Spec {
    Spec {
        format: FORMAT,
        id: id.to_owned(),
        site: "local".to_owned(),
        home: home.to_owned(),
        address: address.to_owned(),
        control: PathBuf::new(),
        process: Process::default(),
        secrets: Vec::new(),
        secret_files: Vec::new(),
        namespaces: Namespaces::None,
        mounts: Vec::new(),
        hosts: None,
        hostname: None,
        cgroup: None,
        probes: Vec::new(),
        mode: Mode::Service,
        restart: Restart::default(),
        stop: Stop::default(),
        logging: Logging::default(),
        on_shim_loss: Default::default(),
        fd_store: 0,
        supervises_others: false,
        linger_ms: 300_000,
    }
}

/// What an instance or task is made from.
pub(crate) struct Source<'a> {
    pub(crate) address: &'a Address,
    pub(crate) id: &'a str,
    /// Its state folder, which exists.
    pub(crate) directory: &'a Path,
    pub(crate) spec: &'a ServiceSpec,
    pub(crate) program: Option<&'a Program>,
    /// Further settings that only this target reads: see [`FURTHER`].
    pub(crate) further: Option<&'a Value>,
    /// All variables but PATH and HOME.
    pub(crate) environment: BTreeMap<String, String>,
    /// Its `/etc/hosts`, where it can have one.
    pub(crate) hosts: String,
    /// A folder that it must see although its home is private.
    pub(crate) shared: Option<&'a Path>,
}

/// Keys of the Compose form that this target carries out and [`ServiceSpec`] does not hold.
pub(crate) const FURTHER: &[&str] = &[
    "cap_add",
    "cpu_shares",
    "group_add",
    "mem_reservation",
    "oom_score_adj",
    "security_opt",
    "ulimits",
];

/// Where another user finds [`Source::shared`].
const SHARED_VIEW: &str = "/consort-run";

/// The specification, without probes, mode and restart.
pub(crate) async fn build(
    runtime: &Runtime,
    context: &Context,
    source: Source<'_>,
) -> Result<Spec, DriverError> {
    let layout = Layout::of(context)?;
    let rung = runtime.machine.rung();
    let spec = source.spec;
    let further = Further(source.further);
    let user = user(spec, &further, rung)?;
    let mut files = Files::new(context, &source, rung, user.as_ref().map(|(user, _)| user));
    let program_view =
        (user.is_some() && source.program.is_some()).then(|| Path::new(PROGRAM_VIEW));
    if let (Some(view), Some(program)) = (program_view, source.program) {
        files.bind(program.folder.clone(), view.to_owned(), true);
    }
    let words = command::words(source.address, spec)?;
    let command = command::plan(context, spec, &words, source.program, program_view)?;
    let mut environment = source.environment.clone();
    if let (Some(shared), true) = (source.shared, user.is_some()) {
        files.bind(shared.to_owned(), PathBuf::from(SHARED_VIEW), false);
        let inside = shared.display().to_string();
        for value in environment.values_mut().filter(|value| **value == inside) {
            *value = SHARED_VIEW.to_owned();
        }
    }
    files.all().await?;
    let home = match &user {
        Some((_, home)) => Some(home.clone()),
        None => users::home_of(rustix::process::geteuid().as_raw()),
    };
    environment
        .entry("PATH".into())
        .or_insert_with(|| runtime.path.clone());
    if let Some(home) = home {
        environment.entry("HOME".into()).or_insert(home);
    }
    let (mounts, secret_files) = (files.mounts, files.secret_files);
    let tag = format!("{}/{}", context.home, context.deployment);
    let mut built = Spec {
        control: layout.control(source.id),
        process: Process {
            program: command.program,
            args: command.args,
            cwd: Some(command.cwd),
            env: environment,
            user: user.map(|(user, _)| user),
            rlimits: further.rlimits()?,
            capabilities: capabilities(spec, &further),
            no_new_privs: further.no_new_privileges(),
            oom_score_adj: further
                .number("oom_score_adj")
                .and_then(|n| i32::try_from(n).ok()),
            ..Process::default()
        },
        secret_files,
        namespaces: rung.namespaces(),
        mounts,
        hosts: (rung != Rung::None).then_some(source.hosts),
        hostname: spec.hostname.clone().filter(|_| rung != Rung::None),
        cgroup: Some(Cgroup {
            name: format!(
                "{}/{}.{}",
                cgroup_home(context),
                context.deployment,
                source.id
            ),
            limits: limits(spec, &further),
        }),
        stop: Stop {
            signal: spec.stop_signal.clone().unwrap_or_else(|| "SIGTERM".into()),
            grace_ms: spec.stop_grace_period.millis(),
        },
        logging: logging(spec),
        ..empty(source.id, &tag, &source.address.to_string())
    };
    built.secrets = crate::secrets::tokens(&built);
    built.validate().map_err(|refused| {
        let message = format!("{} cannot be run as it is described", source.address);
        DriverError::new(Code::BLUEPRINT_INVALID, message).because(refused)
    })?;
    Ok(built)
}

fn user(
    spec: &ServiceSpec,
    further: &Further<'_>,
    rung: Rung,
) -> Result<Option<(User, String)>, DriverError> {
    let groups = further.texts("group_add");
    let text = match &spec.user {
        Some(text) if !text.is_empty() => text.clone(),
        _ if !groups.is_empty() => rustix::process::geteuid().as_raw().to_string(),
        _ => return Ok(None),
    };
    let account = users::account(&text, &groups)?;
    let own = rustix::process::geteuid().as_raw();
    if account.user.uid == own && groups.is_empty() {
        return Ok(None);
    }
    if rung != Rung::Root {
        let message = format!("only root can run a service as user `{text}`");
        return Err(DriverError::new(Code::TARGET_UNAVAILABLE, message)
            .remedy("Leave `user` out, or run the server as root."));
    }
    Ok(Some((account.user, account.home)))
}

fn capabilities(spec: &ServiceSpec, further: &Further<'_>) -> Capabilities {
    Capabilities {
        drop: spec.cap_drop.clone(),
        // A program of the host has what its user has; `cap_add` says what `cap_drop: [ALL]` leaves.
        keep: if spec.cap_drop.is_empty() {
            Vec::new()
        } else {
            further.texts("cap_add")
        },
    }
}

/// A quota below this is refused by the kernel.
const LEAST_CPU_MILLIS: u64 = 10;

fn limits(spec: &ServiceSpec, further: &Further<'_>) -> Limits {
    let positive = |key| {
        further
            .number(key)
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| *n > 0)
    };
    Limits {
        cpu_millis: spec
            .limits
            .cpus
            .map(|cpus| u64::from(cpus.0).max(LEAST_CPU_MILLIS)),
        cpu_shares: positive("cpu_shares").map(|shares| shares.clamp(2, 262_144)),
        memory: spec
            .limits
            .memory
            .map(|bytes| bytes.0)
            .filter(|bytes| *bytes > 0),
        memory_reservation: further.bytes("mem_reservation"),
        pids: spec.limits.pids,
    }
}

fn logging(spec: &ServiceSpec) -> Logging {
    let usual = Logging::default();
    Logging {
        max_size: spec
            .logging
            .max_size
            .map_or(usual.max_size, |bytes| bytes.0),
        max_file: spec
            .logging
            .max_file
            .map_or(usual.max_file, |count| count.clamp(1, 100)),
        ..usual
    }
}

/// What follows an exit of an instance.
pub(crate) fn restart(policy: &ServiceRestart) -> Restart {
    let usual = Restart::default();
    let kind = match policy.when {
        RestartWhen::No => RestartPolicy::No,
        RestartWhen::OnFailure => RestartPolicy::OnFailure,
        RestartWhen::Always => RestartPolicy::Always,
        RestartWhen::UnlessStopped => RestartPolicy::UnlessStopped,
    };
    let delay = policy.delay.map(|delay| delay.millis());
    Restart {
        policy: kind,
        max_attempts: policy.max_attempts.unwrap_or(0),
        window_ms: policy.window.map_or(0, |window| window.millis()),
        initial_ms: delay.unwrap_or(usual.initial_ms),
        cap_ms: delay.map_or(usual.cap_ms, |delay| delay.max(1)),
        ..usual
    }
}

/// Compose's health check; without one, whether the first port is listened on, which says when the
/// port holder may send clients and never that the instance is unhealthy.
pub(crate) fn probes(spec: &ServiceSpec, listens: Option<std::net::SocketAddr>) -> Vec<Probe> {
    match (&spec.healthcheck, listens) {
        (Some(check), _) => probe(check).into_iter().collect(),
        (None, Some(address)) => vec![Probe {
            name: "port".into(),
            interval_ms: 30_000,
            start_interval_ms: 100,
            start_period_ms: 60_000,
            timeout_ms: 5_000,
            retries: u32::MAX,
            ..Probe::new(Check::Tcp {
                address: address.to_string(),
            })
        }],
        (None, None) => Vec::new(),
    }
}

fn probe(check: &HealthCheck) -> Option<Probe> {
    let argv = match &check.test {
        HealthTest::Command(argv) => argv.clone(),
        HealthTest::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        HealthTest::None => return None,
    };
    Some(Probe {
        name: "healthcheck".into(),
        interval_ms: check.interval.millis().max(1),
        timeout_ms: check.timeout.millis().max(1),
        retries: check.retries.max(1),
        start_period_ms: check.start_period.millis(),
        start_interval_ms: check.start_interval.millis().max(1),
        ..Probe::new(Check::Exec { argv })
    })
}

/// Settings in their Compose form.
struct Further<'a>(Option<&'a Value>);

impl Further<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0?.get(key).filter(|value| !value.is_null())
    }
    fn texts(&self, key: &str) -> Vec<String> {
        let items = self.get(key).and_then(Value::as_array);
        items.into_iter().flatten().map(text).collect()
    }
    fn number(&self, key: &str) -> Option<i64> {
        text(self.get(key)?).parse().ok()
    }
    fn bytes(&self, key: &str) -> Option<u64> {
        let bytes: consort_model::units::Bytes = text(self.get(key)?).parse().ok()?;
        Some(bytes.0).filter(|bytes| *bytes > 0)
    }
    fn no_new_privileges(&self) -> bool {
        let options = self.texts("security_opt");
        options.iter().any(|option| {
            matches!(
                option.as_str(),
                "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true"
            )
        })
    }
    fn rlimits(&self) -> Result<BTreeMap<String, Rlimit>, DriverError> {
        let Some(Value::Object(all)) = self.get("ulimits") else {
            return Ok(BTreeMap::new());
        };
        let mut limits = BTreeMap::new();
        for (name, value) in all {
            let limit = match value {
                Value::Object(both) => Rlimit {
                    soft: both
                        .get("soft")
                        .map(|value| bound(name, value))
                        .transpose()?
                        .flatten(),
                    hard: both
                        .get("hard")
                        .map(|value| bound(name, value))
                        .transpose()?
                        .flatten(),
                },
                one => {
                    let limit = bound(name, one)?;
                    Rlimit {
                        soft: limit,
                        hard: limit,
                    }
                }
            };
            limits.insert(name.clone(), limit);
        }
        Ok(limits)
    }
}

/// -1 is unlimited.
fn bound(name: &str, value: &Value) -> Result<Option<u64>, DriverError> {
    let text = text(value);
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number) if number >= 0 => Ok(u64::try_from(number).ok()),
        _ => Err(DriverError::new(
            Code::BLUEPRINT_INVALID,
            format!("`ulimits.{name}`: `{text}` is not a limit"),
        )),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Collects what appears in the view of an instance.
struct Files<'a> {
    context: &'a Context,
    source: &'a Source<'a>,
    rung: Rung,
    user: Option<&'a User>,
    mounts: Vec<ShimMount>,
    secret_files: Vec<SecretFile>,
}

impl<'a> Files<'a> {
    fn new(
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

    fn bind(&mut self, source: PathBuf, target: PathBuf, read_only: bool) {
        self.mounts.push(ShimMount {
            target,
            source: MountSource::Bind { source },
            read_only,
        });
    }

    async fn all(&mut self) -> Result<(), DriverError> {
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
