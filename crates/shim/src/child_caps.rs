//! Capabilities by name (capabilities(7)), and dropping them.

use std::io;

use rustix::thread::{
    CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities,
};

use crate::spec::Capabilities;

/// In the order of their numbers.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The set that a name stands for: `ALL`, `NET_RAW`, `cap_net_raw`.
pub(crate) fn set_of(name: &str) -> Option<CapabilitySet> {
    let upper = name.to_ascii_uppercase();
    if upper == "ALL" {
        return Some(CapabilitySet::all());
    }
    let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let number = NAMES.iter().position(|known| *known == short)?;
    Some(CapabilitySet::from_bits_retain(1 << number))
}

/// What is dropped after `keep`.
pub(crate) fn dropped(asked: &Capabilities) -> CapabilitySet {
    let union = |names: &[String]| {
        names
            .iter()
            .filter_map(|name| set_of(name))
            .fold(CapabilitySet::empty(), CapabilitySet::union)
    };
    union(&asked.drop).difference(union(&asked.keep))
}

/// Takes capabilities from the bounding set, so that no exec brings them back. Needs `CAP_SETPCAP`.
pub(crate) fn drop_bounding(set: CapabilitySet) -> io::Result<()> {
    for number in 0..NAMES.len() {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if !set.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            // A kernel that does not know the capability gives none of it.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Takes capabilities from the sets of this process.
pub(crate) fn drop_own(set: CapabilitySet) -> io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.effective.remove(set);
    sets.permitted.remove(set);
    sets.inheritable.remove(set);
    Ok(set_capabilities(None, sets)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_named_when_all_are_dropped() {
        let asked = Capabilities {
            drop: vec!["ALL".into()],
            keep: vec!["cap_net_bind_service".into()],
        };
        let kept = CapabilitySet::from_bits_retain(1 << 10);
        assert_eq!(dropped(&asked), CapabilitySet::all().difference(kept));
        assert_eq!(
            set_of("CHECKPOINT_RESTORE"),
            Some(CapabilitySet::from_bits_retain(1 << 40))
        );
        assert_eq!(set_of("CAP_FLY"), None);
    }
}
