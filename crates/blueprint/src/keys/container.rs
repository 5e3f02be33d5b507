//! What services, jobs and start hooks share: the container.

use super::common::{
    BOOL_CAST, COMMAND, GPU, GRANTS, HOSTS, INT, NULL, NULLABLE_OPTIONS, NUMBER, NUMBER_FLOAT_CAST,
    NUMBER_INT_CAST, PAIRS, STRICT_BOOL, TEXT, TEXT_OR_LIST, TEXT_OR_NULL, TEXT_OR_NUMBER,
    TEXT_OR_TEXTS, TEXTS, ULIMITS,
};
use super::container_parts::{BLKIO, CREDENTIAL, DEVICE, ENV_FILE, LOGGING, MODEL};
use super::network::{NETWORKS, VOLUMES};
use super::{Cast, Key, Kind, Names, Shape, key};

/// The keys of a container, in the order of the alphabet.
pub static CONTAINER: &[Key] = &[
    key(
        "annotations",
        PAIRS,
        b"WSS",
        "Annotations on the containers.",
    ),
    key(
        "blkio_config",
        Shape::Object(&BLKIO),
        b"SSW",
        "Limits for block devices.",
    ),
    key("cap_add", TEXTS, b"SSS", "Capabilities that are added."),
    key(
        "cap_drop",
        TEXTS,
        b"SSS",
        "Capabilities that are taken away.",
    ),
    key(
        "cgroup",
        Shape::Words(&["host", "private"]),
        b"SSW",
        "Which cgroup namespace is used.",
    ),
    key(
        "cgroup_parent",
        TEXT,
        b"SSW",
        "The cgroup above that of the container.",
    ),
    key(
        "command",
        COMMAND,
        b"SSS",
        "What runs, instead of the image's own command.",
    ),
    key("configs", GRANTS, b"SSS", "Configs that appear as files."),
    key(
        "cpu_count",
        Shape::Range {
            min: 0,
            max: i64::MAX,
            cast: Some(Cast::Int),
            kinds: &[Kind::Text],
        },
        b"SSW",
        "How many processors can be used.",
    ),
    key(
        "cpu_percent",
        Shape::Range {
            min: 0,
            max: 100,
            cast: Some(Cast::Float),
            kinds: &[Kind::Text, Kind::Number],
        },
        b"SSW",
        "The share of the processors that can be used.",
    ),
    key(
        "cpu_period",
        NUMBER_INT_CAST,
        b"SSW",
        "The period of the processor quota, in microseconds.",
    ),
    key(
        "cpu_quota",
        NUMBER_INT_CAST,
        b"SSS",
        "The processor time per period, in microseconds.",
    ),
    key(
        "cpu_rt_period",
        NUMBER_INT_CAST,
        b"PSW",
        "The period of real-time scheduling, in microseconds.",
    ),
    key(
        "cpu_rt_runtime",
        NUMBER_INT_CAST,
        b"PSW",
        "The real-time processor time per period, in microseconds.",
    ),
    key(
        "cpu_shares",
        NUMBER_INT_CAST,
        b"SSS",
        "The weight against others when processors are scarce.",
    ),
    key(
        "cpus",
        NUMBER_FLOAT_CAST,
        b"SSS",
        "How many processors can be used, also in fractions.",
    ),
    key(
        "cpuset",
        TEXT,
        b"SSW",
        "Which processors can be used, such as 0-3.",
    ),
    key(
        "credential_spec",
        Shape::Object(&CREDENTIAL),
        b"WSW",
        "The account of a Windows container.",
    ),
    key(
        "device_cgroup_rules",
        TEXTS,
        b"WSW",
        "Rules for the access to devices.",
    ),
    key(
        "devices",
        Shape::List(&Shape::Either(&[TEXT, Shape::Object(&DEVICE)])),
        b"WSW",
        "Devices of the host that appear inside.",
    ),
    key("dns", TEXT_OR_TEXTS, b"WSS", "Name servers that are asked."),
    key("dns_opt", TEXTS, b"WSS", "Options of name resolution."),
    key(
        "dns_search",
        TEXT_OR_TEXTS,
        b"WSS",
        "Domains in which short names are looked up.",
    ),
    key("domainname", TEXT, b"PSP", "The domain of the host name."),
    key(
        "entrypoint",
        COMMAND,
        b"SSS",
        "The program that runs, instead of the image's own.",
    ),
    key(
        "env_file",
        Shape::Either(&[
            TEXT,
            Shape::List(&Shape::Either(&[TEXT, Shape::Object(&ENV_FILE)])),
        ]),
        b"SSS",
        "Files with variables; later ones win, and `environment` wins over all.",
    ),
    key(
        "environment",
        PAIRS,
        b"SSS",
        "Variables; one without value takes it from the environment of the person who loads.",
    ),
    key(
        "extra_hosts",
        HOSTS,
        b"SSS",
        "Further host names and their addresses.",
    ),
    key(
        "gpus",
        Shape::Either(&[Shape::Words(&["all"]), Shape::List(&Shape::Object(&GPU))]),
        b"WSS",
        "Graphics processors that can be used.",
    ),
    key(
        "group_add",
        Shape::Set(&TEXT_OR_NUMBER),
        b"SSS",
        "Further groups of the user.",
    ),
    key("hostname", TEXT, b"PSP", "The host name inside."),
    key("image", TEXT, b"PSS", "The image that is run."),
    key(
        "init",
        BOOL_CAST,
        b"SSW",
        "Run a small first process that passes on signals and collects orphans.",
    ),
    key(
        "ipc",
        TEXT,
        b"WSW",
        "Which IPC namespace is used: host, shareable, or service:NAME.",
    ),
    key(
        "isolation",
        TEXT,
        b"WSW",
        "How containers are isolated; depends on the platform.",
    ),
    key("label_file", TEXT_OR_LIST, b"SSS", "Files with labels."),
    key("labels", PAIRS, b"SSS", "Labels of the containers."),
    key(
        "logging",
        Shape::Object(&LOGGING),
        b"PSW",
        "Where the output goes and how much of it is kept.",
    ),
    key("mac_address", TEXT, b"WSW", "A fixed hardware address."),
    key(
        "mem_limit",
        NUMBER,
        b"SSS",
        "The most memory that can be used.",
    ),
    key(
        "mem_reservation",
        INT,
        b"SSS",
        "Memory that is kept when memory is scarce.",
    ),
    key(
        "mem_swappiness",
        INT,
        b"PSW",
        "How readily memory is swapped out, 0 to 100.",
    ),
    key(
        "memswap_limit",
        NUMBER,
        b"SSW",
        "The most memory and swap together; -1 for any.",
    ),
    key(
        "models",
        Shape::Either(&[
            TEXTS,
            Shape::Map(
                &Shape::Either(&[Shape::Object(&MODEL), NULL]),
                Names::Resource,
            ),
        ]),
        b"WSW",
        "Language models of the top level that the service uses.",
    ),
    key(
        "network_mode",
        TEXT,
        b"PSP",
        "Instead of networks: none, host, bridge, service:NAME or container:NAME.",
    ),
    key(
        "networks",
        NETWORKS,
        b"PSP",
        "The networks that the service is on.",
    ),
    key(
        "oom_kill_disable",
        BOOL_CAST,
        b"PSW",
        "Do not kill the container when memory runs out.",
    ),
    key(
        "oom_score_adj",
        Shape::Range {
            min: -1000,
            max: 1000,
            cast: Some(Cast::Int),
            kinds: &[Kind::Text],
        },
        b"SSW",
        "How readily it is killed when memory runs out, -1000 to 1000.",
    ),
    key(
        "pid",
        TEXT_OR_NULL,
        b"SSW",
        "Which process namespace is used: host or service:NAME.",
    ),
    key(
        "pids_limit",
        NUMBER_INT_CAST,
        b"SSS",
        "The most processes and threads; -1 for any.",
    ),
    key(
        "platform",
        TEXT,
        b"WSS",
        "The platform of the image, such as linux/arm64.",
    ),
    key(
        "privileged",
        BOOL_CAST,
        b"SSS",
        "Run with all rights on the host.",
    ),
    key(
        "pull_policy",
        Shape::TextLike(
            is_pull_policy,
            "always, never, build, missing, if_not_present, refresh, daily, weekly or every_<duration>",
        ),
        b"WSS",
        "When the image is fetched.",
    ),
    key(
        "pull_refresh_after",
        TEXT,
        b"WSW",
        "After what time the image is fetched again.",
    ),
    key(
        "read_only",
        BOOL_CAST,
        b"PSS",
        "The root file system cannot be written.",
    ),
    key(
        "runtime",
        TEXT,
        b"SSP",
        "The runtime of the container; `process` runs it without one.",
    ),
    key("secrets", GRANTS, b"SSS", "Secrets that appear as files."),
    key(
        "security_opt",
        TEXTS,
        b"PSP",
        "Options of the security modules, such as no-new-privileges.",
    ),
    key("shm_size", NUMBER, b"WSS", "The size of /dev/shm."),
    key(
        "stop_grace_period",
        TEXT,
        b"SSS",
        "How long a stop waits before it kills; 10s if not given.",
    ),
    key(
        "stop_signal",
        TEXT,
        b"SSP",
        "The signal that asks for a stop; SIGTERM if not given.",
    ),
    key(
        "storage_opt",
        NULLABLE_OPTIONS,
        b"WSW",
        "Options of the storage driver.",
    ),
    key(
        "sysctls",
        PAIRS,
        b"PSP",
        "Settings of the kernel for the container.",
    ),
    key(
        "tmpfs",
        TEXT_OR_TEXTS,
        b"PSS",
        "Paths that are file systems in memory.",
    ),
    key("ulimits", ULIMITS, b"SSW", "Limits of the processes."),
    key(
        "umask",
        Shape::Range {
            min: 0,
            max: 4_294_967_295,
            cast: None,
            kinds: &[Kind::Text, Kind::Null],
        },
        b"SWW",
        "The permissions that new files do not get.",
    )
    .newer(),
    key(
        "use_api_socket",
        STRICT_BOOL,
        b"WSW",
        "Give the container the socket of the Docker Engine.",
    ),
    key(
        "user",
        TEXT,
        b"SSS",
        "The user, by name or number, that the program runs as.",
    ),
    key("userns_mode", TEXT, b"WSW", "Which user namespace is used."),
    key(
        "uts",
        TEXT,
        b"PSW",
        "Which namespace of the host name is used.",
    ),
    key(
        "volumes",
        VOLUMES,
        b"PSS",
        "Volumes and paths that are mounted.",
    ),
    key(
        "volumes_from",
        TEXTS,
        b"WSW",
        "Services or containers whose mounts are taken over.",
    ),
    key(
        "working_dir",
        TEXT,
        b"SSS",
        "The folder in which the program starts.",
    ),
];

fn is_pull_policy(text: &str) -> bool {
    let known = [
        "always",
        "never",
        "build",
        "if_not_present",
        "missing",
        "refresh",
        "daily",
        "weekly",
    ];
    known.contains(&text) || text.strip_prefix("every_").is_some_and(is_simple_duration)
}

/// `([0-9]+[wdhms])+`
fn is_simple_duration(text: &str) -> bool {
    let mut digits = 0;
    for c in text.chars() {
        match c {
            '0'..='9' => digits += 1,
            'w' | 'd' | 'h' | 'm' | 's' if digits > 0 => digits = 0,
            _ => return false,
        }
    }
    digits == 0 && !text.is_empty()
}
