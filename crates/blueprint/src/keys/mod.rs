//! The language as a table: every key of Compose and of ours, with its form, its meaning in one
//! sentence, and what each target does with it. The check of documents, the casts after interpolation,
//! the nearest names in messages, `explain`, and the warnings of a target all read this table.

mod build;
mod common;
mod container;
mod container_parts;
mod deploy;
mod forms;
mod network;
mod ours;
mod resource;
mod service;
mod top;
mod work;

use consort_model::blueprint::TargetKind;

pub use build::BUILD;
pub use container::CONTAINER;
pub use deploy::DEPLOY;
pub(crate) use forms::is_cron;
pub use service::{JOB, SERVICE};
pub use top::TOP;

/// What a target does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Carried out.
    Supported,
    /// Carried out in part, or emulated.
    Partial,
    /// Accepted with a warning, and without effect.
    Ignored,
    /// As the key that holds it.
    Inherited,
}

/// What the three targets do with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Support {
    /// Processes of this machine.
    pub process: Level,
    /// Docker and Podman.
    pub docker: Level,
    /// Kubernetes.
    pub kubernetes: Level,
}

impl Support {
    /// Three letters, for process, Docker, Kubernetes: S supported, P in part, W with a warning, and `-`
    /// for what the key above says.
    const fn of(letters: &[u8; 3]) -> Self {
        const fn level(letter: u8) -> Level {
            match letter {
                b'S' => Level::Supported,
                b'P' => Level::Partial,
                b'W' => Level::Ignored,
                _ => Level::Inherited,
            }
        }
        Self {
            process: level(letters[0]),
            docker: level(letters[1]),
            kubernetes: level(letters[2]),
        }
    }
    /// What this target does.
    pub const fn on(self, target: TargetKind) -> Level {
        match target {
            TargetKind::Process => self.process,
            TargetKind::Docker => self.docker,
            TargetKind::Kubernetes => self.kubernetes,
        }
    }
}

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The Compose Specification as docker compose 2.40 reads it.
    Compose,
    /// The Compose Specification after docker compose 2.40.
    ComposeNext,
    /// Consort, from this version on.
    Consort(&'static str),
}

/// Kinds of scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// Any number.
    Number,
    /// `true` or `false`.
    Bool,
    /// Null.
    Null,
}

/// What text becomes after interpolation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A boolean; `yes`, `on` and the like with a warning.
    Bool,
}

/// Which names a mapping may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Any.
    Any,
    /// Letters, digits, `.`, `_`, `-`.
    Resource,
    /// Small letters.
    Lower,
}

/// The form of a value.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Anything; what is inside is checked elsewhere, or free.
    Any,
    /// A scalar of one of these kinds.
    Scalar(&'static [Kind], Option<Cast>),
    /// A whole number in a range, or text that stands for one.
    Range {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
        /// What text becomes.
        cast: Option<Cast>,
        /// Whether text and null are allowed beside the number.
        kinds: &'static [Kind],
    },
    /// One of these words.
    Words(&'static [&'static str]),
    /// Text that this function accepts; the words say what is expected.
    TextLike(fn(&str) -> bool, &'static str),
    /// A list.
    List(&'static Self),
    /// A list in which no entry is there twice.
    Set(&'static Self),
    /// A mapping with free names.
    Map(&'static Self, Names),
    /// A mapping with known keys.
    Object(&'static Object),
    /// The first of these whose kind fits the value.
    Either(&'static [Self]),
}

/// A mapping with known keys.
#[derive(Debug)]
pub struct Object {
    /// What it is, for messages: `a service`.
    pub name: &'static str,
    /// Its keys. Later groups are further keys of the same mapping.
    pub groups: &'static [&'static [Key]],
    /// Keys that must be there.
    pub required: &'static [&'static str],
    /// Whether keys that start with `x-` are free.
    pub extensions: bool,
    /// Keys that exist elsewhere and are refused here, with the reason.
    pub refused: &'static [(&'static str, &'static str)],
}

impl Object {
    /// All its keys.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.groups.iter().flat_map(|group| group.iter())
    }
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// A known key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub shape: Shape,
    /// One sentence.
    pub doc: &'static str,
    /// Where it comes from.
    pub since: Since,
    /// What the targets do with it.
    pub support: Support,
}

const fn key(name: &'static str, shape: Shape, support: &[u8; 3], doc: &'static str) -> Key {
    Key {
        name,
        shape,
        doc,
        since: Since::Compose,
        support: Support::of(support),
    }
}

/// A key below one that says what the targets do.
const fn sub(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    key(name, shape, b"---", doc)
}

impl Key {
    const fn newer(mut self) -> Self {
        self.since = Since::ComposeNext;
        self
    }
    const fn ours(mut self) -> Self {
        self.since = Since::Consort("0.1");
        self
    }
}

impl Shape {
    /// The part of the shape for a value of a mapping under this key.
    pub fn child(&self, name: &str) -> Option<&'static Self> {
        match self {
            Self::Map(value, _) => Some(value),
            Self::Object(object) => object.key(name).map(|key| &key.shape),
            Self::Either(shapes) => shapes.iter().find_map(|shape| shape.child(name)),
            _ => None,
        }
    }
    /// The part of the shape for an entry of a list.
    pub fn item(&self) -> Option<&'static Self> {
        match self {
            Self::List(item) | Self::Set(item) => Some(item),
            Self::Either(shapes) => shapes.iter().find_map(Self::item),
            _ => None,
        }
    }
    /// What text becomes here.
    pub fn cast(&self) -> Option<Cast> {
        match self {
            Self::Scalar(_, cast) | Self::Range { cast, .. } => *cast,
            Self::Either(shapes) => shapes.iter().find_map(Self::cast),
            _ => None,
        }
    }
    /// The object inside, if this is one or can be one.
    pub fn object(&self) -> Option<&'static Object> {
        match self {
            Self::Object(object) => Some(object),
            Self::Either(shapes) => shapes.iter().find_map(Self::object),
            _ => None,
        }
    }
}

/// The key at a path of names, `*` standing for any name: `services.*.build.context`.
pub fn find(path: &str) -> Option<&'static Key> {
    let mut shape = Shape::Object(&TOP);
    let mut found = None;
    for segment in path.split('.') {
        while let Some(item) = shape.item() {
            if shape.object().is_some() || shape.child(segment).is_some() {
                break;
            }
            shape = *item;
        }
        match shape.object().and_then(|object| object.key(segment)) {
            Some(key) => {
                found = Some(key);
                shape = key.shape;
            }
            None => {
                shape = *shape.child(segment)?;
                found = None;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs \
        container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset \
        credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint \
        env_file environment expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc \
        isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models \
        network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_start pre_stop \
        privileged profiles provider pull_policy pull_refresh_after read_only restart runtime scale secrets security_opt \
        shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user \
        userns_mode uts volumes volumes_from working_dir";

    #[test]
    fn the_93_service_keys_are_there() {
        let known: std::collections::BTreeSet<_> = SERVICE
            .keys()
            .filter(|key| !matches!(key.since, Since::Consort(_)))
            .map(|key| key.name)
            .collect();
        let expected: std::collections::BTreeSet<_> = ROUTE.split_whitespace().collect();
        assert_eq!(expected.len(), 93);
        let missing: Vec<_> = expected.difference(&known).collect();
        let added: Vec<_> = known.difference(&expected).collect();
        assert!(missing.is_empty(), "missing: {missing:?}");
        // `umask` came upstream after the count of 93.
        assert_eq!(added, [&"umask"]);
    }

    fn visit(
        object: &'static Object,
        seen: &mut Vec<*const Object>,
        check: &mut dyn FnMut(&'static Object, &'static Key),
    ) {
        if seen.contains(&std::ptr::from_ref(object)) {
            return;
        }
        seen.push(object);
        for key in object.keys() {
            check(object, key);
            inner(&key.shape, seen, check);
        }
    }

    fn inner(
        shape: &'static Shape,
        seen: &mut Vec<*const Object>,
        check: &mut dyn FnMut(&'static Object, &'static Key),
    ) {
        match shape {
            Shape::Object(object) => visit(object, seen, check),
            Shape::List(item) | Shape::Set(item) | Shape::Map(item, _) => inner(item, seen, check),
            Shape::Either(shapes) => shapes.iter().for_each(|shape| inner(shape, seen, check)),
            _ => {}
        }
    }

    #[test]
    fn every_key_is_there_once_and_has_a_sentence() {
        let mut count = 0;
        visit(&TOP, &mut Vec::new(), &mut |object, key| {
            count += 1;
            assert_eq!(
                object.keys().filter(|other| other.name == key.name).count(),
                1,
                "{} of {}",
                key.name,
                object.name
            );
            assert!(
                key.doc.ends_with('.') && key.doc.len() > 5,
                "{} of {}",
                key.name,
                object.name
            );
        });
        assert!(count > 300, "{count}");
    }

    #[test]
    fn the_cast_paths_are_those_of_compose() {
        let table = [
            (
                Cast::Int,
                "cpu_count cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares oom_score_adj pids_limit scale \
              deploy.replicas deploy.update_config.parallelism deploy.rollback_config.parallelism \
              deploy.restart_policy.max_attempts deploy.placement.max_replicas_per_node healthcheck.retries ports.[].target \
              ulimits.* ulimits.*.hard ulimits.*.soft",
            ),
            (
                Cast::Float,
                "cpus cpu_percent deploy.update_config.max_failure_ratio deploy.rollback_config.max_failure_ratio",
            ),
            (
                Cast::Bool,
                "init oom_kill_disable privileged read_only stdin_open tty depends_on.*.required depends_on.*.restart \
              healthcheck.disable volumes.[].read_only volumes.[].volume.nocopy",
            ),
        ];
        let mut count = 0;
        let mut check = |cast: Cast, path: &str| {
            let mut shape = Shape::Object(&TOP);
            for segment in path.split('.') {
                let next = if segment == "[]" {
                    shape.item()
                } else {
                    shape.child(segment)
                };
                shape = *next.unwrap_or_else(|| panic!("{path}: {segment}"));
            }
            assert_eq!(shape.cast(), Some(cast), "{path}");
            count += 1;
        };
        for (cast, paths) in table {
            paths
                .split_whitespace()
                .for_each(|path| check(cast, &format!("services.*.{path}")));
        }
        for name in [
            "external",
            "internal",
            "attachable",
            "enable_ipv4",
            "enable_ipv6",
        ] {
            check(Cast::Bool, &format!("networks.*.{name}"));
        }
        for section in ["volumes", "secrets", "configs"] {
            check(Cast::Bool, &format!("{section}.*.external"));
        }
        assert_eq!(count, 42);
    }

    #[test]
    fn keys_are_found_by_their_path() {
        assert_eq!(
            find("services.*.build.context").map(|key| key.name),
            Some("context")
        );
        assert_eq!(
            find("services.*.ports.target").map(|key| key.name),
            Some("target")
        );
        assert!(find("services.*.nothing").is_none());
    }
}
