//! What this machine can do, and what follows: for `doctor`.

use std::net::Ipv4Addr;
use std::path::Path;

use consort_driver::{Capability, Context};
use consort_shim::cgroup::Level;

use crate::machine::{self, Rung};
use crate::runtime::Runtime;
use crate::{error, holder};

/// Everything that changes what a user gets.
pub(crate) async fn all(runtime: &Runtime, context: &Context) -> Vec<Capability> {
    let (rung, path) = (runtime.machine.rung(), runtime.path.clone());
    let mut all = vec![namespaces(rung)];
    let rest = error::blocking(move || {
        let mut rest = vec![tracking(), limits(), low_ports(), loopback()];
        rest.extend(programs(&path));
        rest
    });
    all.extend(rest.await.unwrap_or_default());
    let runs = holder::running(context).await.is_some();
    all.push(Capability {
        name: "port holder".into(),
        available: true,
        detail: if runs {
            "runs"
        } else {
            "is started with the first service"
        }
        .into(),
        consequence: "Ports and virtual addresses outlive the server.".into(),
    });
    all
}

fn capability(
    name: &str,
    available: bool,
    detail: impl Into<String>,
    consequence: &str,
) -> Capability {
    Capability {
        name: name.into(),
        available,
        detail: detail.into(),
        consequence: consequence.into(),
    }
}

fn namespaces(rung: Rung) -> Capability {
    let name = "mount namespaces";
    match rung {
        Rung::Root => capability(
            name,
            true,
            "as root",
            "Services find each other by name; volumes, configs and secrets appear where the blueprint says.",
        ),
        Rung::User => capability(
            name,
            true,
            "in user namespaces",
            "Services find each other by name; volumes, configs and secrets appear where the blueprint says. `user` is not possible.",
        ),
        Rung::None => capability(
            name,
            false,
            "neither root nor user namespaces",
            "Services find each other by `<SERVICE>_HOST` and `_PORT` only; volumes, configs and secrets are refused.",
        ),
    }
}

fn tracking() -> Capability {
    let level = machine::cgroups().level();
    let (available, detail) = match level {
        Level::V2 | Level::Hybrid | Level::V2Tracking => (true, "cgroup v2"),
        Level::V1 => (true, "cgroup v1"),
        Level::None => (false, "no cgroup can be made"),
    };
    let follows = if available {
        "No process of an instance is left behind."
    } else {
        "Processes are found by their parent and a mark in their environment; one that hides both can be left behind."
    };
    capability("process tracking", available, detail, follows)
}

fn limits() -> Capability {
    let host = machine::cgroups();
    let (can, cannot): (Vec<&str>, Vec<&str>) = ["cpu", "memory", "pids"]
        .into_iter()
        .partition(|name| host.can_limit(name));
    let detail = match (can.is_empty(), cannot.is_empty()) {
        (_, true) => can.join(", "),
        (true, false) => "no controller is given to this user".to_owned(),
        (false, false) => format!("{}; not {}", can.join(", "), cannot.join(", ")),
    };
    let follows = if cannot.is_empty() {
        "Limits of services and shares of pools are enforced."
    } else {
        "Limits that are not enforced are named in the plan; durations of workloads are not comparable."
    };
    capability("cgroup limits", cannot.is_empty(), detail, follows)
}

fn low_ports() -> Capability {
    let first = machine::first_free_port();
    let detail = format!("ports from {first}");
    if first <= 80 {
        capability(
            "low ports",
            true,
            detail,
            "Services may listen on ports such as 80.",
        )
    } else {
        capability(
            "low ports",
            false,
            detail,
            "Services that listen on lower ports are refused; `sysctl net.ipv4.ip_unprivileged_port_start=80` allows them.",
        )
    }
}

fn loopback() -> Capability {
    let bound = std::net::TcpListener::bind((Ipv4Addr::new(127, 127, 255, 254), 0));
    match bound {
        Ok(_) => capability(
            "addresses in 127/8",
            true,
            "all of 127/8 is local",
            "Every service and instance has an address of its own.",
        ),
        Err(problem) => capability(
            "addresses in 127/8",
            false,
            problem.to_string(),
            "Services cannot run here: they have no addresses.",
        ),
    }
}

fn programs(path: &str) -> Vec<Capability> {
    let find = |name: &str| {
        path.split(':')
            .map(|folder| Path::new(folder).join(name))
            .find(|path| path.is_file())
    };
    let docker = Path::new("/var/run/docker.sock").exists();
    let docker_detail = match (docker, find("docker")) {
        (true, _) => "an engine listens on /var/run/docker.sock",
        (false, Some(_)) => "the client is installed, no engine listens",
        (false, None) => "not installed",
    };
    let qemu = find("qemu-system-x86_64").or_else(|| find("qemu-system-aarch64"));
    let kvm = Path::new("/dev/kvm").exists();
    let qemu_detail = match (&qemu, kvm) {
        (Some(path), true) => format!("{} with KVM", path.display()),
        (Some(path), false) => format!("{} without KVM", path.display()),
        (None, _) => "not installed".to_owned(),
    };
    vec![
        capability(
            "docker",
            docker,
            docker_detail,
            if docker {
                "`target: docker` can be used."
            } else {
                "Services with only an image need `target: docker` and an engine."
            },
        ),
        capability(
            "qemu",
            qemu.is_some(),
            qemu_detail,
            if qemu.is_some() {
                "Virtual machines can be made here."
            } else {
                "Virtual machines cannot be made here."
            },
        ),
    ]
}
