//! From a service or task to the specification of its shim.

mod files;
mod further;
mod life;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use consort_driver::{Context, DriverError};
use consort_model::service::ServiceSpec;
use consort_model::{Address, Code, Digest, Value};
use consort_shim::spec::{
    Capabilities, Cgroup, FORMAT, Limits, Logging, Mode, Namespaces, Process, Restart, Spec, Stop,
    User,
};

pub(crate) use files::no_view;
pub(crate) use further::FURTHER;
pub(crate) use life::{probes, restart};

use crate::command::{self, CommandPlan, PROGRAM_VIEW};
use crate::layout::Layout;
use crate::machine::Rung;
use crate::program::Program;
use crate::runtime::Runtime;
use crate::users;
use files::Files;
use further::Further;

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

/// Where another user finds [`Source::shared`].
const SHARED_VIEW: &str = "/consort-run";

/// The specification, without probes, mode and restart.
pub(crate) async fn build(
    runtime: &Runtime,
    context: &Context,
    source: Source<'_>,
) -> Result<Spec, DriverError> {
    let rung = runtime.machine.rung();
    let spec = source.spec;
    let further = Further(source.further);
    let account = user(spec, &further, rung)?;
    let user = account.as_ref().map(|(user, _)| user);
    let mut files = Files::new(context, &source, rung, user);
    let mut environment = source.environment.clone();
    // A home is private: another user sees what it needs elsewhere.
    let view = user.map(|_| Path::new(PROGRAM_VIEW));
    if let (Some(view), Some(program)) = (view, source.program) {
        files.bind(program.folder.clone(), view.to_owned(), true);
    }
    if let (Some(_), Some(shared)) = (user, source.shared) {
        files.bind(shared.to_owned(), PathBuf::from(SHARED_VIEW), false);
        let outside = shared.display().to_string();
        let same = environment.values_mut().filter(|value| **value == outside);
        same.for_each(|value| *value = SHARED_VIEW.to_owned());
    }
    files.all().await?;
    let words = command::words(source.address, spec)?;
    let command = command::plan(context, spec, &words, source.program, view)?;
    let home = match &account {
        Some((_, home)) => Some(home.clone()),
        None => users::home_of(rustix::process::geteuid().as_raw()),
    };
    let usual = [("PATH", Some(runtime.path.clone())), ("HOME", home)];
    for (name, value) in usual {
        if let Some(value) = value {
            environment.entry(name.to_owned()).or_insert(value);
        }
    }
    let (mounts, secret_files) = (files.mounts, files.secret_files);
    let process = process(
        command,
        environment,
        account.map(|(user, _)| user),
        spec,
        &further,
    )?;
    let mut built = Spec {
        process,
        secret_files,
        mounts,
        ..around(context, &source, rung, &further)?
    };
    built.secrets = crate::secrets::tokens(&built);
    built.validate().map_err(|refused| {
        let message = format!("{} cannot be run as it is described", source.address);
        DriverError::new(Code::BLUEPRINT_INVALID, message).because(refused)
    })?;
    Ok(built)
}

fn process(
    command: CommandPlan,
    env: BTreeMap<String, String>,
    user: Option<User>,
    spec: &ServiceSpec,
    further: &Further<'_>,
) -> Result<Process, DriverError> {
    Ok(Process {
        program: command.program,
        args: command.args,
        cwd: Some(command.cwd),
        env,
        user,
        rlimits: further.rlimits()?,
        capabilities: capabilities(spec, further),
        no_new_privs: further.no_new_privileges(),
        oom_score_adj: further
            .number("oom_score_adj")
            .and_then(|number| i32::try_from(number).ok()),
        ..Process::default()
    })
}

/// All but the program and its files.
fn around(
    context: &Context,
    source: &Source<'_>,
    rung: Rung,
    further: &Further<'_>,
) -> Result<Spec, DriverError> {
    let spec = source.spec;
    let has_view = rung != Rung::None;
    let tag = format!("{}/{}", context.home, context.deployment);
    Ok(Spec {
        control: Layout::of(context)?.control(source.id),
        namespaces: rung.namespaces(),
        hosts: has_view.then(|| source.hosts.clone()),
        hostname: spec.hostname.clone().filter(|_| has_view),
        cgroup: Some(Cgroup {
            name: format!(
                "{}/{}.{}",
                cgroup_home(context),
                context.deployment,
                source.id
            ),
            limits: limits(spec, further),
        }),
        stop: Stop {
            signal: spec.stop_signal.clone().unwrap_or_else(|| "SIGTERM".into()),
            grace_ms: spec.stop_grace_period.millis(),
        },
        logging: logging(spec),
        ..empty(source.id, &tag, &source.address.to_string())
    })
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
