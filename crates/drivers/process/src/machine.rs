//! What this machine can do.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use consort_shim::cgroup::Host;
use consort_shim::spec::Namespaces;

/// How an instance gets its own view of files and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// A mount namespace, made as root.
    Root,
    /// A user and mount namespace, without privileges.
    User,
    /// None: instances see the host as it is, and find services by `<SERVICE>_HOST` only.
    None,
}

impl Rung {
    pub(crate) const fn namespaces(self) -> Namespaces {
        match self {
            Self::Root => Namespaces::RootMountNs,
            Self::User => Namespaces::UserMountNs,
            Self::None => Namespaces::None,
        }
    }
}

/// CAP_SYS_ADMIN, as `/proc/self/status` counts.
const SYS_ADMIN: u64 = 1 << 21;
/// CAP_NET_BIND_SERVICE.
const NET_BIND_SERVICE: u64 = 1 << 10;

/// This machine, looked at once.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    rung: OnceLock<Rung>,
}

impl Machine {
    /// A machine of which only this rung may be used.
    pub(crate) fn limited_to(rung: Rung) -> Self {
        Self { rung: rung.into() }
    }

    /// The best rung that works. The first call may run a program for some milliseconds.
    pub(crate) fn rung(&self) -> Rung {
        *self.rung.get_or_init(|| {
            if is_root() && capabilities() & SYS_ADMIN != 0 {
                Rung::Root
            } else if user_namespaces_work() {
                Rung::User
            } else {
                Rung::None
            }
        })
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn capabilities() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
        .unwrap_or(0)
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Tried, where the program for it is there (util-linux): kernels, distributions and containers
/// forbid user namespaces in too many ways to know them all.
fn user_namespaces_work() -> bool {
    if number("/proc/sys/user/max_user_namespaces") == Some(0)
        || number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0)
    {
        return false;
    }
    let tried = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match tried {
        Ok(status) => status.success(),
        Err(_) => number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != Some(1),
    }
}

/// The first port that may be bound without privileges.
pub(crate) fn first_free_port() -> u16 {
    if capabilities() & NET_BIND_SERVICE != 0 {
        return 1;
    }
    number("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(1024)
}

/// The hierarchies in which groups can be made.
pub(crate) fn cgroups() -> Host {
    Host::detect()
}

/// The IPv4 addresses of this machine that others can reach it by, and 127.0.0.1.
///
/// A published port is bound on each of them rather than on 0.0.0.0: the kernel lets nobody else
/// listen on a port of 0.0.0.0, so that no virtual address and no instance could have the same port.
pub(crate) fn addresses() -> Vec<std::net::Ipv4Addr> {
    let table = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    addresses_of(&table)
}

/// `|-- ADDRESS` and then `/32 host LOCAL` is an address of the machine itself.
fn addresses_of(table: &str) -> Vec<std::net::Ipv4Addr> {
    let mut found = std::collections::BTreeSet::from([std::net::Ipv4Addr::LOCALHOST]);
    let mut last = None;
    for line in table.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<std::net::Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last.filter(|address| !address.is_loopback()));
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_addresses_of_the_machine_in_the_routing_table() {
        let table = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.2\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        let texts: Vec<String> = addresses_of(table)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(texts, ["127.0.0.1", "192.0.2.2"]);
    }
}
