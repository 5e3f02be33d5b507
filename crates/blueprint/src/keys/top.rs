//! The top level of a blueprint.

use super::common::{NULL, TEXT, TEXT_OR_TEXTS};
use super::ours::OURS;
use super::resource::{CONFIG, MODEL, NETWORK, SECRET, VOLUME};
use super::service::{JOB, SERVICE};
use super::{Key, Names, Object, Shape, key, sub};

/// A blueprint.
pub static TOP: Object = Object {
    name: "a blueprint",
    groups: &[COMPOSE, OURS],
    required: &[],
    extensions: true,
    refused: &[],
};

static COMPOSE: &[Key] = &[
    key(
        "version",
        TEXT,
        b"SSS",
        "Without meaning; only old files have it.",
    ),
    key("name", TEXT, b"SSS", "The name of the deployment."),
    key(
        "include",
        Shape::List(&Shape::Either(&[TEXT, Shape::Object(&INCLUDE)])),
        b"SSS",
        "Other blueprints that are loaded as a whole.",
    ),
    key(
        "services",
        Shape::Map(&Shape::Object(&SERVICE), Names::Resource),
        b"SSS",
        "The services.",
    ),
    key(
        "jobs",
        Shape::Map(&Shape::Object(&JOB), Names::Resource),
        b"SSS",
        "Containers that run to their end.",
    )
    .newer(),
    key(
        "models",
        Shape::Map(&Shape::Object(&MODEL), Names::Resource),
        b"WSW",
        "Language models that services use.",
    ),
    key(
        "networks",
        nullable(&NETWORK_VALUE),
        b"PSP",
        "Networks between services.",
    ),
    key("volumes", nullable(&VOLUME_VALUE), b"SSS", "Named volumes."),
    key(
        "secrets",
        Shape::Map(&Shape::Object(&SECRET), Names::Resource),
        b"SSS",
        "Secret values that services read as files.",
    ),
    key(
        "configs",
        Shape::Map(&Shape::Object(&CONFIG), Names::Resource),
        b"SSS",
        "Files that services read.",
    ),
];

const fn nullable(value: &'static Shape) -> Shape {
    Shape::Map(value, Names::Resource)
}

static NETWORK_VALUE: Shape = Shape::Either(&[Shape::Object(&NETWORK), NULL]);
static VOLUME_VALUE: Shape = Shape::Either(&[Shape::Object(&VOLUME), NULL]);

static INCLUDE: Object = Object {
    name: "an include",
    groups: &[&[
        sub(
            "path",
            TEXT_OR_TEXTS,
            "The file; of several, the later are laid over the first.",
        ),
        sub(
            "env_file",
            TEXT_OR_TEXTS,
            "Variables for that blueprint; its own .env if not given.",
        ),
        sub(
            "project_directory",
            TEXT,
            "The folder that its relative paths start from.",
        ),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};
