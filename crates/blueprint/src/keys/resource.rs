//! Networks, volumes, configs, secrets and models of the top level.

use super::common::{BOOL_CAST, EXISTS, INT_ONLY, LABELS, NAME, OPTIONS, TEXT, TEXT_LIST};
use super::{Names, Object, Shape, sub};

pub(super) static NETWORK: Object = Object {
    name: "a network",
    groups: &[&[
        NAME,
        sub(
            "driver",
            TEXT,
            "What provides the network; bridge if not given.",
        ),
        sub("driver_opts", OPTIONS, "Options of the driver."),
        sub("ipam", Shape::Object(&IPAM), "How addresses are given out."),
        EXISTS,
        sub("internal", BOOL_CAST, "No way out of the network."),
        sub("enable_ipv4", BOOL_CAST, "Use IPv4 addresses."),
        sub("enable_ipv6", BOOL_CAST, "Use IPv6 addresses."),
        sub("attachable", BOOL_CAST, "Other containers may join."),
        LABELS,
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static IPAM: Object = Object {
    name: "ipam",
    groups: &[&[
        sub("driver", TEXT, "What gives out addresses."),
        sub(
            "config",
            Shape::List(&Shape::Object(&POOL)),
            "The pools of addresses.",
        ),
        sub(
            "options",
            Shape::Map(&TEXT, Names::Any),
            "Options of the driver.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static POOL: Object = Object {
    name: "an address pool",
    groups: &[&[
        sub("subnet", TEXT, "The subnet, as 10.0.0.0/24."),
        sub(
            "ip_range",
            TEXT,
            "The part of it from which addresses are given out.",
        ),
        sub("gateway", TEXT, "The way out of it."),
        sub(
            "aux_addresses",
            Shape::Map(&TEXT, Names::Any),
            "Addresses that are kept for other things.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static VOLUME: Object = Object {
    name: "a volume",
    groups: &[&[
        NAME,
        sub("driver", TEXT, "What keeps the data."),
        sub("driver_opts", OPTIONS, "Options of the driver."),
        EXISTS,
        LABELS,
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static SECRET: Object = Object {
    name: "a secret",
    groups: &[&[
        NAME,
        sub("environment", TEXT, "The variable that holds the value."),
        sub("file", TEXT, "The file that holds the value."),
        EXISTS,
        LABELS,
        sub("driver", TEXT, "What keeps the secret."),
        sub("driver_opts", OPTIONS, "Options of the driver."),
        sub(
            "template_driver",
            TEXT,
            "What fills in templates in the value.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static CONFIG: Object = Object {
    name: "a config",
    groups: &[&[
        NAME,
        sub("content", TEXT, "The content itself."),
        sub("environment", TEXT, "The variable that holds the content."),
        sub("file", TEXT, "The file that holds the content."),
        EXISTS,
        LABELS,
        sub(
            "template_driver",
            TEXT,
            "What fills in templates in the content.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static MODEL: Object = Object {
    name: "a model",
    groups: &[&[
        sub("name", TEXT, "A name for people."),
        sub("model", TEXT, "The model that is run."),
        sub(
            "context_size",
            INT_ONLY,
            "How many tokens it can see at once.",
        ),
        sub(
            "runtime_flags",
            TEXT_LIST,
            "Options for what runs the model.",
        ),
    ]],
    required: &["model"],
    extensions: true,
    refused: &[],
};
