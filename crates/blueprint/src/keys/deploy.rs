//! `deploy` of a service.

use super::common::{
    CAPABLE_DEVICE, DURATION, INT, INT_CAST, NUMBER, NUMBER_FLOAT_CAST, PAIRS, TEXT, TEXT_LIST,
};
use super::{Key, Object, Shape, sub};

/// The keys of `deploy`.
pub static DEPLOY: Object = Object {
    name: "deploy",
    groups: &[&[
        sub(
            "mode",
            TEXT,
            "`replicated`, or `global` for one replica per node.",
        ),
        sub(
            "endpoint_mode",
            TEXT,
            "`vip` for one virtual address, or `dnsrr` for one address per replica.",
        ),
        sub("replicas", INT_CAST, "How many instances run."),
        sub(
            "labels",
            PAIRS,
            "Labels of the service, not of its containers.",
        ),
        sub(
            "update_config",
            Shape::Object(&UPDATE),
            "How a new version is rolled out.",
        ),
        sub(
            "rollback_config",
            Shape::Object(&UPDATE),
            "How the old version is brought back when an update fails.",
        ),
        sub(
            "resources",
            Shape::Object(&RESOURCES),
            "What the instances may use and what is kept for them.",
        ),
        sub(
            "restart_policy",
            Shape::Object(&RESTART),
            "What happens when an instance ends.",
        ),
        sub(
            "placement",
            Shape::Object(&PLACEMENT),
            "On which nodes instances may run.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static UPDATE: Object = Object {
    name: "an update policy",
    groups: &[&[
        sub(
            "parallelism",
            INT_CAST,
            "How many instances change at once; 0 for all.",
        ),
        sub("delay", DURATION, "The pause between two groups."),
        sub("failure_action", TEXT, "`pause`, `continue` or `rollback`."),
        sub(
            "monitor",
            DURATION,
            "How long a new instance is watched before it counts as good.",
        ),
        sub(
            "max_failure_ratio",
            NUMBER_FLOAT_CAST,
            "The share of failures that is borne.",
        ),
        sub(
            "order",
            Shape::Words(&["start-first", "stop-first"]),
            "Whether the new instance starts before the old one stops.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static RESOURCES: Object = Object {
    name: "resources",
    groups: &[&[
        sub(
            "limits",
            Shape::Object(&LIMITS),
            "What an instance can use at most.",
        ),
        sub(
            "reservations",
            Shape::Object(&RESERVATIONS),
            "What is kept for an instance.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

const CPUS: Key = sub("cpus", NUMBER, "Processors, also in fractions.");
const MEMORY: Key = sub("memory", TEXT, "Memory, as a size such as 512m.");

static LIMITS: Object = Object {
    name: "limits",
    groups: &[&[
        CPUS,
        MEMORY,
        sub("pids", INT, "How many processes and threads."),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static RESERVATIONS: Object = Object {
    name: "reservations",
    groups: &[&[
        CPUS,
        MEMORY,
        sub(
            "generic_resources",
            Shape::List(&Shape::Object(&GENERIC)),
            "Other countable things of a node.",
        ),
        sub(
            "devices",
            Shape::List(&Shape::Object(&CAPABLE_DEVICE)),
            "Devices such as graphics processors.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static GENERIC: Object = Object {
    name: "a generic resource",
    groups: &[&[sub(
        "discrete_resource_spec",
        Shape::Object(&DISCRETE),
        "A thing that is counted.",
    )]],
    required: &[],
    extensions: true,
    refused: &[],
};

static DISCRETE: Object = Object {
    name: "a discrete resource",
    groups: &[&[
        sub("kind", TEXT, "What is counted."),
        sub("value", NUMBER, "How many of it."),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static RESTART: Object = Object {
    name: "a restart policy",
    groups: &[&[
        sub("condition", TEXT, "`none`, `on-failure` or `any`."),
        sub("delay", DURATION, "The pause before a restart."),
        sub(
            "max_attempts",
            INT_CAST,
            "How many restarts before it counts as failed.",
        ),
        sub(
            "window",
            DURATION,
            "How long an instance must run for a restart to count as a success.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static PLACEMENT: Object = Object {
    name: "placement",
    groups: &[&[
        sub(
            "constraints",
            TEXT_LIST,
            "Conditions that a node must meet.",
        ),
        sub(
            "preferences",
            Shape::List(&Shape::Object(&PREFERENCE)),
            "How instances are spread.",
        ),
        sub(
            "max_replicas_per_node",
            INT_CAST,
            "How many instances one node takes.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static PREFERENCE: Object = Object {
    name: "a placement preference",
    groups: &[&[sub(
        "spread",
        TEXT,
        "The label of nodes over whose values instances are spread.",
    )]],
    required: &[],
    extensions: true,
    refused: &[],
};
