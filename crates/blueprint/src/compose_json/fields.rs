//! What docker compose prints, in its own order, and what it leaves out.

/// How a value is printed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Plain,
    Text,
    Number,
    /// A number with 32 bits.
    Float,
    Flag,
    /// Bytes, as text.
    Bytes,
    Duration,
    /// Permissions, as octal text.
    Mode,
    /// A number, or -1 for `all`.
    Count,
    /// A list of texts; a single one becomes a list.
    Texts,
    Sorted,
    TextMap,
    NullableTextMap,
    /// Texts by name, each a list.
    Options,
    Object(&'static [Field]),
    List(&'static Self),
    /// By name; null stays.
    Map(&'static Self),
    /// A number or a soft and a hard one.
    Limit,
    Ssh,
}

/// When a key is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// When it is neither missing nor zero.
    IfSet,
    /// When it is not missing.
    Present,
    /// Always; null when missing.
    Null,
    /// Always; an empty object when missing.
    Object,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) key: &'static str,
    printed: Option<&'static str>,
    pub(super) form: Form,
    pub(super) keep: Keep,
}

impl Field {
    pub(super) fn printed(&self) -> &'static str {
        self.printed.unwrap_or(self.key)
    }
    const fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }
    const fn renamed(mut self, name: &'static str) -> Self {
        self.printed = Some(name);
        self
    }
}

const fn field(key: &'static str, form: Form) -> Field {
    Field {
        key,
        printed: None,
        form,
        keep: Keep::IfSet,
    }
}
const fn text(key: &'static str) -> Field {
    field(key, Form::Text)
}
const fn texts(key: &'static str) -> Field {
    field(key, Form::Texts)
}
const fn present(key: &'static str, form: Form) -> Field {
    field(key, form).keep(Keep::Present)
}

pub(super) static SERVICE: &[Field] = &[
    texts("profiles"),
    field("annotations", Form::TextMap),
    present("attach", Form::Flag),
    present("build", Form::Object(BUILD)),
    present("develop", Form::Object(DEVELOP)),
    present("blkio_config", Form::Object(BLKIO)),
    texts("cap_add"),
    texts("cap_drop"),
    text("cgroup_parent"),
    text("cgroup"),
    field("cpu_count", Form::Number),
    field("cpu_percent", Form::Float),
    field("cpu_period", Form::Number),
    field("cpu_quota", Form::Number),
    field("cpu_rt_period", Form::Number),
    field("cpu_rt_runtime", Form::Number),
    field("cpus", Form::Float),
    text("cpuset"),
    field("cpu_shares", Form::Number),
    field("command", Form::Texts).keep(Keep::Null),
    field("configs", Form::List(&Form::Object(GRANT))),
    text("container_name"),
    present("credential_spec", Form::Object(CREDENTIAL)),
    field("depends_on", Form::Map(&Form::Object(DEPENDENCY))),
    present("deploy", Form::Object(DEPLOY)),
    texts("device_cgroup_rules"),
    field("devices", Form::List(&Form::Object(DEVICE))),
    texts("dns"),
    texts("dns_opt"),
    texts("dns_search"),
    text("domainname"),
    field("entrypoint", Form::Texts).keep(Keep::Null),
    present("provider", Form::Object(PROVIDER)),
    field("environment", Form::NullableTextMap),
    texts("expose"),
    texts("external_links"),
    field("extra_hosts", Form::Sorted),
    texts("group_add"),
    field("gpus", Form::List(&Form::Object(REQUEST))),
    text("hostname"),
    present("healthcheck", Form::Object(HEALTHCHECK)),
    text("image"),
    present("init", Form::Flag),
    text("ipc"),
    text("isolation"),
    field("labels", Form::TextMap),
    texts("links"),
    present("logging", Form::Object(LOGGING)),
    field("mem_limit", Form::Bytes).keep(Keep::Present),
    field("mem_reservation", Form::Bytes).keep(Keep::Present),
    field("memswap_limit", Form::Bytes).keep(Keep::Present),
    field("mem_swappiness", Form::Bytes).keep(Keep::Present),
    text("mac_address"),
    field("models", Form::Map(&Form::Object(MODEL))),
    text("network_mode"),
    field("networks", Form::Map(&Form::Object(ATTACHMENT))),
    field("oom_kill_disable", Form::Flag),
    field("oom_score_adj", Form::Number),
    text("pid"),
    field("pids_limit", Form::Number),
    text("platform"),
    field("ports", Form::List(&Form::Object(PORT))),
    field("privileged", Form::Flag),
    text("pull_policy"),
    text("pull_refresh_after"),
    field("read_only", Form::Flag),
    text("restart"),
    text("runtime"),
    present("scale", Form::Number),
    field("secrets", Form::List(&Form::Object(GRANT))),
    texts("security_opt"),
    field("shm_size", Form::Bytes),
    field("stdin_open", Form::Flag),
    present("stop_grace_period", Form::Duration),
    text("stop_signal"),
    field("storage_opt", Form::TextMap),
    field("sysctls", Form::TextMap),
    texts("tmpfs"),
    field("tty", Form::Flag),
    field("ulimits", Form::Map(&Form::Limit)),
    present("umask", Form::Plain),
    field("use_api_socket", Form::Flag),
    text("user"),
    text("userns_mode"),
    text("uts"),
    field("volumes", Form::List(&Form::Object(MOUNT))),
    texts("volumes_from"),
    text("working_dir"),
    field("pre_start", Form::List(&Form::Plain)),
    field("post_start", Form::List(&Form::Object(HOOK))),
    field("pre_stop", Form::List(&Form::Object(HOOK))),
];

static BUILD: &[Field] = &[
    text("context"),
    text("dockerfile"),
    text("dockerfile_inline"),
    texts("entitlements"),
    field("args", Form::NullableTextMap),
    text("provenance"),
    text("sbom"),
    field("ssh", Form::Ssh),
    field("labels", Form::TextMap),
    texts("cache_from"),
    texts("cache_to"),
    field("no_cache", Form::Flag),
    texts("no_cache_filter"),
    field("additional_contexts", Form::TextMap),
    field("pull", Form::Flag),
    field("extra_hosts", Form::Sorted),
    text("isolation"),
    text("network"),
    text("target"),
    field("secrets", Form::List(&Form::Object(GRANT))),
    field("shm_size", Form::Bytes),
    texts("tags"),
    field("ulimits", Form::Map(&Form::Limit)),
    texts("platforms"),
    field("privileged", Form::Flag),
];

static DEVELOP: &[Field] = &[field("watch", Form::List(&Form::Object(WATCH)))];

static WATCH: &[Field] = &[
    present("path", Form::Text),
    present("action", Form::Text),
    text("target"),
    field("exec", Form::Object(HOOK)).keep(Keep::Object),
    texts("include"),
    texts("ignore"),
    field("initial_sync", Form::Flag),
];

static HOOK: &[Field] = &[
    field("command", Form::Texts).keep(Keep::Null),
    text("user"),
    field("privileged", Form::Flag),
    text("working_dir"),
    field("environment", Form::NullableTextMap),
];

static BLKIO: &[Field] = &[
    field("weight", Form::Number),
    field("weight_device", Form::List(&Form::Object(WEIGHT))),
    field("device_read_bps", Form::List(&Form::Object(RATE))),
    field("device_read_iops", Form::List(&Form::Object(RATE))),
    field("device_write_bps", Form::List(&Form::Object(RATE))),
    field("device_write_iops", Form::List(&Form::Object(RATE))),
];

static WEIGHT: &[Field] = &[
    present("path", Form::Text).renamed("Path"),
    present("weight", Form::Number).renamed("Weight"),
];
static RATE: &[Field] = &[
    present("path", Form::Text).renamed("Path"),
    present("rate", Form::Bytes).renamed("Rate"),
];

static GRANT: &[Field] = &[
    text("source"),
    text("target"),
    text("uid"),
    text("gid"),
    present("mode", Form::Mode),
];

static CREDENTIAL: &[Field] = &[text("config"), text("file"), text("registry")];

static DEPENDENCY: &[Field] = &[
    text("condition"),
    field("restart", Form::Flag),
    present("required", Form::Flag),
];

static DEPLOY: &[Field] = &[
    text("mode"),
    present("replicas", Form::Number),
    field("labels", Form::TextMap),
    present("update_config", Form::Object(UPDATE)),
    present("rollback_config", Form::Object(UPDATE)),
    field("resources", Form::Object(RESOURCES)).keep(Keep::Object),
    present("restart_policy", Form::Object(RESTART)),
    field("placement", Form::Object(PLACEMENT)).keep(Keep::Object),
    text("endpoint_mode"),
];

static UPDATE: &[Field] = &[
    present("parallelism", Form::Number),
    field("delay", Form::Duration),
    text("failure_action"),
    field("monitor", Form::Duration),
    field("max_failure_ratio", Form::Float),
    text("order"),
];

static RESOURCES: &[Field] = &[
    present("limits", Form::Object(RESOURCE)),
    present("reservations", Form::Object(RESOURCE)),
];

static RESOURCE: &[Field] = &[
    field("cpus", Form::Float),
    field("memory", Form::Bytes),
    field("pids", Form::Number),
    field("devices", Form::List(&Form::Object(REQUEST))),
    field("generic_resources", Form::List(&Form::Object(GENERIC))),
];

static REQUEST: &[Field] = &[
    texts("capabilities"),
    text("driver"),
    field("count", Form::Count),
    texts("device_ids"),
    field("options", Form::TextMap),
];

static GENERIC: &[Field] = &[present("discrete_resource_spec", Form::Object(DISCRETE))];
static DISCRETE: &[Field] = &[present("kind", Form::Text), present("value", Form::Number)];

static RESTART: &[Field] = &[
    text("condition"),
    present("delay", Form::Duration),
    present("max_attempts", Form::Number),
    present("window", Form::Duration),
];

static PLACEMENT: &[Field] = &[
    texts("constraints"),
    field("preferences", Form::List(&Form::Object(PREFERENCE))),
    field("max_replicas_per_node", Form::Number),
];
static PREFERENCE: &[Field] = &[text("spread")];

static DEVICE: &[Field] = &[text("source"), text("target"), text("permissions")];

static PROVIDER: &[Field] = &[text("type"), field("options", Form::Options)];

static HEALTHCHECK: &[Field] = &[
    texts("test"),
    present("timeout", Form::Duration),
    present("interval", Form::Duration),
    present("retries", Form::Number),
    present("start_period", Form::Duration),
    present("start_interval", Form::Duration),
    field("disable", Form::Flag),
];

static LOGGING: &[Field] = &[text("driver"), field("options", Form::TextMap)];

static MODEL: &[Field] = &[text("endpoint_var"), text("model_var")];

static ATTACHMENT: &[Field] = &[
    texts("aliases"),
    field("driver_opts", Form::TextMap),
    field("gw_priority", Form::Number),
    text("interface_name"),
    text("ipv4_address"),
    text("ipv6_address"),
    texts("link_local_ips"),
    text("mac_address"),
    field("priority", Form::Number),
];

static PORT: &[Field] = &[
    text("name"),
    text("mode"),
    text("host_ip"),
    field("target", Form::Number),
    text("published"),
    text("protocol"),
    text("app_protocol"),
];

static MOUNT: &[Field] = &[
    text("type"),
    text("source"),
    text("target"),
    field("read_only", Form::Flag),
    text("consistency"),
    present("bind", Form::Object(BIND)),
    present("volume", Form::Object(MOUNT_VOLUME)),
    present("tmpfs", Form::Object(TMPFS)),
    present("image", Form::Object(IMAGE)),
];

static BIND: &[Field] = &[
    text("selinux"),
    text("propagation"),
    field("create_host_path", Form::Flag),
    text("recursive"),
];
static MOUNT_VOLUME: &[Field] = &[
    field("labels", Form::TextMap),
    field("nocopy", Form::Flag),
    text("subpath"),
];
static TMPFS: &[Field] = &[field("size", Form::Bytes), field("mode", Form::Number)];
static IMAGE: &[Field] = &[text("subpath")];

pub(super) static LIMIT: &[Field] = &[field("soft", Form::Number), field("hard", Form::Number)];

pub(super) static NETWORK: &[Field] = &[
    text("name"),
    text("driver"),
    field("driver_opts", Form::TextMap),
    field("ipam", Form::Object(IPAM)).keep(Keep::Object),
    field("external", Form::Flag),
    field("internal", Form::Flag),
    field("attachable", Form::Flag),
    field("labels", Form::TextMap),
    present("enable_ipv4", Form::Flag),
    present("enable_ipv6", Form::Flag),
];

static IPAM: &[Field] = &[
    text("driver"),
    field("config", Form::List(&Form::Object(POOL))),
];
static POOL: &[Field] = &[
    text("subnet"),
    text("gateway"),
    text("ip_range"),
    field("aux_addresses", Form::TextMap),
];

pub(super) static VOLUME: &[Field] = &[
    text("name"),
    text("driver"),
    field("driver_opts", Form::TextMap),
    field("external", Form::Flag),
    field("labels", Form::TextMap),
];

pub(super) static FILE_OBJECT: &[Field] = &[
    text("name"),
    text("file"),
    text("environment"),
    text("content"),
    field("external", Form::Flag),
    field("labels", Form::TextMap),
    text("driver"),
    field("driver_opts", Form::TextMap),
    text("template_driver"),
];
