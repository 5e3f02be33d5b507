//! The mappings inside the keys of a container.

use super::common::{ANY_SCALAR, BOOL, INT, TEXT};
use super::{Names, Object, Shape, sub};

pub(super) static ENV_FILE: Object = Object {
    name: "an env file",
    groups: &[&[
        sub("path", TEXT, "The file."),
        sub(
            "format",
            TEXT,
            "`raw` takes values as they are; else the rules of .env hold.",
        ),
        sub("required", BOOL, "Whether a missing file is a mistake."),
    ]],
    required: &["path"],
    extensions: false,
    refused: &[],
};

pub(super) static MODEL: Object = Object {
    name: "a model of a service",
    groups: &[&[
        sub(
            "endpoint_var",
            TEXT,
            "The variable that gets the address of the model.",
        ),
        sub(
            "model_var",
            TEXT,
            "The variable that gets the name of the model.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static LOGGING: Object = Object {
    name: "logging",
    groups: &[&[
        sub(
            "driver",
            TEXT,
            "What keeps the output, such as json-file or journald.",
        ),
        sub(
            "options",
            Shape::Map(&ANY_SCALAR, Names::Any),
            "Options of the driver, such as max-size and max-file.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static DEVICE: Object = Object {
    name: "a device",
    groups: &[&[
        sub("source", TEXT, "The device of the host."),
        sub("target", TEXT, "Where it appears inside."),
        sub("permissions", TEXT, "Of r (read), w (write) and m (make)."),
    ]],
    required: &["source"],
    extensions: true,
    refused: &[],
};

pub(super) static CREDENTIAL: Object = Object {
    name: "a credential spec",
    groups: &[&[
        sub("config", TEXT, "The config that holds it."),
        sub("file", TEXT, "The file that holds it."),
        sub(
            "registry",
            TEXT,
            "The value of the Windows registry that holds it.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static BLKIO: Object = Object {
    name: "blkio_config",
    groups: &[&[
        sub(
            "device_read_bps",
            LIMITS,
            "Bytes read per second, by device.",
        ),
        sub("device_read_iops", LIMITS, "Reads per second, by device."),
        sub(
            "device_write_bps",
            LIMITS,
            "Bytes written per second, by device.",
        ),
        sub("device_write_iops", LIMITS, "Writes per second, by device."),
        sub("weight", INT, "The weight against others, 10 to 1000."),
        sub(
            "weight_device",
            Shape::List(&Shape::Object(&WEIGHT)),
            "The weight against others, by device.",
        ),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

const LIMITS: Shape = Shape::List(&Shape::Object(&LIMIT));

pub(super) static LIMIT: Object = Object {
    name: "a limit of a device",
    groups: &[&[
        sub("path", TEXT, "The device."),
        sub("rate", INT, "How much per second."),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

pub(super) static WEIGHT: Object = Object {
    name: "a weight of a device",
    groups: &[&[
        sub("path", TEXT, "The device."),
        sub("weight", INT, "Its weight, 10 to 1000."),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};
