//! What this target, or this machine, does not carry out, and what follows.

use consort_model::Value;
use consort_model::service::{MountKind, ServiceSpec};

use crate::machine::{self, Rung};

/// Keys that the loader accepts for this target and that have no effect here yet.
const NOT_CARRIED_OUT: &[(&str, &str)] = &[
    ("blkio_config", "access to disks is not limited"),
    ("cgroup_parent", "its cgroup is that of the home"),
    ("cpu_count", "use `cpus`"),
    ("cpu_percent", "use `cpus`"),
    ("cpu_period", "use `cpus`"),
    ("cpu_quota", "use `cpus`"),
    ("cpuset", "it runs on every processor"),
    (
        "external_links",
        "only services of this blueprint are found by name",
    ),
    (
        "links",
        "the services are found by their names, not by further ones",
    ),
    ("memswap_limit", "swap is limited together with the memory"),
    ("pid", "it sees the processes of this machine"),
    ("post_start", "the commands do not run"),
    ("pre_start", "the commands do not run"),
    ("pre_stop", "the commands do not run"),
    (
        "privileged",
        "it has the rights of its user, no more and no less",
    ),
    (
        "read_only",
        "the file system of this machine stays writable for it",
    ),
    ("stdin_open", "it has no input"),
    ("sysctls", "the settings of this machine's kernel hold"),
    ("tty", "it has no terminal"),
];

/// One sentence for each.
pub(super) fn warnings(settings: &Value, spec: &ServiceSpec, rung: Rung) -> Vec<String> {
    let mut all: Vec<String> = NOT_CARRIED_OUT
        .iter()
        .filter(|(key, _)| settings.get(*key).is_some_and(is_set))
        .map(|(key, follows)| {
            format!("`{key}` is not carried out on the target process: {follows}")
        })
        .collect();
    if let Some(mode) = &spec.network_mode {
        all.push(format!(
            "`network_mode: {mode}` is not carried out on the target process: it uses the network of this machine, with an address of its own"
        ));
    }
    if !spec.cap_drop.is_empty() && !machine::is_root() {
        all.push("`cap_drop` changes nothing: the server's user has no capabilities".to_owned());
    }
    all.extend(limits(spec));
    if rung == Rung::None {
        all.extend(without_namespaces(spec));
    }
    all
}

/// False, empty and null say the same as nothing.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => true,
    }
}

fn limits(spec: &ServiceSpec) -> Vec<String> {
    let asked = [
        ("cpus", spec.limits.cpus.is_some(), "cpu"),
        ("memory", spec.limits.memory.is_some(), "memory"),
        ("pids", spec.limits.pids.is_some(), "pids"),
    ];
    if asked.iter().all(|(_, asked, _)| !asked) {
        return Vec::new();
    }
    let host = machine::cgroups();
    asked
        .iter()
        .filter(|(_, asked, controller)| *asked && !host.can_limit(controller))
        .map(|(name, _, controller)| {
            format!("the limit of {name} is not enforced: this machine gives no cgroup controller `{controller}`")
        })
        .collect()
}

fn without_namespaces(spec: &ServiceSpec) -> Vec<String> {
    let mut all = vec![
        "this machine allows no namespaces: services find each other by `<SERVICE>_HOST` and `<SERVICE>_PORT`, not by name".to_owned(),
    ];
    if spec.hostname.is_some() {
        all.push("`hostname` is not set: this machine allows no namespaces".to_owned());
    }
    if spec.mounts.iter().any(|mount| {
        mount.kind == MountKind::Bind && mount.source.as_deref() == Some(&mount.target)
    }) {
        all.push("a path that is bound to itself is seen as it is".to_owned());
    }
    all
}
