//! Limits as both versions of cgroups write them.

use std::fs;
use std::io;
use std::path::Path;

use super::Host;
use crate::spec::Limits;

/// The period of a quota, in microseconds: the kernel's default.
const PERIOD_US: u64 = 100_000;

/// One limit.
pub(super) struct Limit {
    /// As the specification calls it.
    pub(super) name: &'static str,
    pub(super) value: u64,
    pub(super) controller: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    CpuQuota,
    CpuShares,
    Memory,
    MemoryReservation,
    Pids,
}

/// The limits that are set.
pub(super) fn all(limits: &Limits) -> Vec<Limit> {
    let Limits {
        cpu_millis,
        cpu_shares,
        memory,
        memory_reservation,
        pids,
    } = limits;
    [
        ("cpu_millis", *cpu_millis, "cpu", Kind::CpuQuota),
        ("cpu_shares", *cpu_shares, "cpu", Kind::CpuShares),
        ("memory", *memory, "memory", Kind::Memory),
        (
            "memory_reservation",
            *memory_reservation,
            "memory",
            Kind::MemoryReservation,
        ),
        ("pids", *pids, "pids", Kind::Pids),
    ]
    .into_iter()
    .filter_map(|(name, value, controller, kind)| {
        Some(Limit {
            name,
            value: value?,
            controller,
            kind,
        })
    })
    .collect()
}

impl Limit {
    pub(super) fn write_v2(&self, group: &Path) -> io::Result<()> {
        let value = self.value;
        match self.kind {
            Kind::CpuQuota => write(group, "cpu.max", &format!("{} {PERIOD_US}", quota(value))),
            Kind::CpuShares => write(group, "cpu.weight", &weight(value).to_string()),
            Kind::Memory => {
                write(group, "memory.max", &value.to_string())?;
                // Without it the limit is no limit on a machine with swap; not every machine has the file.
                let _ = write(group, "memory.swap.max", "0");
                let _ = write(group, "memory.oom.group", "1");
                Ok(())
            }
            Kind::MemoryReservation => write(group, "memory.low", &value.to_string()),
            Kind::Pids => write(group, "pids.max", &value.to_string()),
        }
    }

    pub(super) fn write_v1(&self, group: &Path) -> io::Result<()> {
        let value = self.value;
        match self.kind {
            Kind::CpuQuota => {
                write(group, "cpu.cfs_period_us", &PERIOD_US.to_string())?;
                write(group, "cpu.cfs_quota_us", &quota(value).to_string())
            }
            Kind::CpuShares => write(group, "cpu.shares", &value.to_string()),
            Kind::Memory => {
                // The limit with swap may not be below the one without: it goes first up, then down.
                let _ = write(group, "memory.memsw.limit_in_bytes", "-1");
                write(group, "memory.limit_in_bytes", &value.to_string())?;
                let _ = write(group, "memory.memsw.limit_in_bytes", &value.to_string());
                Ok(())
            }
            Kind::MemoryReservation => {
                write(group, "memory.soft_limit_in_bytes", &value.to_string())
            }
            Kind::Pids => write(group, "pids.max", &value.to_string()),
        }
    }
}

fn quota(cpu_millis: u64) -> u64 {
    (cpu_millis * PERIOD_US / 1000).max(1000)
}

/// Shares of v1 as a weight of v2: the linear formula of runc before 1.3 (opencontainers/cgroups).
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

/// Whether limits go to v2 on this machine.
pub(super) fn in_v2(host: &Host) -> bool {
    ["cpu", "memory", "pids"]
        .iter()
        .any(|name| host.v2_controllers.iter().any(|known| known == name))
}

/// Turns the controllers on in each folder from `base` down to the group. A refusal shows later,
/// as a limit that cannot be written.
pub(super) fn enable_controllers(base: &Path, group: &Path, controllers: &[String]) {
    let Ok(below) = group.strip_prefix(base) else {
        return;
    };
    let mut at = base.to_owned();
    let mut parts = below.components();
    loop {
        for name in ["cpu", "memory", "pids"]
            .iter()
            .filter(|name| controllers.iter().any(|known| known == *name))
        {
            let _ = write(&at, "cgroup.subtree_control", &format!("+{name}"));
        }
        let Some(part) = parts.next() else { return };
        at.push(part);
        let _ = fs::create_dir(&at);
    }
}

fn write(group: &Path, file: &str, value: &str) -> io::Result<()> {
    fs::write(group.join(file), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_shares_and_quota() {
        assert_eq!((weight(2), weight(1024), weight(262_144)), (1, 39, 10_000));
        assert_eq!(
            (quota(250), quota(1000), quota(10)),
            (25_000, 100_000, 1000)
        );
    }
}
