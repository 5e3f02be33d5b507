//! Networks, ports and mounts of a service.

use super::common::{
    BOOL, BOOL_CAST, INT, INT_CAST, NULL, NUMBER, NUMBER_ONLY, OPTIONS, PAIRS, TEXT, TEXTS,
};
use super::{Kind, Names, Object, Shape, sub};

pub(super) const NETWORKS: Shape = Shape::Either(&[
    TEXTS,
    Shape::Map(
        &Shape::Either(&[Shape::Object(&ATTACHMENT), NULL]),
        Names::Resource,
    ),
]);

static ATTACHMENT: Object = Object {
    name: "a network of a service",
    groups: &[&[
        sub(
            "aliases",
            TEXTS,
            "Further names of the service on this network.",
        ),
        sub("interface_name", TEXT, "The name of the interface inside."),
        sub("ipv4_address", TEXT, "A fixed IPv4 address."),
        sub("ipv6_address", TEXT, "A fixed IPv6 address."),
        sub("link_local_ips", TEXTS, "Link-local addresses."),
        sub("mac_address", TEXT, "A fixed hardware address."),
        sub("driver_opts", OPTIONS, "Options of the network's driver."),
        sub(
            "priority",
            NUMBER_ONLY,
            "In which order networks are connected; higher is first.",
        ),
        sub(
            "gw_priority",
            NUMBER_ONLY,
            "Which network is the way out; the highest wins.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) const PORTS: Shape = Shape::Set(&Shape::Either(&[
    Shape::Scalar(&[Kind::Number, Kind::Text], None),
    Shape::Object(&PORT),
]));

static PORT: Object = Object {
    name: "a port",
    groups: &[&[
        sub("name", TEXT, "A name for people."),
        sub(
            "mode",
            TEXT,
            "`ingress` for a balanced port, or `host` for one per node.",
        ),
        sub(
            "host_ip",
            TEXT,
            "The address of the host that is bound; all if not given.",
        ),
        sub("target", INT_CAST, "The port inside."),
        sub(
            "published",
            INT,
            "The port or range outside; any free one if not given.",
        ),
        sub("protocol", TEXT, "`tcp` or `udp`."),
        sub(
            "app_protocol",
            TEXT,
            "What is spoken over it, such as http; helps proxies.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) const VOLUMES: Shape = Shape::Set(&Shape::Either(&[TEXT, Shape::Object(&MOUNT)]));

static MOUNT: Object = Object {
    name: "a mount",
    groups: &[&[
        sub(
            "type",
            Shape::Words(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
            "What is mounted.",
        ),
        sub(
            "source",
            TEXT,
            "A path of the host, or the name of a volume or an image.",
        ),
        sub("target", TEXT, "The path inside."),
        sub(
            "read_only",
            BOOL_CAST,
            "Mount it without the right to write.",
        ),
        sub(
            "consistency",
            TEXT,
            "How strictly host and container see the same; depends on the platform.",
        ),
        sub("bind", Shape::Object(&BIND), "Settings of a bind mount."),
        sub("volume", Shape::Object(&VOLUME), "Settings of a volume."),
        sub(
            "tmpfs",
            Shape::Object(&TMPFS),
            "Settings of a memory file system.",
        ),
        sub(
            "image",
            Shape::Object(&IMAGE),
            "Settings of a mounted image.",
        ),
    ]],
    required: &["type"],
    extensions: true,
    refused: &[],
};

static BIND: Object = Object {
    name: "bind",
    groups: &[&[
        sub("propagation", TEXT, "How mounts below it spread."),
        sub(
            "create_host_path",
            BOOL,
            "Make the folder on the host if it is missing.",
        ),
        sub(
            "recursive",
            Shape::Words(&["enabled", "disabled", "writable", "readonly"]),
            "Whether mounts below the source come along.",
        ),
        sub(
            "selinux",
            Shape::Words(&["z", "Z"]),
            "SELinux label: `z` shared, `Z` private.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static VOLUME: Object = Object {
    name: "volume",
    groups: &[&[
        sub("labels", PAIRS, "Labels of an anonymous volume."),
        sub(
            "nocopy",
            BOOL_CAST,
            "Do not copy what the image has at this path.",
        ),
        sub("subpath", TEXT, "A path within the volume."),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static TMPFS: Object = Object {
    name: "tmpfs",
    groups: &[&[
        sub(
            "size",
            Shape::Range {
                min: 0,
                max: i64::MAX,
                cast: None,
                kinds: &[Kind::Text],
            },
            "Its size.",
        ),
        sub("mode", NUMBER, "The permissions of its root, in octal."),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static IMAGE: Object = Object {
    name: "image",
    groups: &[&[sub("subpath", TEXT, "A path within the image.")]],
    required: &[],
    extensions: true,
    refused: &[],
};
