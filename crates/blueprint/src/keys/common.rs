//! Shapes that many keys share.

use super::{Cast, Kind, Names, Object, Shape, key, sub};
use crate::keys::Key;

pub(super) const TEXT: Shape = Shape::Scalar(&[Kind::Text], None);
pub(super) const TEXT_OR_NULL: Shape = Shape::Scalar(&[Kind::Text, Kind::Null], None);
pub(super) const BOOL: Shape = Shape::Scalar(&[Kind::Bool, Kind::Text], None);
pub(super) const BOOL_CAST: Shape = Shape::Scalar(&[Kind::Bool, Kind::Text], Some(Cast::Bool));
/// After the cast only a boolean is left.
pub(super) const BOOL_ONLY: Shape = Shape::Scalar(&[Kind::Bool], Some(Cast::Bool));
pub(super) const STRICT_BOOL: Shape = Shape::Scalar(&[Kind::Bool], None);
pub(super) const INT: Shape = Shape::Scalar(&[Kind::Int, Kind::Text], None);
pub(super) const INT_ONLY: Shape = Shape::Scalar(&[Kind::Int], None);
pub(super) const INT_CAST: Shape = Shape::Scalar(&[Kind::Int, Kind::Text], Some(Cast::Int));
pub(super) const NUMBER: Shape = Shape::Scalar(&[Kind::Number, Kind::Text], None);
pub(super) const NUMBER_ONLY: Shape = Shape::Scalar(&[Kind::Number], None);
pub(super) const NUMBER_INT_CAST: Shape =
    Shape::Scalar(&[Kind::Number, Kind::Text], Some(Cast::Int));
pub(super) const NUMBER_FLOAT_CAST: Shape =
    Shape::Scalar(&[Kind::Number, Kind::Text], Some(Cast::Float));
pub(super) const ANY_SCALAR: Shape =
    Shape::Scalar(&[Kind::Text, Kind::Number, Kind::Bool, Kind::Null], None);
pub(super) const TEXT_NUMBER_BOOL: Shape =
    Shape::Scalar(&[Kind::Text, Kind::Number, Kind::Bool], None);
pub(super) const TEXT_OR_NUMBER: Shape = Shape::Scalar(&[Kind::Text, Kind::Number], None);

/// A list of texts, each once.
pub(super) const TEXTS: Shape = Shape::Set(&TEXT);
/// A list of texts.
pub(super) const TEXT_LIST: Shape = Shape::List(&TEXT);
pub(super) const TEXT_OR_TEXTS: Shape = Shape::Either(&[TEXT, TEXTS]);
pub(super) const TEXT_OR_LIST: Shape = Shape::Either(&[TEXT, TEXT_LIST]);
/// `KEY: value` or `- KEY=value`.
pub(super) const PAIRS: Shape = Shape::Either(&[Shape::Map(&ANY_SCALAR, Names::Any), TEXTS]);
pub(super) const COMMAND: Shape = Shape::Either(&[TEXT_OR_NULL, TEXT_LIST]);
pub(super) const OPTIONS: Shape = Shape::Map(&TEXT_OR_NUMBER, Names::Any);
pub(super) const NULLABLE_OPTIONS: Shape = Shape::Map(
    &Shape::Scalar(&[Kind::Text, Kind::Number, Kind::Null], None),
    Names::Any,
);
pub(super) const HOSTS: Shape = Shape::Either(&[Shape::Map(&TEXT_OR_LIST, Names::Any), TEXTS]);
pub(super) const NULL: Shape = Shape::Scalar(&[Kind::Null], None);

pub(super) const DURATION: Shape = TEXT;

pub(super) const ULIMITS: Shape = Shape::Map(
    &Shape::Either(&[INT_CAST, Shape::Object(&ULIMIT)]),
    Names::Lower,
);

static ULIMIT: Object = Object {
    name: "a limit",
    groups: &[&[
        sub(
            "soft",
            INT_CAST,
            "The limit that counts; the program may raise it up to the hard one.",
        ),
        sub(
            "hard",
            INT_CAST,
            "The highest value that the program may set.",
        ),
    ]],
    required: &["soft", "hard"],
    extensions: true,
    refused: &[],
};

/// How configs and secrets reach a container.
pub(super) const GRANTS: Shape = Shape::List(&Shape::Either(&[TEXT, Shape::Object(&GRANT)]));

static GRANT: Object = Object {
    name: "a config or secret of a service",
    groups: &[&[
        sub("source", TEXT, "Its name at the top level."),
        sub(
            "target",
            TEXT,
            "Where the file appears; /<source> for configs, /run/secrets/<source> for secrets.",
        ),
        sub("uid", TEXT, "The owner of the file, as a number in text."),
        sub("gid", TEXT, "The group of the file, as a number in text."),
        sub("mode", NUMBER, "The permissions of the file, in octal."),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static HOOK: Object = Object {
    name: "a hook",
    groups: &[HOOK_KEYS],
    required: &["command"],
    extensions: true,
    refused: &[],
};

static HOOK_KEYS: &[Key] = &[
    sub("command", COMMAND, "What is run."),
    sub("user", TEXT, "As whom it is run."),
    sub("privileged", BOOL, "Run it with all rights."),
    sub("working_dir", TEXT, "In which folder it is run."),
    sub("environment", PAIRS, "Further variables for it."),
];

pub(super) const HOOKS: Shape = Shape::List(&Shape::Object(&HOOK));

/// A request for devices that says what they must be able to do.
pub(super) static CAPABLE_DEVICE: Object = Object {
    name: "a device request",
    groups: &[DEVICE_KEYS],
    required: &["capabilities"],
    extensions: true,
    refused: &[],
};

/// A request for graphics processors.
pub(super) static GPU: Object = Object {
    name: "a device request",
    groups: &[DEVICE_KEYS],
    required: &[],
    extensions: true,
    refused: &[],
};

static DEVICE_KEYS: &[Key] = &[
    sub(
        "capabilities",
        TEXTS,
        "What the device must be able to do, such as gpu.",
    ),
    sub("count", INT, "How many devices; `all` for every one."),
    sub("device_ids", TEXTS, "Which devices, instead of a count."),
    sub("driver", TEXT, "The driver that provides the devices."),
    sub("options", PAIRS, "Options of the driver."),
];

pub(super) const LABELS: Key = sub("labels", PAIRS, "Labels on it, for people and tools.");
pub(super) const NAME: Key = sub(
    "name",
    TEXT,
    "Its name outside of this project, instead of <project>_<key>.",
);

const EXTERNAL_SHAPE: Shape = Shape::Either(&[BOOL_CAST, Shape::Object(&EXTERNAL)]);

pub(super) const EXISTS: Key = sub(
    "external",
    EXTERNAL_SHAPE,
    "It exists already; it is neither made nor removed.",
);

static EXTERNAL: Object = Object {
    name: "external",
    groups: &[&[key(
        "name",
        TEXT,
        b"---",
        "The old way to give the name of what exists.",
    )]],
    required: &[],
    extensions: true,
    refused: &[],
};
